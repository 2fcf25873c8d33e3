"""What both calibrations share: chains over data that change, ranks row by row, a file of them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd

from pkpd.diagnosis.calibration import calibration_table, ranks, thinned
from pkpd.files import replacing
from pkpd.workers import done, workers

DOCS = Path(__file__).parents[2] / "docs"
KEEP = 99
"""Draws kept of each posterior: ranks run from 0 to 99."""

BINS, LEVEL, SEED = 10, 0.9, 20263


class Moving:
    """A compiled (flat, data) -> (value, gradient) as a function of flat, its data changed between.

    One program serves all simulated data sets; the sampler asks it from its threads, one data set
    at a time.
    """

    def __init__(self, program: Callable) -> None:
        self.program = program
        self.data = None

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = self.program(flat, self.data)
        return float(value), np.asarray(slope)


def flat_draws(tree, names) -> dict[str, np.ndarray]:
    """Draws by name, chains one after the other."""
    posterior = tree["posterior"].dataset
    return {name: posterior[name].values.reshape(-1, *posterior[name].shape[2:]) for name in names}


def ranked(
    truth: Mapping[str, np.ndarray], tree, names, quantity: Callable[[Mapping], float]
) -> dict[str, float]:
    """Ranks of the truth by scalar (`x` or `x_0`, `x_1` ..) and of the log-likelihood.

    The log-likelihood is a test quantity that sees the data (Modrak 2023, arXiv:2211.02383): it
    tells posteriors that ranks of parameters alone cannot, such as the prior given back.
    """
    draws = {name: thinned(all_of, KEEP) for name, all_of in flat_draws(tree, names).items()}
    found = {}
    for name, kept in draws.items():
        kept, true = kept.reshape(KEEP, -1), np.asarray(truth[name]).reshape(-1)
        each = ranks(true, kept.T)
        labels = [name] if np.ndim(truth[name]) == 0 else [f"{name}_{k}" for k in range(true.size)]
        found |= dict(zip(labels, each.tolist(), strict=True))
    seen = [quantity({name: value[k] for name, value in draws.items()}) for k in range(KEEP)]
    found["log_likelihood"] = int(ranks(np.array([quantity(truth)]), np.array([seen]))[0])
    return found


def health(tree, names) -> dict[str, float]:
    """How the chains fared: least effective sample size, largest R-hat, divergences."""
    posterior = tree["posterior"].dataset[list(names)]
    ess, rhat = az.ess(posterior), az.rhat(posterior)
    return {
        "ess_least": float(min(ess[name].values.min() for name in names)),
        "rhat_most": float(max(rhat[name].values.max() for name in names)),
        "divergences": int(tree["sample_stats"]["diverging"].values.sum()),
    }


def read(path: Path) -> pd.DataFrame:
    """The rows of a file."""
    return pd.read_csv(path, dtype={"failed": str}).fillna({"failed": ""})


def run(path: Path, sims: int, rows: Callable[[list[int]], Iterable[dict]]) -> pd.DataFrame:
    """Simulations 0 .. sims - 1, those in the file left out; the file is written after each.

    `rows` gives the row of each number it is asked for, in any order.
    """
    known = read(path).to_dict("records") if path.is_file() else []
    found = {int(each["simulation"]): each for each in known}
    began = time.perf_counter()
    for each in rows([k for k in range(sims) if k not in found]):
        found[int(each["simulation"])] = each
        _write(path, found)
        passed = time.perf_counter() - began
        said = f"simulation {each['simulation']}, {len(found)} of {sims}: {passed:.0f} s in all"
        print(said, each.get("failed", ""), flush=True)
    return pd.DataFrame([found[k] for k in sorted(found) if k < sims])


def _write(path: Path, found: Mapping[int, dict]) -> None:
    """All rows by number."""
    table = pd.DataFrame([found[k] for k in sorted(found)])
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")


def spread(
    work: Callable[[tuple], dict], first: tuple, chosen: argparse.Namespace
) -> Callable[[list[int]], Iterator[dict]]:
    """What `run` takes: `work` of (*first, k) for each k, by processes or a scheduler's workers.

    `work` is a function of a module that is imported by name: programs it keeps are then kept.
    """

    def rows(numbers: list[int]) -> Iterator[dict]:
        if not numbers:
            return
        with workers(chosen.workers, chosen.cluster) as client:
            for _, row in done(client, work, [(*first, k) for k in numbers]):
                yield row

    return rows


NOT_RANKS = ("simulation", "ess_least", "rhat_most", "divergences")


def told(found: pd.DataFrame) -> str:
    """The table of uniformity, and how the chains fared."""
    table = calibration_table(
        found.drop(columns=list(NOT_RANKS)), KEEP, bins=BINS, level=LEVEL, seed=SEED
    )
    least = found["ess_least"]
    return "\n".join(
        [
            table.round(3).to_string(index=False),
            f"least ESS: median {least.median():.0f}, tenth {least.quantile(0.1):.0f}; "
            f"R-hat above 1.05 in {(found['rhat_most'] > 1.05).sum()}; "
            f"divergences in {(found['divergences'] > 0).sum()} of {len(found)}",
        ]
    )


def asked(about: str, sims: int) -> argparse.ArgumentParser:
    """The words both drivers take."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--sims", type=int, default=sims, help="simulated data sets")
    parser.add_argument("--out", type=Path, default=None, help="CSV of ranks; taken up if there")
    parser.add_argument("--workers", type=int, default=2, help="processes of this machine")
    parser.add_argument("--cluster", help="address of a Dask scheduler, for its workers instead")
    return parser
