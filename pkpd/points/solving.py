"""Points of every subject solved about a population, and the density that they make.

Roughly, for the search: slopes of few points, curvatures by Fisher's identity. Or exactly
(`points.expanded`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from pkpd.errors import FitError
from pkpd.individual.start import LOST
from pkpd.points.carried import carried
from pkpd.points.curvature import from_slopes
from pkpd.points.differences import Points, differences, step_of
from pkpd.points.expanded import expanded
from pkpd.points.heights import Heights
from pkpd.points.leaning import leaning
from pkpd.points.mixture import Mixture, mixture
from pkpd.points.proposal import normalised
from pkpd.points.split import standardised
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted, tilted


@dataclass(frozen=True)
class Counts:
    """Points about each subject's mean that are solved, and how many along the equations, too.

    `coupled`: how many tell what outcomes' numbers do far along those of the equations.
    """

    heights: int
    slopes: int = 0
    coupled: int = 4


def solved(
    heights: Heights, now: Standing, counts: Counts, seed: int,
    *, by: Mixture | None = None, exact: bool = False,
) -> Tilted:  # fmt: skip
    """Points drawn (`by` several parts) and solved; `exact` has curvatures by differences."""
    law = heights.split.law(jnp.asarray(now.centre))
    drawn = (by or now.proposal).points(law, counts.heights, seed)
    z = np.moveaxis(standardised(drawn[0], law), 0, -1)
    found, *outside = heights.whole(now.centre, z) if exact else (heights.at(now.centre, z),)
    if not np.isfinite(found).any():
        raise FitError(LOST)
    cloud = tilted(heights.split, now.centre, drawn, found.T)
    if not counts.slopes or not len(heights.split.others):
        return cloud
    points = Points(z, found, cloud.log_weights(now.centre), tuple(outside))
    rng = np.random.default_rng(seed)
    some = points.only(np.sort(rng.choice(len(z), counts.slopes, replace=False)))
    if not exact:
        return _rough(heights, now, cloud, some)
    return expanded(cloud, carried(heights, now), points, some, counts.coupled, now)


def _rough(heights: Heights, now: Standing, cloud: Tilted, some: Points) -> Tilted:
    """The density with slopes and curvatures of `some` points that stay where they are."""
    held = carried(heights, replace(now, drift=None))
    inside = differences(held, some, step_of(now.sd))[0]
    first = np.moveaxis(heights.sloped(now.centre, some.z)[0], -1, 0)
    slopes = np.concatenate([inside, first], axis=-1)
    leans = leaning(
        some.near, np.concatenate([slopes, 0 * slopes], axis=-1), some.log_weights
    )  # fmt: skip
    bend = from_slopes(slopes, normalised(some.log_weights))
    return replace(cloud, leans=jnp.asarray(leans), bend=bend)


def in_parts(
    heights: Heights, now: Standing, counts: Sequence[int], seed: int, parts: Mixture | None = None
) -> Mixture:
    """Parts of each subject's proposal, fitted to its points, then to so many of the parts."""
    for again, count in enumerate(counts):
        cloud = solved(heights, now, Counts(count), seed + again, by=parts)
        parts = mixture(now.proposal, cloud.points, cloud.log_weights(now.centre), parts)
    assert parts
    return parts
