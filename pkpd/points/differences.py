"""Slopes and curvatures of points along numbers of the equations, by differences of heights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from pkpd.points.carried import Carried
from pkpd.points.curvature import LOWEST

STEPS = (0.01, 0.1)
"""Least and greatest step of differences along a number of the population."""


@dataclass(frozen=True)
class Points:
    """Points in the cube's order, standardised, with log-likelihoods and log-weights.

    `outside` are their slopes and curvatures along the outcomes' numbers, where these are known.
    """

    z: Float[np.ndarray, "K E N"]
    found: Float[np.ndarray, "K N"]
    log_weights: Float[np.ndarray, "N K"]
    outside: tuple[Float[np.ndarray, "K o N"], ...] = ()

    def only(self, some: Int[np.ndarray, " k"]) -> Points:
        """Some of them."""
        outside = tuple(part[some] for part in self.outside)
        return Points(self.z[some], self.found[some], self.log_weights[:, some], outside)

    @property
    def near(self) -> Float[np.ndarray, "N K E"]:
        """Where they are, by subject."""
        return np.moveaxis(self.z, -1, 0)


def step_of(sd: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
    """Steps of differences along each number of the population."""
    return np.clip(sd, *STEPS)


def differences(
    ways: Carried, points: Points, steps: Float[np.ndarray, " P"],
    which: Bool[np.ndarray, " q"] | None = None,
) -> tuple[Float[np.ndarray, "N K q"], Float[np.ndarray, "N K q"]]:  # fmt: skip
    """Slopes and curvatures along numbers of the equations (`which`), of points that go their way.

    A point whose log-likelihood falls by more than `LOWEST` counts as if it fell by that.
    """
    z, here = points.z, points.found
    size = z.shape[-1], len(z), len(ways.split.equations)
    slopes, bows = np.zeros(size), np.zeros(size)
    start = np.where(np.isfinite(here), here, 0.0)
    for column, place in enumerate(ways.split.equations):
        if which is not None and not which[column]:
            continue
        step = np.zeros(len(ways.centre))
        step[place] = steps[place]
        ends = [ways.at(ways.centre + sign * step, z) - start for sign in (1, -1)]
        up, down = (np.where(np.isfinite(here), np.maximum(end, -LOWEST), 0.0).T for end in ends)
        slopes[..., column] = (up - down) / (2 * steps[place])
        bows[..., column] = (up + down) / steps[place] ** 2
    return slopes, bows
