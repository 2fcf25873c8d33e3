"""From a start and settings to draws: a pilot run, and the run that counts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from pkpd import pymc_bridge, search
from pkpd.arm_level.problem import Likelihood
from pkpd.search import Progress, Start
from pkpd.settings import Sampler


@dataclass(frozen=True)
class Drawn:
    """Draws (DataTree), the seconds each stage took, and where the covariances were held."""

    tree: Any
    seconds: dict[str, float]
    likelihood: Likelihood
    reference: np.ndarray


def sample(start: Start, progress: Progress) -> Drawn:
    """Draws of the posterior by NUTS from a start (`search.find_mode`), as the settings ask."""
    chosen = start.likelihood.settings.sampler
    seconds, began = {}, time.perf_counter()

    def lap(stage: str) -> None:
        seconds[stage] = time.perf_counter() - began - sum(seconds.values())

    if chosen.pilot:
        short = chosen.model_copy(update={"tune": chosen.pilot, "draws": chosen.pilot})
        pilot = _run(start, short, progress, "pilot run")
        start = search.learn(start, flat(start.likelihood, pilot))
        lap("pilot run")
    tree = _run(start, chosen, progress, "sampling")
    lap("sample")
    return Drawn(tree, seconds, start.likelihood, start.reference)


def _run(start: Start, chosen: Sampler, progress: Progress, stage: str) -> Any:
    program = pymc_bridge.program(start.likelihood, start.call, start.around)
    return pymc_bridge.run_chains(program, chosen, lambda share: progress(stage, share))


def flat(likelihood: Likelihood, tree: Any) -> np.ndarray:
    """All draws of a tree as flat natural vectors, shape (chains x draws, size)."""
    parts = []
    for variable in likelihood.space.variables:
        values = np.asarray(tree["posterior"][variable.name])
        parts.append(values.reshape(values.shape[0] * values.shape[1], -1))
    return np.concatenate(parts, axis=1)
