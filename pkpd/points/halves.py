"""Scores of halves of each subject's points: what their number leaves uncertain.

Each half of a subject's points is a set of its own, and subjects' sets are independent. So the
halves' difference in each subject's score gives the variance of the score of all points, and what
the halves' mean is off the whole gives its bias (a logarithm of a mean is below that of the
expectation). Of many sets, each left out in turn, the jackknife says the same less by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from pkpd.points.split import Split
from pkpd.points.tilted import Tilted, along_ways, leant_by, subject_means, turned


@dataclass(frozen=True)
class Halves:
    """Half of what the halves' scores differ by, and how far their mean is off the whole.

    Rows of `apart`, one or more of each subject, have the scores' covariance as their square.
    """

    apart: Float[np.ndarray, "R P"]
    bias: Float[np.ndarray, " P"]

    @property
    def variance(self) -> Float[np.ndarray, " P"]:
        """Of the sum of all subjects' scores."""
        return (self.apart**2).sum(axis=0)

    def times(self, share: float | Float[np.ndarray, " P"]) -> Halves:
        """Those of a share of the scores."""
        return Halves(self.apart * share, self.bias * share)

    def beside(self, other: Halves) -> Halves:
        """Both together where they are independent."""
        return Halves(np.concatenate([self.apart, other.apart]), self.bias + other.bias)

    def __add__(self, other: Halves) -> Halves:
        """Those of a sum."""
        return Halves(self.apart + other.apart, self.bias + other.bias)


def jackknife(each: Float[np.ndarray, "J N P"], share: Float[np.ndarray, "J N"]) -> Halves:
    """Of scores by several sets of a subject's points, each with its share (0: of another's)."""
    own = share[..., None]
    whole, count = (own * each).sum(axis=0), (own > 0).sum(axis=0)
    without = (whole - own * each) / np.maximum(1 - own, 1e-9)
    mean = np.where(own > 0, without, 0.0).sum(axis=0) / count
    apart = np.where(own > 0, without - mean, 0.0) * np.sqrt(1 - 1 / count)
    bias = ((count - 1) * (mean - whole)).sum(axis=0)
    return Halves(apart.reshape(-1, each.shape[-1]), bias)


def halves(whole: np.ndarray, one: np.ndarray, two: np.ndarray) -> Halves:
    """Of scores (subjects, numbers) by all points, by one half of them and by the other."""
    return Halves((one - two) / 2, ((one + two) / 2 - whole).sum(axis=0))


def halves_of(cloud: Tilted, scores: Callable[[Tilted], Float[np.ndarray, "N P"]]) -> Halves:
    """Those of `scores` by a density's own points."""
    count = cloud.points.shape[1]
    own = 2 ** (count.bit_length() - 1)  # the rest, fewer, are of the law
    places = np.arange(count)
    first = (places < own // 2) | ((places >= own) & (places < own + (count - own) // 2))
    return halves(*(scores(_only(cloud, part)) for part in (places >= 0, first, ~first)))


def _only(cloud: Tilted, some: Bool[np.ndarray, " K"]) -> Tilted:
    z, base, ways = (part[..., some] for part in (cloud.z, cloud.base, cloud.ways))
    return replace(cloud, z=z, base=base, ways=ways)


def scores_of(cloud: Tilted, at: Float[np.ndarray, " P"]) -> Float[np.ndarray, "N P"]:
    """Each subject's score at a population, but for a constant."""
    means, ways = subject_means(cloud, at)
    by_leans, by_ways = turning(cloud, at)
    scores = by_law(cloud, at, means)
    drawn = np.einsum("nf,nfd->nd", means, np.asarray(cloud.leans)[:, 1:])
    scores[:, cloud.split.others] += drawn @ by_leans + ways @ by_ways
    return scores


def turning(
    cloud: Tilted, at: Float[np.ndarray, " P"]
) -> tuple[Float[np.ndarray, "L d"], Float[np.ndarray, "2a d"]]:
    """How what leans and ways are multiplied with goes with the numbers of the likelihood."""
    away, columns = jnp.asarray(at - cloud.centre)[cloud.split.others], jnp.asarray(cloud.columns)
    by_leans = jax.jacobian(lambda away: leant_by(cloud.split, away, columns))(away)
    by_ways = jax.jacobian(lambda away: along_ways(away, columns))(away)
    return np.asarray(by_leans), np.asarray(by_ways)


def by_law(
    cloud: Tilted, at: Float[np.ndarray, " P"], means: Float[np.ndarray, "N F"]
) -> Float[np.ndarray, "N P"]:
    """How the law changes each subject's log marginal, its points' means given; all numbers."""
    turns = cloud.split, jnp.asarray(at), jnp.asarray(cloud.centre), cloud.drift
    return np.array(_by_law(*turns, jnp.asarray(means)))


@partial(jax.jit, static_argnums=0)
def _by_law(
    split: Split, at: Array, centre: Array, drift: Array, means: Float[Array, "N F"]
) -> Float[Array, "N P"]:
    turns = jax.jacfwd(lambda z: turned(split, z, centre, drift)[0])(at)
    return jnp.einsum("nf,nfp->np", means, turns)
