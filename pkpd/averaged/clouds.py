"""Clouds of points about outer draws of the population, and what inner draws weigh with them.

A cloud is solved once; the marginal likelihood of every population with the same outer numbers is
then estimated without bias by sums over its points, whose law alone changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float

from pkpd.averaged.places import Places
from pkpd.averaged.population import Numbers, Population
from pkpd.averaged.programs import Laws, Programs

INNER = 64
"""Inner draws of a cloud."""

Points = Float[np.ndarray, "S K N E"]


@dataclass(frozen=True)
class Proposed:
    """What is drawn from: the population, and places of points about one that stays."""

    population: Population
    about: Population
    places: Places


@dataclass(frozen=True)
class Clouds:
    """`numbers` drawn and their log-weights; points in round coordinates and on their scales.

    `outer` are the outer numbers as `about` standardises them, `heights` each point's
    log-likelihood less the log-density that it was drawn with.
    """

    outer: Float[np.ndarray, "S a"]
    numbers: Numbers
    log_weights: Float[np.ndarray, "S M"]
    rounded: Points
    points: Points
    heights: Float[np.ndarray, "S K N"]
    laws: Laws

    def weights(
        self, programs: Programs, share: Float[np.ndarray, "S M"]
    ) -> Float[np.ndarray, "S K N"]:
        """Weights of points, inner draws having a `share` each."""
        return np.asarray(programs.weights(self.points, self.heights, *self.laws, share))

    def picked(
        self, programs: Programs, count: int, rng: np.random.Generator
    ) -> tuple[Float[np.ndarray, "S T P"], Float[np.ndarray, "S T E N"]]:
        """`count` times an inner draw of each cloud by weight, and a point of every subject."""
        chance = rng.gumbel(size=(count, *self.log_weights.shape))
        which = (self.log_weights + chance).argmax(axis=-1).T
        each = np.arange(len(which))[:, None]
        mean, mix = (part[each, which] for part in self.laws)
        keys = jax.random.split(jax.random.key(int(rng.integers(2**31))), len(which))
        found = programs.picks(keys, self.points, self.heights, mean, mix)
        return self.numbers[each, which], np.swapaxes(np.asarray(found), -1, -2)


def clouds(
    programs: Programs, proposed: Proposed, numbers: Numbers, count: int, rng: np.random.Generator
) -> Clouds:
    """Clouds of `count` points of every subject about draws of the population."""
    middle, outer = proposed.about.middle(numbers[:, 0])
    rounded, log_density = proposed.places.drawn(outer, count, rng)
    z, log_det = programs.placed(middle, rounded)
    mean, mix = (part[:, 0] for part in programs.laws(middle[:, None]))
    points = mean[:, None] + np.einsum("sef,sknf->skne", mix, z)
    spread = log_det + np.linalg.slogdet(mix)[1][:, None]
    heights = programs.solved(middle, z) - log_density + spread[:, None]
    laws = programs.laws(numbers)
    estimates = np.asarray(programs.sums(points, heights, *laws)) - heights.shape[2] * np.log(count)
    found = estimates + programs.log_prior(numbers) - proposed.population.log_density(numbers)
    found = np.where(np.isfinite(found), found, -np.inf)
    return Clouds(outer, numbers, found, rounded, points, heights, laws)
