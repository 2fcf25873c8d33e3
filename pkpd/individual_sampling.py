"""From an individual-level likelihood to draws: start, coordinates, chains; taken up after a kill.

What is done is kept beside the draws under a name that holds a hash of all that matters: the start
(`.partial-HASH-start.npz`). A run killed later begins there, with the same seed and so the same
draws as one that was never killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pkpd import pymc_bridge
from pkpd.files import replacing
from pkpd.individual.coordinates import Coordinates
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.start import Start, coordinates, find_start

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Drawn:
    """Draws (DataTree), where they began, and the seconds each stage took."""

    tree: Any
    start: Start
    walked: Coordinates
    seconds: dict[str, float]


def draw(likelihood: IndividualLikelihood, kept: Path, progress: Progress) -> Drawn:
    """Draws of the posterior by NUTS; `kept` is the file that remembers the start."""
    began = time.perf_counter()
    start = _remembered(likelihood, kept) or find_start(likelihood, progress)
    _remember(start, kept)
    found = time.perf_counter()
    walked = coordinates(start)
    progress("compiling the gradient", 0.0)
    space = likelihood.space
    program = pymc_bridge.walked_program(
        space, walked.standard, lambda flat: likelihood.by_subject(space.unpack(flat)).sum()
    )
    ready = time.perf_counter()
    chosen = likelihood.settings.sampler
    tree = pymc_bridge.run_chains(program, chosen, lambda share: progress("sampling", share))
    seconds = {"find start": found - began, "compile": ready - found}
    return Drawn(tree, start, walked, seconds | {"sample": time.perf_counter() - ready})


def _remember(start: Start, kept: Path) -> None:
    names = np.array(list(start.shrinkage))
    with replacing(kept) as partial, partial.open("wb") as file:
        np.savez(
            file,
            population=start.population,
            covariance=start.covariance,
            effects=start.effects,
            variance=start.variance,
            names=names,
            shrinkage=np.array([start.shrinkage[name] for name in names]),
            marginal=start.marginal,
        )


def _remembered(likelihood: IndividualLikelihood, kept: Path) -> Start | None:
    if not kept.is_file():
        return None
    with np.load(kept) as found:
        shrinkage = {
            str(n): float(s) for n, s in zip(found["names"], found["shrinkage"], strict=True)
        }
        return Start(
            likelihood, found["population"], found["covariance"], found["effects"],
            found["variance"], shrinkage, float(found["marginal"]),
        )  # fmt: skip
