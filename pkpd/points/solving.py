"""Points of every subject solved about a population, and the density that they make.

Roughly, for the search: slopes of few points, curvatures by Fisher's identity. Or exactly: along
numbers of the equations points drift, and have slopes and curvatures of their own, all by
differences of heights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from pkpd.errors import FitError
from pkpd.individual.start import LOST
from pkpd.points.carried import Carried, drifting, spread_of
from pkpd.points.curvature import LOWEST, PICKED, PICKED_OF_MANY, bent, beyond, coupled, from_slopes
from pkpd.points.features import LEAST
from pkpd.points.heights import Heights
from pkpd.points.leaning import leaning, leaning_of_many
from pkpd.points.mixture import Mixture, mixture
from pkpd.points.picked import picked
from pkpd.points.proposal import normalised
from pkpd.points.split import standardised
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted, tilted

STEPS = (0.01, 0.1)
"""Least and greatest step of differences along a number of the population."""

APART = 0.05
"""Variance of slopes over a subject's points, summed over subjects and times the number's own
posterior variance, from which on points drift with that number."""

ENDS = 3.5
"""How far in SDs third and fourth order are looked for."""

FAR = 2.0
"""And how far off it is seen what outcomes' numbers do there."""

DRIFTS, ONCE_MORE = 4, 2
"""How often the drift of points is looked for, each time from the best that was found before; and
how often where a round before has found it."""


@dataclass(frozen=True)
class Counts:
    """Points about each subject's mean that are solved, and how many along the equations, too."""

    heights: int
    slopes: int = 0


@dataclass(frozen=True)
class Points:
    """Points in the cube's order, standardised, with log-likelihoods and log-weights."""

    z: Float[np.ndarray, "K E N"]
    found: Float[np.ndarray, "K N"]
    log_weights: Float[np.ndarray, "N K"]

    def only(self, some: Int[np.ndarray, " k"]) -> Points:
        """Some of them."""
        return Points(self.z[some], self.found[some], self.log_weights[:, some])

    @property
    def near(self) -> Float[np.ndarray, "N K E"]:
        """Where they are, by subject."""
        return np.moveaxis(self.z, -1, 0)


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
    points, rng = Points(z, found, cloud.log_weights(now.centre)), np.random.default_rng(seed)
    some = points.only(np.sort(rng.choice(len(z), counts.slopes, replace=False)))
    if not exact:
        return _rough(heights, now, cloud, some)
    held = _held(heights, now)
    inside = differences(held, some, step_of(now.sd))[0]
    carry = carried_by(inside, some.log_weights, now.sd[heights.split.equations])
    carry |= (held.drift != 0).any(axis=(0, 1))
    looks = DRIFTS if now.drift is None else ONCE_MORE
    held = _drifted(held, some, inside, step_of(now.sd), carry, looks)
    inside = np.concatenate(
        [np.where(carry, 0.0, inside), _crossed(held, some, step_of(now.sd), carry)], axis=-1
    )
    leant = _with_leans(cloud, points, outside, leaning(some.near, inside, some.log_weights))
    return _with_ways(leant, held, points, now, carry)


def _rough(heights: Heights, now: Standing, cloud: Tilted, some: Points) -> Tilted:
    """The density with slopes and curvatures of `some` points that stay where they are."""
    held = _held(heights, replace(now, drift=None))
    inside = differences(held, some, step_of(now.sd))[0]
    first = np.moveaxis(heights.sloped(now.centre, some.z)[0], -1, 0)
    slopes = np.concatenate([inside, first], axis=-1)
    leans = leaning(
        some.near, np.concatenate([slopes, 0 * slopes], axis=-1), some.log_weights
    )  # fmt: skip
    bend = from_slopes(slopes, normalised(some.log_weights))
    return replace(cloud, leans=jnp.asarray(leans), bend=bend)


def _held(heights: Heights, now: Standing) -> Carried:
    """Points that go as a round before has found, if one has."""
    drift = np.zeros((*now.proposal.mean.shape, len(heights.split.equations)))
    if now.drift is not None:
        mix = np.asarray(heights.split.law(jnp.asarray(now.centre))[1])
        drift = np.linalg.solve(mix, now.drift)
    return Carried(heights, now.centre, drift)


def _with_leans(
    cloud: Tilted, points: Points, outside: Sequence[Float[np.ndarray, "K o N"]],
    inside: Float[np.ndarray, "N F1 q+ao"],
) -> Tilted:  # fmt: skip
    """Slopes and curvatures as functions of the effects: `inside`, and those of all points."""
    first, second = (np.moveaxis(part, -1, 0) for part in outside)
    size, bend = len(cloud.split.equations), np.array(cloud.bend)
    near = np.where(np.asarray(cloud.base) > -LEAST, points.log_weights, -1e30)
    leans, bend[size:, size:] = leaning_of_many(points.near, first, second, near)
    own, both = inside[..., :size], inside[..., size:]
    first, second = np.split(leans, 2, axis=-1)
    each = np.concatenate([own, first, 0 * own, second, both], axis=-1)
    return replace(cloud, leans=jnp.asarray(each), bend=bend)


def _crossed(
    held: Carried, some: Points, steps: Float[np.ndarray, " P"], carry: Bool[np.ndarray, " q"]
) -> Float[np.ndarray, "N K ao"]:
    """Derivatives along each number in `carry` and each of the outcomes."""
    found = [np.zeros((*some.log_weights.shape, 0))]
    for place in held.split.equations[carry]:
        step = np.zeros(len(held.centre))
        step[place] = steps[place]
        up, down = (held.sloped(held.centre + sign * step, some.z)[0] for sign in (1, -1))
        found.append(np.moveaxis(up - down, -1, 0) / (2 * steps[place]))
    return np.concatenate(found, axis=-1)


def _with_ways(
    cloud: Tilted, held: Carried, points: Points, now: Standing,
    carry: Bool[np.ndarray, " q"],
) -> Tilted:  # fmt: skip
    """Each point's own slopes and curvatures, mean curvatures of the rest, and higher order."""
    sd, steps = now.sd, step_of(now.sd)
    pair = differences(held, points, steps, carry)
    ways = np.swapaxes(np.concatenate([part[..., carry] for part in pair], axis=-1), 1, 2)
    mix = np.asarray(cloud.split.law(jnp.asarray(held.centre))[1])
    some = _by_weight(points, PICKED_OF_MANY if now.of_many else PICKED)
    inner, far, ends = (
        np.maximum(times * sd, least * steps)[cloud.split.equations]
        for times, least in ((0.0, 1), (FAR, 1), (ENDS, 2))
    )
    return replace(
        cloud,
        drift=jnp.asarray(mix @ held.drift),
        columns=np.flatnonzero(carry),
        ways=jnp.asarray(ways, jnp.float32),
        bend=cloud.bend + bent(held, some, steps, carry),
        arch=beyond(held, some, inner, ends, carry),
        coupled=coupled(held, some, steps, far, carry),
    )


def _by_weight(points: Points, count: int) -> Float[np.ndarray, "k E N"]:
    """So many points of each subject, picked by their weights."""
    weights = normalised(points.log_weights)
    chance = np.random.default_rng(len(points.z)).random((count, len(weights)))
    each = jax.vmap(picked)
    chosen = [np.asarray(each(jnp.asarray(weights), jnp.asarray(own))) for own in chance]
    return np.stack([points.z[row, :, np.arange(len(weights))].T for row in chosen])


def in_parts(
    heights: Heights, now: Standing, counts: Sequence[int], seed: int, parts: Mixture | None = None
) -> Mixture:
    """Parts of each subject's proposal, fitted to its points, then to so many of the parts."""
    for again, count in enumerate(counts):
        cloud = solved(heights, now, Counts(count), seed + again, by=parts)
        parts = mixture(now.proposal, cloud.points, cloud.log_weights(now.centre), parts)
    assert parts
    return parts


def carried_by(
    slopes: Float[np.ndarray, "N K q"],
    log_weights: Float[np.ndarray, "N K"],
    sd: Float[np.ndarray, " q"],
) -> Bool[np.ndarray, " q"]:
    """Along which numbers points are to go: where slopes differ between a subject's points."""
    weights = normalised(log_weights)[..., None]
    away = slopes - (weights * slopes).sum(axis=1, keepdims=True)
    return (weights * away**2).sum(axis=(0, 1)) * sd**2 > APART


def _drifted(
    ways: Carried, some: Points, slopes: Float[np.ndarray, "N K q"], steps: Float[np.ndarray, " P"],
    carry: Bool[np.ndarray, " q"], looks: int,
) -> Carried:  # fmt: skip
    """The same with the drift of each subject's posterior mean, as far as scores then vary less.

    Along the numbers in `carry` alone, by every other point; `slopes` are those with their drift.
    """
    few = some.only(np.arange(0, len(some.z), 2))
    near, weights = few.near, normalised(few.log_weights)[..., None]
    spread = spread_of(near, few.log_weights)

    def scored(slopes: np.ndarray, drift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = slopes - near @ drift
        away = scores - (weights * scores).sum(axis=1, keepdims=True)
        return scores, (weights * away**2).sum(axis=1)

    drift = ways.drift
    scores, vary = scored(np.where(carry, slopes[:, ::2], 0.0), drift)
    share = np.ones_like(vary)
    for _ in range(looks if carry.any() else 0):
        more = drift + share[:, None] * drifting(near, scores, few.log_weights, spread)
        found, less = scored(differences(replace(ways, drift=more), few, steps, carry)[0], more)
        better = less < vary
        drift = np.where(better[:, None], more, drift)
        scores, vary = np.where(better[:, None], found, scores), np.where(better, less, vary)
        share = np.where(better, 1.0, share / 3)
    return replace(ways, drift=drift)


def step_of(sd: Float[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
    """Steps of differences along each number of the population."""
    return np.clip(sd, *STEPS)


def differences(
    ways: Carried, points: Points, steps: Float[np.ndarray, " P"],
    which: Bool[np.ndarray, " q"] | None = None,
) -> tuple[Float[np.ndarray, "N K q"], Float[np.ndarray, "N K q"]]:  # fmt: skip
    """Slopes and curvatures along numbers of the equations (`which`), of points that go their way.

    A point whose log-likelihood falls by more than `LOWEST` counts as if it fell by that.
    """
    z, here = points.z, points.found
    size = z.shape[-1], len(z), len(ways.split.equations)
    slopes, bows = np.zeros(size), np.zeros(size)
    start = np.where(np.isfinite(here), here, 0.0)
    for column, place in enumerate(ways.split.equations):
        if which is not None and not which[column]:
            continue
        step = np.zeros(len(ways.centre))
        step[place] = steps[place]
        ends = [ways.at(ways.centre + sign * step, z) - start for sign in (1, -1)]
        up, down = (np.where(np.isfinite(here), np.maximum(end, -LOWEST), 0.0).T for end in ends)
        slopes[..., column] = (up - down) / (2 * steps[place])
        bows[..., column] = (up + down) / steps[place] ** 2
    return slopes, bows
