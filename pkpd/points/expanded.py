"""The density about the population that points were solved at, all by differences of heights.

Along numbers of the equations points drift, and have slopes and curvatures of their own; how much
the outcomes' numbers do at a point is a function of its effects; what is left is means.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from pkpd.points.carried import Carried, drifting, spread_of
from pkpd.points.curvature import PICKED, PICKED_OF_MANY, bent, beyond, coupled
from pkpd.points.differences import Points, differences, step_of
from pkpd.points.features import kept
from pkpd.points.leaning import leaning, leaning_of_many
from pkpd.points.picked import picked
from pkpd.points.proposal import normalised
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted

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


def expanded(
    cloud: Tilted, held: Carried, points: Points, some: Points, coupling: int, now: Standing
) -> Tilted:
    """The density of solved `points`; `some` of them are solved along the equations, too.

    `coupling` points of each subject tell what outcomes' numbers do far along the equations.
    """
    steps, looks = step_of(now.sd), DRIFTS if now.drift is None else ONCE_MORE
    inside = differences(held, some, steps)[0]
    carry = carried_by(inside, some.log_weights, now.sd[cloud.split.equations])
    carry |= (held.drift != 0).any(axis=(0, 1))
    held = _drifted(held, some, inside, steps, carry, looks)
    both = _crossed(held, some, steps, carry)
    inside = np.concatenate([np.where(carry, 0.0, inside), both], axis=-1)
    leant = _with_leans(cloud, points, leaning(some.near, inside, some.log_weights))
    few, far = _by_weight(points, now), _so_far(cloud, now, FAR, 1)
    whole = _with_ways(leant, held, points, few, now, carry)
    return replace(whole, coupled=coupled(held, few[:coupling], far, carry))


def _with_leans(cloud: Tilted, points: Points, inside: Float[np.ndarray, "N F1 q+ao"]) -> Tilted:
    """Slopes and curvatures as functions of the effects: `inside`, and those of all points."""
    first, second = (np.moveaxis(part, -1, 0) for part in points.outside)
    size, bend = len(cloud.split.equations), np.array(cloud.bend)
    near = np.asarray(kept(cloud.base, jnp.asarray(points.log_weights)))
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
    cloud: Tilted, held: Carried, points: Points, few: Float[np.ndarray, "k E N"], now: Standing,
    carry: Bool[np.ndarray, " q"],
) -> Tilted:  # fmt: skip
    """Each point's own slopes and curvatures, mean curvatures of the rest, and higher order."""
    steps = step_of(now.sd)
    pair = differences(held, points, steps, carry)
    ways = np.swapaxes(np.concatenate([part[..., carry] for part in pair], axis=-1), 1, 2)
    mix = np.asarray(cloud.split.law(jnp.asarray(held.centre))[1])
    inner, ends = (_so_far(cloud, now, *each) for each in ((0.0, 1), (ENDS, 2)))
    return replace(
        cloud,
        drift=jnp.asarray(mix @ held.drift),
        columns=np.flatnonzero(carry),
        ways=jnp.asarray(ways, jnp.float32),
        bend=cloud.bend + bent(held, few, steps, carry),
        arch=beyond(held, few, inner, ends, carry),
    )


def _so_far(cloud: Tilted, now: Standing, times: float, least: int) -> Float[np.ndarray, " q"]:
    """So many SDs along each number of the equations, or at least so many steps."""
    return np.maximum(times * now.sd, least * step_of(now.sd))[cloud.split.equations]


def _by_weight(points: Points, now: Standing) -> Float[np.ndarray, "k E N"]:
    """A few points of each subject, picked by their weights."""
    weights, count = normalised(points.log_weights), PICKED_OF_MANY if now.of_many else PICKED
    chance = np.random.default_rng(len(points.z)).random((count, len(weights)))
    each = jax.vmap(picked)
    chosen = [np.asarray(each(jnp.asarray(weights), jnp.asarray(own))) for own in chance]
    return np.stack([points.z[row, :, np.arange(len(weights))].T for row in chosen])


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
