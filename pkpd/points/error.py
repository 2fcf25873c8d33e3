"""How far the number of points leaves the population's posterior uncertain, in its own SDs.

Each half of a subject's points is a set of its own, and subjects' sets are independent. So the
halves' difference in each subject's score gives the variance of the score of all points, and what
the halves' mean is off the whole gives its bias (a logarithm of a mean is below that of the
expectation). The posterior's covariance turns both into distances of its mean.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.points.proposal import LAW_SHARE
from pkpd.points.scored import Scored, by_law
from pkpd.points.tilted import Tilted, along_ways, powers, subject_means


def quadrature_error(
    cloud: Tilted, at: Float[np.ndarray, " P"], covariance: Float[np.ndarray, "P P"],
    scored: Scored | None = None,
) -> Float[np.ndarray, " P"]:  # fmt: skip
    """Root mean square error of each number's posterior mean, in posterior SDs.

    Of a density tilted by `scored`, its own points' part at the centre is gone, along the law.
    """
    apart, bias = _halves(cloud, at)
    if scored:
        law = np.setdiff1d(np.arange(len(at)), cloud.split.others)
        parts = zip(_halves(cloud, cloud.centre), scored.apart(cloud), strict=True)
        for found, (own, more) in zip((apart, bias), parts, strict=True):
            found[..., law] += (more - own)[..., law]
    variance = covariance @ apart.T @ apart @ covariance
    off = covariance @ bias
    return np.sqrt((np.diag(variance) + off**2) / np.diag(covariance))


def _halves(
    cloud: Tilted, at: Float[np.ndarray, " P"]
) -> tuple[Float[np.ndarray, "N P"], Float[np.ndarray, " P"]]:
    """Half of what the halves' scores differ by, and how far their mean is off the whole."""
    count = cloud.points.shape[1]
    own = count * LAW_SHARE // (LAW_SHARE + 1)
    places = np.arange(count)
    first = (places < own // 2) | ((places >= own) & (places < own + (count - own) // 2))
    whole, one, two = (_scores(cloud, at, part) for part in (places >= 0, first, ~first))
    return (one - two) / 2, ((one + two) / 2 - whole).sum(axis=0)


def _scores(
    cloud: Tilted, at: Float[np.ndarray, " P"], chosen: np.ndarray
) -> Float[np.ndarray, "N P"]:
    """Each subject's score, but for a constant, from some of its points."""
    part = replace(
        cloud, z=cloud.z[:, :, chosen], base=cloud.base[:, chosen], ways=cloud.ways[:, :, chosen]
    )
    means, ways = subject_means(part, at)
    scores, others = by_law(cloud, at, means), cloud.split.others
    drawn = np.einsum("nf,nfd->nd", means, np.asarray(cloud.leans)[:, 1:])
    away = jnp.asarray(at - cloud.centre)[others]
    scores[:, others] += drawn @ np.asarray(jax.jacobian(powers)(away))
    by_ways = jax.jacobian(lambda away: along_ways(away, jnp.asarray(cloud.columns)))(away)
    scores[:, others] += ways @ np.asarray(by_ways)
    return scores
