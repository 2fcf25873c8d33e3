"""From a start and settings to draws: a pilot run, and the run that counts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from pkpd import pymc_bridge, search
from pkpd.arm_level.problem import Likelihood
from pkpd.checkpoint import Checkpoint, evaluations
from pkpd.search import Progress, Start
from pkpd.settings import Sampler


@dataclass(frozen=True)
class Drawn:
    """Draws (DataTree), the seconds each stage took, and where the covariances were held.

    `resumed` counts the log-densities, by stage, that a run killed before had computed.
    """

    tree: Any
    seconds: dict[str, float]
    likelihood: Likelihood
    reference: np.ndarray
    resumed: dict[str, int]


def sample(start: Start, progress: Progress, kept: Checkpoint | None = None) -> Drawn:
    """Draws of the posterior by NUTS from a start (`search.find_mode`), as the settings ask.

    `kept` is what runs before have done; without it nothing is remembered.
    """
    chosen = start.likelihood.settings.sampler
    seconds, began, resumed = {}, time.perf_counter(), {}

    def lap(stage: str) -> None:
        seconds[stage] = time.perf_counter() - began - sum(seconds.values())

    def run(stage: str, chosen: Sampler) -> tuple[Any, int]:
        with evaluations(kept, stage) as known:
            made = pymc_bridge.program(start.likelihood, start.call, start.around, known)
            tree = pymc_bridge.run_chains(made, chosen, lambda share: progress(stage, share))
        return tree, known.replayed if known else 0

    if chosen.pilot:
        short = chosen.model_copy(update={"tune": chosen.pilot, "draws": chosen.pilot})
        pilot, resumed["pilot run"] = run("pilot run", short)
        start = search.learn(start, flat(start.likelihood, pilot))
        lap("pilot run")
    tree, resumed["sampling"] = run("sampling", chosen)
    lap("sample")
    return Drawn(tree, seconds, start.likelihood, start.reference, resumed)


def flat(likelihood: Likelihood, tree: Any) -> np.ndarray:
    """All draws of a tree as flat natural vectors, shape (chains x draws, size)."""
    parts = []
    for variable in likelihood.space.variables:
        values = np.asarray(tree["posterior"][variable.name])
        parts.append(values.reshape(values.shape[0] * values.shape[1], -1))
    return np.concatenate(parts, axis=1)
