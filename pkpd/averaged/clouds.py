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
from pkpd.points.split import normal_log_density

INNER = 64
"""Inner draws of a cloud."""

LAW_SHARE = 8
"""One point of the population's law beside so many of the parts, for what these miss (defensive
mixture: Hesterberg 1995, Technometrics 37:185). It is the law of the inner numbers' middle: under
laws far from that weights still have a heavy tail."""

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
    """Clouds about draws of the population, `count` points of every subject and some of its law."""
    middle, outer = proposed.about.middle(numbers[:, 0])
    rounded, z, log_density = _drawn(programs.frames(middle), proposed.places, outer, count, rng)
    mean, mix = (part[:, 0] for part in programs.laws(middle[:, None]))
    points = mean[:, None] + np.einsum("sef,sknf->skne", mix, z)
    log_density = log_density - np.linalg.slogdet(mix)[1][:, None, None]
    heights = programs.solved(middle, z) - log_density - np.log(z.shape[1])
    laws = programs.laws(numbers)
    estimates = np.asarray(programs.sums(points, heights, *laws))
    found = estimates + programs.log_prior(numbers) - proposed.population.log_density(numbers)
    found = np.where(np.isfinite(found), found, -np.inf)
    return Clouds(outer, numbers, found, rounded, points, heights, laws)


def _drawn(
    frames: tuple[np.ndarray, np.ndarray], places: Places, outer: Float[np.ndarray, "S a"],
    count: int, rng: np.random.Generator,
) -> tuple[Points, Points, Float[np.ndarray, "S K N"]]:  # fmt: skip
    """Points in round coordinates, as standardised effects, and the latter's log-density."""
    factor, middle = (part[:, None] for part in frames)
    own = places.drawn(outer, count, rng)
    draws, _, subjects, rows = own.shape
    wide = rng.normal(size=(draws, count // LAW_SHARE, subjects, rows))
    turned = np.swapaxes(factor, -1, -2)
    rounded = np.concatenate([own, (turned @ wide[..., None])[..., 0] - middle], axis=1)
    z = np.linalg.solve(turned, (middle + rounded)[..., None])[..., 0]
    spread = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
    share = wide.shape[1] / z.shape[1]
    by_parts = places.log_density(outer, rounded) + spread + np.log1p(-share)
    return rounded, z, np.logaddexp(by_parts, normal_log_density(z) + np.log(share))
