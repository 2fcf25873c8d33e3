"""The density's slope at its mode, from many more points than the density itself keeps.

What few points leave uncertain is above all each subject's mean features: all of the slope along
the law's numbers, and along those that stand in the likelihood what slopes are regressed to. Mean
features at a population are told by heights there alone, without slopes or curvatures of the
equations. So points are solved, counted and forgotten, one set after another; the density is then
tilted by what this part of its own points' slope differs by, each number's as far as these tell it
better. What a regression leaves of slopes, and the density's curvature, are of its own points.

That population is the mode of the density before, not the centre that its points were solved at:
the slope at the mode is what moves posterior means, and own points of the one say only in part what
they are off at the other. On `ascend_simulated` the two lay 0.6 posterior SDs apart.

A few subjects, whose law the parts describe badly, make most of what sets differ by: on
`ascend_simulated` one of 2,600 half of it. Of many subjects these have more sets (`neediest`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from pkpd.errors import FitError
from pkpd.individual.start import LOST
from pkpd.points.features import kept, weighed
from pkpd.points.halves import Halves, by_law, halves_of, jackknife, turning
from pkpd.points.heights import Heights
from pkpd.points.leaning import leaning_of_many
from pkpd.points.mixture import Mixture
from pkpd.points.split import standardised
from pkpd.points.tilted import Tilted, subject_means, tilted
from pkpd.settings_individual import SCORED_TOGETHER

Set = tuple[Float[np.ndarray, " N"], Float[np.ndarray, "N F"]]


@dataclass(frozen=True)
class Asked:
    """The population that scores are told at; where points come from, and how they drift there."""

    at: Float[np.ndarray, " P"]
    centre: Float[np.ndarray, " P"]
    drift: Float[np.ndarray, "N E q"]
    parts: Mixture

    def only(self, places: Int[np.ndarray, " n"]) -> Asked:
        """The same of some subjects."""
        return replace(self, drift=self.drift[places], parts=self.parts.only(places))


@dataclass(frozen=True)
class Scored:
    """Of each set each subject's log-likelihood, marginal, and its features' weighted means.

    All at the population `at`; minus infinity and 0 of subjects that a set has no points of.
    `slopes` along what stands in the likelihood are regressed on the features.
    """

    at: Float[np.ndarray, " P"]
    log: Float[np.ndarray, "J N"]
    means: Float[np.ndarray, "J N F"]
    slopes: Float[np.ndarray, "N F d"]

    @classmethod
    def of(cls, cloud: Tilted, at: Float[np.ndarray, " P"], sets: Sequence[Set]) -> Scored:
        """Sets of points beside the density's own."""
        log, means = (np.stack(part) for part in zip(*sets, strict=True))
        return cls(at, log, means, slopes_of(cloud, at))

    def scores(self, cloud: Tilted) -> Float[np.ndarray, "N P"]:
        """The part of each subject's score that mean features tell."""
        share = softmax(self.log, axis=0)[..., None]
        return self._told(cloud, (share * self.means).sum(axis=0))

    def own(self, cloud: Tilted) -> Float[np.ndarray, "N P"]:
        """The same by the density's own points."""
        return self._told(cloud, subject_means(cloud, self.at)[0])

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
        scores = by_law(cloud, self.at, means)
        scores[:, cloud.split.others] += np.einsum("nf,nfd->nd", means, self.slopes)
        return scores


def slopes_of(cloud: Tilted, at: Float[np.ndarray, " P"]) -> Float[np.ndarray, "N F d"]:
    """How slopes go with the features: the density's own regression, and one of points' ways."""
    by_leans, by_ways = turning(cloud, at)
    slopes = np.asarray(cloud.leans)[:, 1:] @ by_leans
    if len(cloud.columns):
        weights = np.asarray(kept(cloud.base, jnp.asarray(cloud.log_weights(at))))
        z, ways = (np.swapaxes(np.asarray(part, float), 1, 2) for part in (cloud.z, cloud.ways))
        slopes += leaning_of_many(z, ways, ways[..., :0], weights)[0][:, 1:] @ by_ways
    return slopes


def one_set(heights: Heights, asked: Asked, seed: int) -> Set:
    """A set of points of the parts, solved: log-likelihoods and means as `Scored` has them.

    A point is drawn about the centre and solved where it drifts to; its features are those it had.
    """
    split, count = heights.split, SCORED_TOGETHER
    before, law = (split.law(jnp.asarray(each)) for each in (asked.centre, asked.at))
    points, log_q = asked.parts.points(before, count, seed)
    away = asked.drift @ (asked.at - asked.centre)[split.equations]
    there = points + away[:, None]
    found = heights.at(asked.at, np.moveaxis(standardised(there, law), 0, -1))
    if not np.isfinite(found).any():
        raise FitError(LOST)
    cloud = tilted(split, asked.at, (there, log_q), found.T)
    z = jnp.asarray(np.swapaxes(standardised(points, before), 1, 2), jnp.float32)
    log, means = weighed(cloud.base, z)
    return np.asarray(log) + cloud.taken, np.asarray(means)


def of_some(found: Set, places: Int[np.ndarray, " n"], count: int) -> Set:
    """A set of some subjects' points as one of all."""
    log, means = np.full(count, -np.inf), np.zeros((count, found[1].shape[1]))
    log[places], means[places] = found
    return log, means
