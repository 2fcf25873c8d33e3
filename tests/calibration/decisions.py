"""Calibration of decisions: small trials simulated, fitted, decided, and held to the truth.

    python tests/calibration/decisions.py --sims 200

Truths come from the prior; a trial is that of `redrawn_trial.py`, fitted as `pkpd fit` does (start
by Laplace, coordinates, NUTS), decided as `pkpd decide` does (`decided.py`). One row a trial goes
to a CSV, as it comes; a file that is there is taken up, and a row is the same whatever the order
and the number of workers. Two processes, each with programs of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path

import decisions_told
import pandas as pd
import sbc
from decided import Trials

from pkpd.files import replacing

Rows = Iterator[dict]


@cache
def trials(seed: int) -> Trials:
    """A process's own programs."""
    return Trials(seed)


def row(seed: int, k: int) -> dict:
    """The row of trial k, by this process."""
    return trials(seed).row(k)


def ends_with_its_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def side_by_side(numbers: Iterable[int], *, seed: int, workers: int) -> Rows:
    """Rows as they come, from processes that are started anew (JAX is not forked)."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=ends_with_its_parent) as pool:
        running = [pool.submit(row, seed, k) for k in numbers]
        for each in as_completed(running):
            yield each.result()


def known(path: Path) -> list[dict]:
    """The rows of a file, none where there is none."""
    return decisions_told.read(path).to_dict("records") if path.is_file() else []


def run(path: Path, sims: int, rows: Callable[[list[int]], Rows]) -> pd.DataFrame:
    """Trials 0 .. sims - 1, those in the file left out; the file is written after each."""
    found = {int(each["simulation"]): each for each in known(path)}
    began = time.perf_counter()
    for each in rows([k for k in range(sims) if k not in found]):
        found[int(each["simulation"])] = each
        write(path, found)
        spent, passed = each["cpu_seconds"], time.perf_counter() - began
        said = f"trial {each['simulation']}, {len(found)} of {sims}: {spent:.1f} CPU s"
        print(f"{said}; {passed:.0f} s in all {each['failed']}", flush=True)
    return pd.DataFrame([found[k] for k in sorted(found) if k < sims])


def write(path: Path, found: dict[int, dict]) -> None:
    """All rows by number."""
    table = pd.DataFrame([found[k] for k in sorted(found)])
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")


def main() -> None:
    """Simulate, fit, decide; print what came of it."""
    words = sbc.asked("Calibration of decisions", 200)
    words.add_argument("--workers", type=int, default=2, help="processes")
    chosen = words.parse_args()
    path = chosen.out or decisions_told.PATH
    run(path, chosen.sims,
        lambda todo: side_by_side(todo, seed=sbc.SEED, workers=chosen.workers))  # fmt: skip
    print(decisions_told.told(decisions_told.read(path).head(chosen.sims)))


if __name__ == "__main__":
    main()
