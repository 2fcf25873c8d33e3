"""From a joint fit's start to draws: a pilot run, and the run that counts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from pkpd import pymc_bridge
from pkpd.checkpoint import Checkpoint, Evaluations, evaluations
from pkpd.joint.start import JointStart, learn
from pkpd.search import Progress
from pkpd.settings import Sampler
from pkpd.variation.space import Space


@dataclass(frozen=True)
class Drawn:
    """Draws (DataTree), the start they were made from, and the seconds each stage took.

    `resumed` counts the log-densities, by stage, that a run killed before had computed.
    """

    tree: Any
    start: JointStart
    seconds: dict[str, float]
    resumed: dict[str, int]


def sample(
    start: JointStart, chosen: Sampler, progress: Progress, kept: Checkpoint | None = None
) -> Drawn:
    """Draws of the joint posterior by NUTS from a start (`joint.start.find_start`).

    `kept` is what runs before have done; without it nothing is remembered.
    """
    seconds, began, resumed = {}, time.perf_counter(), {}

    def lap(stage: str) -> None:
        seconds[stage] = time.perf_counter() - began - sum(seconds.values())

    def run(stage: str, chosen: Sampler) -> tuple[Any, int]:
        progress("compiling the gradient", 0.0)
        with evaluations(kept, stage) as known:
            made = _program(start, known)
            tree = pymc_bridge.run_chains(made, chosen, lambda share: progress(stage, share))
        return tree, known.replayed if known else 0

    if chosen.pilot:
        short = chosen.model_copy(update={"tune": chosen.pilot, "draws": chosen.pilot})
        pilot, resumed["pilot run"] = run("pilot run", short)
        start = learn(start, flat(start.likelihood.space, pilot))
        lap("pilot run")
    tree, resumed["sampling"] = run("sampling", chosen)
    lap("sample")
    return Drawn(tree, start, seconds, resumed)


def _program(start: JointStart, known: Evaluations | None) -> Any:
    likelihood = start.likelihood.walked()

    def of_individuals(vector: Any) -> Any:
        return likelihood.by_subject(likelihood.space.unpack(vector)).sum()

    return pymc_bridge.walked_program(
        likelihood.space, start.walk.standard, of_individuals, beside=start.call, known=known
    )


def flat(space: Space, tree: Any) -> np.ndarray:
    """All draws of a tree as flat natural vectors, shape (chains x draws, size)."""
    found = [np.asarray(tree["posterior"][name]) for name in space.names]
    return np.concatenate([v.reshape(v.shape[0] * v.shape[1], -1) for v in found], axis=1)
