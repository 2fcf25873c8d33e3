"""The density's slope at the centre, from many more points than the density itself keeps.

What few points leave uncertain is above all each subject's mean features: all of the slope along
the law's numbers, and along those that stand in the likelihood what slopes are regressed to. Mean
features are told by heights at the centre alone, without slopes or curvatures of the equations. So
points are solved, counted and forgotten, one set after another; the density is then tilted by what
this part of its own points' slope differs by, each number's as far as these tell it better. What a
regression leaves of slopes, and the density's curvature, are of its own points.

A few subjects, whose law the parts describe badly, make most of what sets differ by: on
`ascend_simulated` one of 2,600 half of it. Of many subjects these have more sets (`neediest`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp, softmax

from pkpd.points.features import kept
from pkpd.points.halves import Halves, by_law, halves_of, jackknife
from pkpd.points.heights import Heights
from pkpd.points.leaning import leaning_of_many
from pkpd.points.mixture import Mixture
from pkpd.points.solving import Counts, solved
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted, subject_means
from pkpd.settings_individual import SCORED_TOGETHER

Set = tuple[Float[np.ndarray, " N"], Float[np.ndarray, "N F"]]


@dataclass(frozen=True)
class Scored:
    """Of each set each subject's log-likelihood, marginal, and its features' weighted means.

    Minus infinity and 0 of subjects that a set has no points of. `slopes` along what stands in the
    likelihood are regressed on the features.
    """

    log: Float[np.ndarray, "J N"]
    means: Float[np.ndarray, "J N F"]
    slopes: Float[np.ndarray, "N F d"]

    @classmethod
    def of(cls, cloud: Tilted, sets: Sequence[Set]) -> Scored:
        """Sets of points beside the density's own."""
        log, means = (np.stack(part) for part in zip(*sets, strict=True))
        return cls(log, means, slopes_of(cloud))

    def scores(self, cloud: Tilted) -> Float[np.ndarray, "N P"]:
        """The part of each subject's score at the centre that mean features tell."""
        share = softmax(self.log, axis=0)[..., None]
        return self._told(cloud, (share * self.means).sum(axis=0))

    def own(self, cloud: Tilted) -> Float[np.ndarray, "N P"]:
        """The same by the density's own points."""
        return self._told(cloud, subject_means(cloud, cloud.centre)[0])

    def apart(self, cloud: Tilted) -> Halves:
        """What the sets differ by."""
        each = np.stack([self._told(cloud, means) for means in self.means])
        return jackknife(each, softmax(self.log, axis=0))

    def neediest(
        self, cloud: Tilted, spread: Float[np.ndarray, "P P"], count: int
    ) -> Int[np.ndarray, " n"]:
        """So many subjects whose sets leave posterior means most uncertain, in order."""
        apart = self.apart(cloud).apart.reshape(*self.log.shape, -1)
        off = (apart @ spread / np.sqrt(np.diag(spread))) ** 2
        return np.sort(np.argsort(-off.sum(axis=0).max(axis=1))[:count])

    def share(self, cloud: Tilted) -> Float[np.ndarray, " P"]:
        """How far each slope is to be these points', by both variances."""
        own, these = (each.variance for each in (halves_of(cloud, self.own), self.apart(cloud)))
        return own / np.maximum(own + these, 1e-300)

    def tilting(self, cloud: Tilted) -> Tilted:
        """The density with the slope that its own points and these tell together."""
        off = (self.scores(cloud) - self.own(cloud)).sum(axis=0)
        return replace(cloud, tilt=self.share(cloud) * off)

    def _told(self, cloud: Tilted, means: Float[np.ndarray, "N F"]) -> Float[np.ndarray, "N P"]:
        scores = by_law(cloud, cloud.centre, means)
        scores[:, cloud.split.others] += np.einsum("nf,nfd->nd", means, self.slopes)
        return scores


def slopes_of(cloud: Tilted) -> Float[np.ndarray, "N F d"]:
    """How slopes go with the features: the density's own regression, and one of points' ways."""
    slopes = np.array(cloud.leans[:, 1:, : len(cloud.split.others)])
    if len(cloud.columns):
        weights = np.asarray(kept(cloud.base, jnp.asarray(cloud.log_weights(cloud.centre))))
        z, ways = (np.swapaxes(np.asarray(part, float), 1, 2) for part in (cloud.z, cloud.ways))
        first, none = ways[..., : len(cloud.columns)], ways[..., :0]
        slopes[..., cloud.columns] = leaning_of_many(z, first, none, weights)[0][:, 1:]
    return slopes


def one_set(heights: Heights, now: Standing, parts: Mixture, seed: int) -> Set:
    """A set of points of the parts, solved: log-likelihoods and means as `Scored` has them."""
    cloud = solved(heights, now, Counts(SCORED_TOGETHER), seed, by=parts)
    log = logsumexp(cloud.log_weights(now.centre), axis=1) + cloud.taken
    return log, subject_means(cloud, now.centre)[0]


def of_some(found: Set, places: Int[np.ndarray, " n"], count: int) -> Set:
    """A set of some subjects' points as one of all."""
    log, means = np.full(count, -np.inf), np.zeros((count, found[1].shape[1]))
    log[places], means[places] = found
    return log, means
