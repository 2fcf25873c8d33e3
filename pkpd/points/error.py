"""How far the number of points leaves the population's posterior uncertain, in its own SDs.

The posterior's covariance turns what halves of the points say of its slope (`points.halves`) into
distances of its mean.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from jaxtyping import Float

from pkpd.points.halves import halves_of, scores_of
from pkpd.points.scored import Scored
from pkpd.points.tilted import Tilted


def quadrature_error(
    cloud: Tilted, at: Float[np.ndarray, " P"], covariance: Float[np.ndarray, "P P"],
    scored: Scored | None = None,
) -> Float[np.ndarray, " P"]:  # fmt: skip
    """Root mean square error of each number's posterior mean, in posterior SDs.

    Of a density tilted by `scored`, a share of what mean features tell at `scored.at` is theirs.
    """
    found = halves_of(cloud, partial(scores_of, at=at))
    if scored:
        share = scored.share(cloud)
        found += halves_of(cloud, scored.own).times(-share)
        found = found.beside(scored.apart(cloud).times(share))
    variance = covariance @ found.apart.T @ found.apart @ covariance
    off = covariance @ found.bias
    return np.sqrt((np.diag(variance) + off**2) / np.diag(covariance))
