"""The density's slope along the law's numbers, from many more points than the density itself keeps.

What few points leave uncertain is above all that slope. It is told by heights at the centre alone:
no slopes or curvatures of the equations. So points are solved, counted and forgotten, one set after
another; the density is then tilted by what its own points' slope differs by. Its curvature is that
of its own points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, softmax

from pkpd.points.heights import Heights
from pkpd.points.mixture import Mixture
from pkpd.points.solving import Counts, solved
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted, subject_means, turned
from pkpd.settings_individual import SCORED_TOGETHER


@dataclass(frozen=True)
class Scored:
    """Of each set each subject's log-likelihood, marginal, and its features' weighted means."""

    log: Float[np.ndarray, "J N"]
    means: Float[np.ndarray, "J N F"]

    def scores(self, cloud: Tilted, sets: slice) -> Float[np.ndarray, "N P"]:
        """Each subject's score at the centre but for a constant; 0 along all but the law."""
        share = softmax(self.log[sets], axis=0)[..., None]
        return law_scores(cloud, cloud.centre, (share * self.means[sets]).sum(axis=0))

    def apart(self, cloud: Tilted) -> tuple[Float[np.ndarray, "N P"], Float[np.ndarray, " P"]]:
        """Half of what two halves of the sets differ by, and how far their mean is off the whole.

        As `error` has both.
        """
        middle = len(self.log) // 2
        one, two = (self.scores(cloud, slice(*ends)) for ends in ((0, middle), (middle, None)))
        return (one - two) / 2, ((one + two) / 2 - self.scores(cloud, slice(None))).sum(axis=0)

    def tilting(self, cloud: Tilted) -> Tilted:
        """The density with this slope along the law's numbers."""
        own = law_scores(cloud, cloud.centre, subject_means(cloud, cloud.centre)[0])
        return replace(cloud, tilt=(self.scores(cloud, slice(None)) - own).sum(axis=0))


def one_set(
    heights: Heights, now: Standing, parts: Mixture, seed: int
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, "N F"]]:
    """A set of points of the parts, solved: log-likelihoods and means as `Scored` has them."""
    cloud = solved(heights, now, Counts(SCORED_TOGETHER), seed, by=parts)
    log = logsumexp(cloud.log_weights(now.centre), axis=1) + cloud.taken
    return log, subject_means(cloud, now.centre)[0]


def law_scores(
    cloud: Tilted, at: Float[np.ndarray, " P"], means: Float[np.ndarray, "N F"]
) -> Float[np.ndarray, "N P"]:
    """Scores of means of features along the law's numbers, but for a constant; 0 along others."""
    scores = by_law(cloud, at, means)
    scores[:, cloud.split.others] = 0.0
    return scores


def by_law(
    cloud: Tilted, at: Float[np.ndarray, " P"], means: Float[np.ndarray, "N F"]
) -> Float[np.ndarray, "N P"]:
    """How the law changes each subject's log marginal, its points' means given; all numbers."""
    centre = jnp.asarray(cloud.centre)
    back = jax.vjp(
        lambda z: turned(cloud.split, z, centre, cloud.drift)[0], jnp.asarray(at)
    )[1]  # fmt: skip
    zeros = jnp.zeros(means.shape)
    own = jax.jit(jax.vmap(lambda mean, number: back(zeros.at[number].set(mean))[0]))
    return np.array(own(jnp.asarray(means), jnp.arange(len(means))))
