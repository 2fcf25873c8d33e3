"""The mean curvatures of subjects' log-likelihoods along what stands in them, summed.

Along the numbers of the outcomes from exact slopes, along those of the equations by differences of
heights, at a few points of each subject picked by their weights.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from pkpd.points.carried import Carried

LOWEST = 30.0
"""Fall of a point's log-likelihood from which on it is all the same."""

OVER = 1.2
"""Times the ends that third and fourth order were made at is how far they go."""

PICKED, PICKED_OF_MANY = 8, 3
"""Points of each subject that stand for its own law; and where there are many subjects."""


def bent(
    heights: Carried,
    points: Float[np.ndarray, "K E N"],
    steps: Float[np.ndarray, " P"],
    carry: Bool[np.ndarray, " q"],
) -> Float[np.ndarray, "d d"]:
    """Second derivatives at `points`, a mean over these, by central differences of `steps`.

    0 where curvature goes with the points: of the outcomes' numbers and of those of the equations
    in `carry` by themselves, and of these with those.
    """
    split, centre, size = heights.split, heights.centre, len(heights.centre)
    inside, count = split.equations, len(split.equations)
    found = np.zeros((len(split.others), len(split.others)))
    unit = np.eye(size) * steps

    def mean(values: np.ndarray) -> np.ndarray:
        return np.where(np.isfinite(values), values, 0.0).mean(axis=0).sum(axis=-1)

    def height(away: np.ndarray) -> np.ndarray:
        return heights.at(centre + away, points)

    here = height(np.zeros(size))
    for j, place in enumerate(inside):
        if carry[j]:
            continue
        along, against = (
            heights.sloped(centre + sign * unit[place], points)[0] for sign in (1, -1)
        )
        found[j, count:] = found[count:, j] = mean(along - against) / (2 * steps[place])
    alone = [sum(height(sign * unit[place]) for sign in (1, -1)) - 2 * here for place in inside]
    for (j, one), (k, two) in combinations(enumerate(inside), 2):
        both = sum(height(sign * (unit[one] + unit[two])) for sign in (1, -1)) - 2 * here
        rest = mean(both - alone[j] - alone[k])
        found[j, k] = found[k, j] = rest / (2 * steps[one] * steps[two])
    found[count:, count:] = _of_outcomes(heights, centre, points)[1]
    own = [mean(each) / steps[place] ** 2 for each, place in zip(alone, inside, strict=True)]
    np.fill_diagonal(found, [*np.where(carry, 0.0, own), *np.zeros(len(split.outcomes))])
    return found


def beyond(
    heights: Carried,
    points: Float[np.ndarray, "K E N"],
    steps: Float[np.ndarray, " q"],
    ends: Float[np.ndarray, " q"],
    carry: Bool[np.ndarray, " q"],
) -> Float[np.ndarray, "4 q"]:
    """What slopes and curvatures by `steps` lack of the mean at `ends`, as `higher.arched` has it.

    Along the numbers of the equations in `carry`; 0 along the others.
    """
    found = np.zeros((4, len(steps)))
    here = heights.at(heights.centre, points)
    known = np.isfinite(here)

    def away(place: int, step: float) -> float:
        at = np.array(heights.centre)
        at[place] += step
        fall = np.maximum(heights.at(at, points) - np.where(known, here, 0.0), -LOWEST)
        return float(np.where(known, fall, 0.0).mean(axis=0).sum())

    for k in np.flatnonzero(carry):
        place, h, s = heights.split.equations[k], steps[k], ends[k]
        near, far = ([away(place, sign * each) for sign in (1, -1)] for each in (h, s))
        odd = (far[0] - far[1]) / 2 - (near[0] - near[1]) / 2 * s / h
        even = (far[0] + far[1]) / 2 - (near[0] + near[1]) / 2 * (s / h) ** 2
        cubic, quartic = odd / (s**3 - h**2 * s), even / (s**4 - h**2 * s**2)
        found[:, k] = cubic, quartic, h, OVER * s
    return found


def coupled(
    heights: Carried,
    points: Float[np.ndarray, "K E N"],
    far: Float[np.ndarray, " q"],
    carry: Bool[np.ndarray, " q"],
) -> Float[np.ndarray, "q 2 o1 o1"]:
    """How outcomes' slopes and curvatures go with each number of the equations, and its square.

    As `higher.coupling` has them: means over the points by differences over `far`; 0 along the
    numbers that are not in `carry`, and where there are no points.
    """
    inside, places = heights.split.equations, heights.split.outcomes
    found = np.zeros((len(inside), 2, len(places) + 1, len(places) + 1))

    def of_outcomes(centre: np.ndarray) -> np.ndarray:
        """Slopes, in the first row and column, and curvatures there."""
        whole = np.zeros(found.shape[2:])
        slopes, whole[1:, 1:] = _of_outcomes(heights, centre, points)
        whole[0, 1:] = whole[1:, 0] = slopes
        return whole

    if not len(points) or not len(places) or not carry.any():
        return found
    here = of_outcomes(heights.centre)
    for k in np.flatnonzero(carry):
        step = np.zeros(len(heights.centre))
        step[inside[k]] = far[k]
        up, down = (of_outcomes(heights.centre + sign * step) for sign in (1, -1))
        found[k] = (up - down) / (2 * far[k]), (up + down - 2 * here) / far[k] ** 2
        found[k, 0, 0] = found[k, 0, :, 0] = 0.0  # leans have these
    return found


def _of_outcomes(
    heights: Carried, centre: np.ndarray, points: np.ndarray
) -> tuple[Float[np.ndarray, " o"], Float[np.ndarray, "o o"]]:
    """Mean slopes and curvatures along outcomes' numbers, summed over subjects."""
    slopes, bend = heights.curved(centre, points)
    return slopes.mean(axis=0).sum(axis=-1), bend.mean(axis=0).sum(axis=-1)


def from_slopes(
    slopes: Float[np.ndarray, "N K d"], weights: Float[np.ndarray, "N K"]
) -> Float[np.ndarray, "d d"]:
    """All mean curvatures, as the slopes' products have them where the model holds (Fisher).

    Never positive, so that a search far from the mode does not run off along one.
    """
    return -np.einsum("nk,nkd,nke->de", weights, slopes, slopes, optimize=True)
