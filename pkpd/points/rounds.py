"""Rounds of points towards the mode of the marginal posterior, each subject's proposal with them.

First the population stays where it begins while subjects find their places; then each round moves
it to the mode of the density that its points make, within a box, until it stays. A round solves 72
points a subject, and needs no derivative of the equations but along the few numbers that do not
vary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from pkpd.errors import FitError
from pkpd.individual.start import LOST
from pkpd.points.carried import Carried, drifting, spread_of
from pkpd.points.curvature import LOWEST, PICKED, bent, beyond, from_slopes
from pkpd.points.heights import Heights
from pkpd.points.mixture import Mixture, mixture
from pkpd.points.picked import picked
from pkpd.points.proposal import Proposal, effective, normalised, of_law
from pkpd.points.split import standardised
from pkpd.points.tilted import Tilted, leaning, tilted

BOX = 0.5
"""How far a round moves a number of the population, in its prior's SDs."""

MOST = 40
"""Rounds at most."""

STAYS = 2.0
"""A round that moves no number by more, in its own posterior SDs, is the last: few points do not
tell more closely where the mode is."""

SETTLED, HELD = 0.8, 7
"""The population moves once so large a share of subjects' weights is believed whole, or after so
many rounds: at the prior medians some subjects may never be well described."""

BELIEVED, HALVINGS = 0.6, 4
"""Mean power at which weights must be believed where the population moves to; a way that leads
beyond is halved, so often at most."""

REACH, NEWTON, NEAR = 10.0, 12, 0.05
"""Length of a step of the search in SDs, steps at most, and when one is too short to take."""

STEPS = (0.01, 0.1)
"""Least and greatest step of differences along a number of the population."""


@dataclass(frozen=True)
class Counts:
    """Points about each subject's mean that are solved, and how many of all with slopes."""

    heights: int
    slopes: int = 0


FIRST = Counts(64, 72)
"""In a round of the search; all have slopes, for the mean slope of few is no guide."""

LATER = Counts(256, 144)
"""In the rounds that look closer."""

CLOSE, CLOSER = 1.0, 3
"""Of these rounds one that moves no number by more, in its own posterior SDs, is the last; and how
many at most. What the density's expansion errs by grows with the way from the centre to the mode.
"""


APART = 0.05
"""Variance of slopes over a subject's points, summed over subjects and times the number's own
posterior variance, from which on points drift with that number."""

ENDS = 3.5
"""How far in SDs third and fourth order are looked for."""

DRIFTS = 4
"""How often the drift of points is looked for, each time from the best that was found before."""


@dataclass(frozen=True)
class Standing:
    """Where the rounds are: the population, its covariance, the subjects' proposals.

    `done` rounds; whether the population is `free` to move, and whether it has `settled`.
    """

    centre: Float[np.ndarray, " P"]
    spread: Float[np.ndarray, "P P"]
    proposal: Proposal
    done: int = 0
    free: bool = False
    settled: bool = False

    @property
    def sd(self) -> Float[np.ndarray, " P"]:
        """The population's SDs."""
        return np.sqrt(np.diag(self.spread))


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
    return _moved(now, cloud, STAYS)


def closer(heights: Heights, now: Standing, seed: int) -> Standing:
    """Rounds of more points with exact curvatures, until one hardly moves the population."""
    for again in range(CLOSER):
        now, _ = drawn_in(heights, now, LATER, seed + 2 * again)
        cloud = solved(heights, now, LATER, seed + 2 * again + 1, exact=True)
        now = _moved(now, cloud, CLOSE)
        if now.settled:
            break
    return now


def _moved(now: Standing, cloud: Tilted, stays: float) -> Standing:
    """The population at the mode of what its points make, as far as weights are believed there."""
    way = highest(cloud, now.centre, BOX) - now.centre
    for share in 0.5 ** np.arange(HALVINGS):
        centre = now.centre + share * way
        moved, power = now.proposal.moved(cloud.placed(centre), cloud.log_weights(centre))
        if power.mean() >= BELIEVED:
            break
    spread = covariance(cloud, centre)
    away = np.abs(centre - now.centre) / np.sqrt(np.diag(spread))
    stay = away.max(initial=0.0) <= stays
    return Standing(centre, spread, moved, now.done + 1, True, bool(stay and share == 1))


def drawn_in(
    heights: Heights, now: Standing, counts: Counts, seed: int
) -> tuple[Standing, Float[np.ndarray, " N"]]:
    """Proposals moved, the population held; and to which power weights were believed."""
    cloud = solved(heights, now, replace(counts, slopes=0), seed)
    moved, power = now.proposal.moved(cloud.points, cloud.log_weights(now.centre))
    return replace(now, proposal=moved), power


def in_parts(heights: Heights, now: Standing, counts: Counts, seed: int) -> Mixture:
    """Parts of each subject's proposal, fitted to its points and to those of the parts at first."""

    def fitted(again: int, by: Mixture | None) -> Mixture:
        cloud = solved(heights, now, replace(counts, slopes=0), seed + again, by=by)
        return mixture(now.proposal, cloud.points, cloud.log_weights(now.centre))

    return fitted(1, fitted(0, None))


def solved(
    heights: Heights, now: Standing, counts: Counts, seed: int,
    *, by: Mixture | None = None, exact: bool = False,
) -> Tilted:  # fmt: skip
    """Points drawn (`by` several parts) and solved; `exact` has curvatures by differences."""
    split, law = heights.split, heights.split.law(jnp.asarray(now.centre))
    drawn = (by or now.proposal).points(law, counts.heights, seed)
    z = np.moveaxis(standardised(drawn[0], law), 0, -1)
    found = heights.at(now.centre, z).T
    if not np.isfinite(found).any():
        raise FitError(LOST)
    cloud = tilted(split, now.centre, drawn, found)
    if not counts.slopes or not len(split.others):
        return cloud
    log_weights = cloud.log_weights(now.centre)
    some = np.sort(np.random.default_rng(seed).choice(len(z), counts.slopes, replace=False))
    steps, near = np.clip(now.sd, *STEPS), standardised(drawn[0][:, some], law)
    held = Carried(heights, now.centre, np.asarray(cloud.drift))
    first, second = (np.moveaxis(part, -1, 0) for part in heights.sloped(now.centre, z[some]))
    inside = differences(held, z[some], found.T[some], steps)[0]
    if exact:
        few = some[::2]
        carry = carried_by(inside, log_weights[:, some], now.sd[split.equations])
        held = _drifted(held, z[few], found.T[few], log_weights[:, few], steps, carry)
        inside[..., carry] = 0.0
        each = differences(held, z, found.T, steps, carry)
        each = np.concatenate([part[..., carry] for part in each], axis=-1)
        cloud = replace(
            cloud,
            drift=jnp.einsum("ef,nfq->neq", law[1], held.drift),
            columns=np.flatnonzero(carry),
            ways=jnp.asarray(np.swapaxes(each, 1, 2), jnp.float32),
        )
    slopes = np.concatenate([inside, first], axis=-1)
    bows = np.concatenate([0 * inside, second * exact], axis=-1)
    leans = leaning(near, np.concatenate([slopes, bows], axis=-1), log_weights[:, some])
    cloud = replace(cloud, leans=jnp.asarray(leans))
    if not exact:
        return replace(cloud, bend=from_slopes(slopes, normalised(log_weights[:, some])))
    weights = normalised(log_weights)
    chance = np.random.default_rng(seed).random((PICKED, len(weights)))
    chosen = [np.asarray(picked(jnp.asarray(weights), jnp.asarray(own))) for own in chance]
    some = np.stack([z[row, :, np.arange(len(weights))].T for row in chosen])
    inner, ends = steps[split.equations], np.maximum(ENDS * now.sd, 2 * steps)[split.equations]
    arch = beyond(held, some, inner, ends, carry)
    return replace(cloud, bend=bent(held, now.centre, some, steps, carry), arch=arch)


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
    ways: Carried, z: Float[np.ndarray, "K E N"], here: Float[np.ndarray, "K N"],
    log_weights: Float[np.ndarray, "N K"], steps: np.ndarray, carry: Bool[np.ndarray, " q"],
) -> Carried:  # fmt: skip
    """The same with the drift of each subject's posterior mean, as far as scores then vary less.

    Along the numbers in `carry` alone.
    """
    near = np.moveaxis(z, -1, 0)
    spread, weights = spread_of(near, log_weights), normalised(log_weights)[..., None]

    def scored(drift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = differences(replace(ways, drift=drift), z, here, steps, carry)[0]
        scores = slopes - near @ drift
        away = scores - (weights * scores).sum(axis=1, keepdims=True)
        return scores, (weights * away**2).sum(axis=1)

    drift = ways.drift
    scores, vary = scored(drift)
    share = np.ones_like(vary)
    for _ in range(DRIFTS if carry.any() else 0):
        more = share[:, None] * drifting(near, scores, log_weights, spread)
        found, less = scored(drift + more)
        better = less < vary
        drift = np.where(better[:, None], drift + more, drift)
        scores, vary = np.where(better[:, None], found, scores), np.where(better, less, vary)
        share = np.where(better, 1.0, share / 3)
    return replace(ways, drift=drift)


def differences(
    ways: Carried, z: Float[np.ndarray, "K E N"], here: Float[np.ndarray, "K N"],
    steps: np.ndarray, which: Bool[np.ndarray, " q"] | None = None,
) -> tuple[Float[np.ndarray, "N K q"], Float[np.ndarray, "N K q"]]:  # fmt: skip
    """Slopes and curvatures along numbers of the equations (`which`), of points that go their way.

    A point whose log-likelihood falls by more than `LOWEST` counts as if it fell by that.
    """
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
