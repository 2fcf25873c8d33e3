"""From an individual-level likelihood to draws: start, coordinates, chains; taken up after a kill.

What is done is kept beside the draws under names that hold a hash of all that matters: the start,
and every log-density computed (`checkpoint`). A run killed later goes on there, and its draws are
those of one that was never killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from pkpd import pymc_bridge
from pkpd.checkpoint import Checkpoint, Evaluations
from pkpd.files import replacing
from pkpd.individual.kept_mesh import DRAWS, replanned
from pkpd.individual.learned import learned
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.start import Start, find_start
from pkpd.individual.whitened import whitened
from pkpd.posterior import Posterior
from pkpd.settings import Sampler

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Drawn:
    """Draws (DataTree), where they began, and the seconds each stage took.

    `resumed` counts the log-densities, by stage, that a run killed before had computed.
    """

    tree: Any
    start: Start
    seconds: dict[str, float]
    resumed: dict[str, int]


def draw(likelihood: IndividualLikelihood, kept: Checkpoint, progress: Progress) -> Drawn:
    """Draws of the posterior by NUTS; `kept` is what runs before have done.

    `start.likelihood` of what is given back is the likelihood sampled, on a mesh planned again.
    """
    seconds, resumed, began = {}, {}, time.perf_counter()

    def lap(stage: str) -> None:
        seconds[stage] = time.perf_counter() - began - sum(seconds.values())

    def run(stage: str, chosen: Sampler) -> Any:
        progress("compiling the gradient", 0.0)
        with kept.evaluations(stage) as known:
            program = _program(start, known)
            lap("compile" if stage == "sampling" else "compile pilot run")
            tree = pymc_bridge.run_chains(program, chosen, lambda share: progress(stage, share))
        resumed[stage] = known.replayed
        return tree

    start = replanned(remembered_start(likelihood, kept, progress))
    chosen = likelihood.settings.sampler
    lap("find start")
    if chosen.pilot:
        short = chosen.model_copy(update={"tune": chosen.pilot, "draws": chosen.pilot})
        pilot = run("pilot run", short)
        start = learned(start, pilot["posterior"])
        start = replanned(start, Posterior(pilot, {}).draws(DRAWS))
        lap("pilot run")
    tree = run("sampling", chosen)
    lap("sample")
    return Drawn(tree, start, seconds, resumed)


def _program(start: Start, known: Evaluations) -> Any:
    """The posterior in the coordinates of a start."""
    likelihood, space = start.likelihood.walked(), start.likelihood.space

    def density(flat: Any) -> Any:
        return likelihood.by_subject(space.unpack(flat)).sum()

    return pymc_bridge.walked_program(space, whitened(start).standard, density, known=known)


def remembered_start(
    likelihood: IndividualLikelihood, kept: Checkpoint, progress: Progress
) -> Start:
    """The start that a run before has found, or else found now and kept."""
    path = kept.path("start.npz")
    start = _remembered(likelihood, path) or find_start(likelihood, progress)
    _remember(start, path)
    return start


def _remember(start: Start, path: Path) -> None:
    """Every field of a start but its likelihood."""
    known = {each.name: getattr(start, each.name) for each in fields(Start)}
    del known["likelihood"]
    known["names"] = np.array(list(start.shrinkage))
    known["shrinkage"] = np.array(list(start.shrinkage.values()))
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **{name: value for name, value in known.items() if value is not None})


def _remembered(likelihood: IndividualLikelihood, path: Path) -> Start | None:
    if not path.is_file():
        return None
    with np.load(path) as found:
        known = dict(found)
    names = known.pop("names")
    shrinkage = {str(n): float(s) for n, s in zip(names, known.pop("shrinkage"), strict=True)}
    marginal = float(known.pop("marginal"))
    return Start(likelihood=likelihood, shrinkage=shrinkage, marginal=marginal, **known)
