"""How a gradient's cost grows: with patients, with chains side by side, and what compiling takes.

There is no rival here but proportion: `rival` is what the smallest problem's time makes of it, or
what one chain alone takes, or a process without the compiler's store. A ratio of 1 is proportion.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import numpy as np
from individual_gradient import density
from sixty import Problem, simulated
from timing import Row, row, seconds

HERE = Path(__file__).parent
EACH = 20
"""Gradients a chain when chains run side by side."""


def compiled(problem: Problem) -> tuple[Callable, float, float]:
    """Log-density and gradient; CPU seconds to compile them; working memory in MB."""
    began = time.process_time()
    call = jax.jit(jax.value_and_grad(density(problem, problem.likelihood.solver)))
    made = call.lower(problem.values).compile()
    taken, used = time.process_time() - began, made.memory_analysis()
    megabytes = (used.temp_size_in_bytes + used.output_size_in_bytes) / 1e6 if used else np.nan
    return lambda: made(problem.values), taken, megabytes


def scaling_rows(patients: tuple[int, ...], repeats: int) -> list[Row]:
    """The gradient of simulated problems of many sizes, against the smallest one's time."""
    rows: list[Row] = []
    first = 0.0
    for count in patients:
        problem = simulated(count)
        call, compiling, megabytes = compiled(problem)
        taken = seconds(call, repeats)
        first = first or taken / count
        cut = problem.likelihood.solver.cut
        assert cut is not None
        rows.append(row(
            f"gradient of {count:,} patients", taken, first * count,
            f"{patients[0]} patients, in proportion", "the same mesh tolerance, 1e-5",
            f"{cut.step.size} parts, {megabytes:.0f} MB, compiled in {compiling:.1f} CPU s, "
            f"{problem.source}",
        ))  # fmt: skip
    return rows


def chain_rows(problem: Problem) -> list[Row]:
    """CPU seconds a gradient of two chains in two threads, against one alone."""
    call, _, _ = compiled(problem)

    def chain() -> None:
        for _ in range(EACH):
            jax.block_until_ready(call())

    def together(chains: int) -> tuple[float, float]:
        threads = [threading.Thread(target=chain) for _ in range(chains)]
        began = time.process_time(), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = time.process_time() - began[0], time.perf_counter() - began[1]
        return taken[0] / (chains * EACH), taken[1] / (chains * EACH)

    together(1)
    alone, both = together(1), together(2)
    return [row(
        "gradient, two chains", both[0], alone[0], "one chain alone", "the same program",
        f"wall seconds a gradient: {both[1]:.4f} for two, {alone[1]:.4f} for one; "
        f"{problem.patients} patients",
    )]  # fmt: skip


def compile_rows(patients: int) -> list[Row]:
    """What a second process spends on compiling with the compiler's store and without it."""
    with TemporaryDirectory() as folder:
        _process(patients, folder)
        stored, plain = _process(patients, folder), _process(patients, None)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*")) / 1e6
    same = stored["value"] == plain["value"] and stored["slope"] == plain["slope"]
    return [row(
        "compiling, second process", stored["compile"], plain["compile"], "without the store",
        f"log-density and gradient {'the same to the last bit' if same else 'NOT the same'}",
        f"tracing apart ({plain['trace']:.1f} s both times); {size:.1f} MB stored; {patients} "
        "patients",
    )]  # fmt: skip


def _process(patients: int, folder: str | None) -> dict:
    """One process that compiles the gradient, with or without a store."""
    store = {"JAX_ENABLE_COMPILATION_CACHE": "true" if folder else "false"}
    if folder:
        store |= {"JAX_COMPILATION_CACHE_DIR": folder}
    words = [sys.executable, str(HERE / "scaling.py"), str(patients)]
    done = subprocess.run(
        words, check=True, capture_output=True, text=True, env={**os.environ, **store}
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Compile the gradient of as many simulated patients and say what that took."""
    problem = simulated(int(sys.argv[1]))
    call = jax.jit(jax.value_and_grad(density(problem, problem.likelihood.solver)))
    began = time.process_time()
    lowered = call.lower(problem.values)
    traced = time.process_time()
    made = lowered.compile()
    done = time.process_time()
    value, slope = made(problem.values)
    print(json.dumps({
        "trace": traced - began, "compile": done - traced, "value": float(value),
        "slope": problem.slope(slope).tolist(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
