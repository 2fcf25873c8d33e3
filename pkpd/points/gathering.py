"""Many points about the mode: parts fitted, the population drawn in, then solved; and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from pkpd.points.heights import Heights
from pkpd.points.mixture import Mixture
from pkpd.points.rounds import LATER, closer, drawn_in
from pkpd.points.solving import Counts, in_parts, solved
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted, tilted

SLOPED, SLOPED_OF_MANY = 144, 72
"""Points of each subject that slopes are regressed on; fewer where there are many subjects."""

FITTED, AGAIN = (1024, 2048), (4096,)
"""Points of each subject that parts are fitted to, one set after another; and once more where the
population has come closer, for a point is worth less of a law that has moved."""

TRACED, HELD = ("leans", "drift", "ways"), ("bend", "columns", "arch", "coupled")
"""What is known of solved points beside their heights: JAX's arrays, NumPy's."""

PART = ("share", "mean", "covariance")
"""What a mixture is made of."""


@dataclass(frozen=True)
class Gathered:
    """The points, where the rounds before ended, and the parts that the points come from."""

    cloud: Tilted
    now: Standing
    parts: Mixture

    def told(self) -> dict[str, np.ndarray]:
        """What has been solved, as arrays."""
        found = {n: np.asarray(getattr(self.cloud, n)) for n in ("heights", *TRACED, *HELD)}
        return found | {f"part_{name}": getattr(self.parts, name) for name in PART}


def gathered(
    heights: Heights, now: Standing, count: int, seed: int, heard: Callable[[float], None]
) -> Gathered:
    """`count` points of each subject's parts, and some of the law beside them."""
    now, _ = drawn_in(heights, now, LATER, seed + 1000)
    parts = in_parts(heights, now, FITTED, seed + 3000)
    heard(0.2)
    now = closer(heights, now, parts, seed + 2000)
    heard(0.4)
    parts = in_parts(heights, now, AGAIN, seed + 4000, parts)
    heard(0.6)
    counts = Counts(count, SLOPED_OF_MANY if now.of_many else SLOPED)
    cloud = solved(heights, now, counts, seed, by=parts, exact=True)
    return Gathered(cloud, now, parts)


def remembered_points(
    heights: Heights, now: Standing, known: Mapping[str, np.ndarray], count: int, seed: int
) -> Gathered:
    """The same from what was told of it: points are drawn once more, not solved."""
    parts = Mixture(*(known[f"part_{name}"] for name in PART))
    drawn = parts.points(heights.split.law(jnp.asarray(now.centre)), count, seed)
    cloud = tilted(heights.split, now.centre, drawn, known["heights"])
    traced = {name: jnp.asarray(known[name]) for name in TRACED}
    return Gathered(replace(cloud, **traced, **{n: known[n] for n in HELD}), now, parts)
