"""Rounds of points towards the mode of the marginal posterior, each subject's proposal with them.

First the population stays where it begins while subjects find their places; then each round moves
it to the mode of the density that its points make, within a box, until it stays. A round solves 72
points a subject, and needs no derivative of the equations but along the few numbers that do not
vary.
"""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.points.heights import Heights
from pkpd.points.mixture import Mixture
from pkpd.points.proposal import effective, of_law
from pkpd.points.solving import Counts, solved
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted

BOX = 0.5
"""How far a round moves a number of the population, in its prior's SDs."""

MOST = 40
"""Rounds at most."""

SETTLED, HELD = 0.8, 7
"""The population moves once so large a share of subjects' weights is believed whole, or after so
many rounds: at the prior medians some subjects may never be well described."""

BELIEVED, HALVINGS = 0.6, 4
"""Mean power at which weights must be believed where the population moves to; a way that leads
beyond is halved, so often at most."""

REACH, NEWTON, NEAR = 10.0, 12, 0.05
"""Length of a step of the search in SDs, steps at most, and when one is too short to take."""

FIRST = Counts(64, 72)
"""In a round of the search; all have slopes, for the mean slope of few is no guide, not even where
there are many subjects: with slopes of 24 of them a search of 2,600 had not settled in 7 minutes.
"""

LATER, LATER_OF_MANY = Counts(256, 144), Counts(256, 36, coupled=0)
"""In the rounds that look closer; of many subjects these lead near enough without what outcomes'
numbers do far along the equations, which takes a quarter of such a round."""

CLOSER, TRUST = 3, 3.0
"""So many of these rounds at most; and how far one may move a number in the SDs that were known
before it. What the density's expansion errs by grows with the way, and the curvature of few points
may be false along a number of the equations: a round then went off by hundreds of SDs.
"""


def beginning(
    heights: Heights,
    centre: Float[np.ndarray, " P"],
    spread: Float[np.ndarray, "P P"] | None = None,
) -> Standing:
    """The population at `centre`, every subject's effects drawn from their law there."""
    law = heights.split.law(jnp.asarray(centre))
    return Standing(centre, np.eye(len(centre)) if spread is None else spread, of_law(law))


def round_(heights: Heights, now: Standing, seed: int) -> Standing:
    """One round: points solved, the population moved if it is free, proposals drawn in."""
    if not now.free:
        after, power = drawn_in(heights, now, FIRST, seed + now.done)
        ready = (power == 1).mean() >= SETTLED or now.done + 1 >= HELD
        return replace(after, done=now.done + 1, free=bool(ready))
    cloud = solved(heights, now, FIRST, seed + now.done)
    return _moved(now, cloud)


def closer(heights: Heights, now: Standing, parts: Mixture, seed: int) -> Standing:
    """Rounds of more points with exact curvatures, until one hardly moves the population."""
    for again in range(CLOSER):
        counts = LATER_OF_MANY if now.of_many else LATER
        cloud = solved(heights, now, counts, seed + again, by=parts, exact=True)
        after = _moved(now, cloud, np.minimum(BOX, TRUST * now.sd))
        now = replace(after, drift=np.asarray(cloud.drift))
        if now.settled:
            break
    return now


def _moved(now: Standing, cloud: Tilted, box: float | Float[np.ndarray, " P"] = BOX) -> Standing:
    """The population at the mode of what its points make, as far as weights are believed there."""
    way = highest(cloud, now.centre, box) - now.centre
    for share in 0.5 ** np.arange(HALVINGS):
        centre = now.centre + share * way
        moved, power = now.proposal.moved(cloud.placed(centre), cloud.log_weights(centre))
        if power.mean() >= BELIEVED:
            break
    spread = covariance(cloud, centre)
    away = np.abs(centre - now.centre) / np.sqrt(np.diag(spread))
    far = float(away.max(initial=0.0)) if share == 1 else np.inf
    return Standing(centre, spread, moved, now.done + 1, True, far)


def drawn_in(
    heights: Heights, now: Standing, counts: Counts, seed: int
) -> tuple[Standing, Float[np.ndarray, " N"]]:
    """Proposals moved, the population held; and to which power weights were believed."""
    cloud = solved(heights, now, replace(counts, slopes=0), seed)
    moved, power = now.proposal.moved(cloud.points, cloud.log_weights(now.centre))
    return replace(now, proposal=moved), power


def highest(
    cloud: Tilted, start: Float[np.ndarray, " P"], box: float | Float[np.ndarray, " P"]
) -> Float[np.ndarray, " P"]:
    """The density's mode, by Newton's steps of `REACH` SDs at most, within a box about `start`.

    Not by a search that leaps: far out the density is not to be believed, and may rise there.
    """
    at, (value, slope) = start, cloud.density(start)
    low, high = start - box, start + box
    for _ in range(NEWTON):
        step = covariance(cloud, at) @ slope
        length = np.sqrt(max(slope @ step, 0.0))
        share = min(1.0, REACH / max(length, 1e-12))
        while share * length > NEAR:
            next_ = np.clip(at + share * step, low, high)
            found = cloud.density(next_)
            if found[0] > value + NEAR**2:
                at, (value, slope) = next_, found
                break
            share /= 2
        else:
            break
    return at


def covariance(cloud: Tilted, at: Float[np.ndarray, " P"]) -> Float[np.ndarray, "P P"]:
    """The inverse of minus the density's Hessian, curvatures held above the prior's 0.3."""
    probe = 1e-3 * np.eye(at.size)
    rows = [(cloud.density(at + p)[1] - cloud.density(at - p)[1]) / -2e-3 for p in probe]
    bend = np.array(rows)
    values, vectors = np.linalg.eigh((bend + bend.T) / 2)
    return vectors / np.clip(values, 0.3, 1e9) @ vectors.T


def worth(cloud: Tilted, at: Float[np.ndarray, " P"]) -> Float[np.ndarray, " N"]:
    """Effective points of each subject."""
    return effective(cloud.log_weights(at))
