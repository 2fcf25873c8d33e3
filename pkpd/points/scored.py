"""The density's slope along the law's numbers, from many more points than the density itself keeps.

What few points leave uncertain is above all that slope. It is told by heights at the centre alone:
no slopes or curvatures of the equations. So points are solved, counted and forgotten, one set after
another; the density is then tilted by what its own points' slope differs by, each number's as far
as these tell it better. Its curvature is that of its own points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, softmax

from pkpd.points.halves import Halves, by_law, halves, halves_of
from pkpd.points.heights import Heights
from pkpd.points.mixture import Mixture
from pkpd.points.solving import Counts, solved
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted, subject_means
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

    def halves(self, cloud: Tilted) -> Halves:
        """What two halves of the sets differ by."""
        middle = len(self.log) // 2
        one, two = (self.scores(cloud, slice(*ends)) for ends in ((0, middle), (middle, None)))
        return halves(self.scores(cloud, slice(None)), one, two)

    def share(self, cloud: Tilted) -> Float[np.ndarray, " P"]:
        """How far each slope is to be these points', by both variances; 0 along all but the law."""
        own, these = (
            each.variance for each in (halves_of(cloud, cloud.centre), self.halves(cloud))
        )
        share = own / np.maximum(own + these, 1e-300)
        share[cloud.split.others] = 0.0
        return share

    def tilting(self, cloud: Tilted) -> Tilted:
        """The density with the slope that its own points and these tell together."""
        own = law_scores(cloud, cloud.centre, subject_means(cloud, cloud.centre)[0])
        off = (self.scores(cloud, slice(None)) - own).sum(axis=0)
        return replace(cloud, tilt=self.share(cloud) * off)


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
