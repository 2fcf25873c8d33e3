"""Slopes and curvatures of points as functions of their subject's effects.

What a subject's law does to its points' mean slope is the slopes' covariance with the effects; that
is kept whole only by a regression weighed as the points are. Of few points it would follow chance.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from pkpd.points.features import features
from pkpd.points.proposal import effective, normalised

LOOSE = 4.0
"""Prior variance of a regressed slope's coefficients, in units of what one point tells."""

ENOUGH = 3.0
"""Effective points for each coefficient from which on points count by their weights."""

TOGETHER = 64
"""Subjects at a time: their points' features stay in memory."""


def leaning(
    z: Float[np.ndarray, "N K E"],
    slopes: Float[np.ndarray, "N K d"],
    log_weights: Float[np.ndarray, "N K"],
) -> Float[np.ndarray, "N F1 d"]:
    """Slopes and curvatures regressed, in each subject, on 1 and the features.

    Points count by their weights, and where these are few by the roots of them, so that those far
    out, whose slopes are wild, do not pull; then the constant is set so that what is left is 0 on
    average by the weights themselves. Each other coefficient has a prior of `LOOSE` times the
    slopes' own spread.
    """
    made = features(z)
    few = effective(log_weights) < ENOUGH * made.shape[-1]
    weights = normalised(np.where(few[:, None], log_weights / 2, log_weights))[..., None]
    mean = (weights * slopes).sum(axis=1, keepdims=True)
    x, y = made - (weights * made).sum(axis=1, keepdims=True), slopes - mean
    weighed = np.swapaxes(weights * x, 1, 2)
    worth = 1 / (weights[..., 0] ** 2).sum(axis=1)
    square = weighed @ x
    spread = np.einsum("nff->nf", square) + 1e-12
    ridge = np.eye(x.shape[-1]) * (spread / (LOOSE * worth[:, None]))[:, None, :]
    coefficients = np.linalg.solve(square + ridge, weighed @ y)
    left = slopes - made @ coefficients
    first = (normalised(log_weights)[..., None] * left).sum(axis=1, keepdims=True)
    return np.concatenate([first, coefficients], axis=1)


def leaning_of_many(
    z: Float[np.ndarray, "N K E"],
    first: Float[np.ndarray, "N K o"],
    second: Float[np.ndarray, "N K o"],
    log_weights: Float[np.ndarray, "N K"],
) -> tuple[Float[np.ndarray, "N F1 2o"], Float[np.ndarray, "o o"]]:
    """The same of slopes and curvatures, and what the slopes' rest adds to all curvatures.

    The log of a mean of exp(s' d) over a subject's points has second derivatives V, the covariance
    of slopes s; what is regressed has less of it, and the rest is told here, summed over subjects.
    """
    found, size = [], first.shape[-1]
    rest = np.zeros((size, size))
    for start in range(0, len(z), TOGETHER):
        some = slice(start, start + TOGETHER)
        own, weights = np.asarray(z[some], float), normalised(log_weights[some])
        each = leaning(own, np.concatenate([first[some], second[some]], -1), log_weights[some])
        rest += _covariance(first[some], weights)
        rest -= _covariance(features(own) @ each[:, 1:, :size], weights)
        found.append(each)
    return np.concatenate(found), rest


def _covariance(
    slopes: Float[np.ndarray, "N K o"], weights: Float[np.ndarray, "N K"]
) -> Float[np.ndarray, "o o"]:
    share = weights[..., None]
    away = slopes - (share * slopes).sum(axis=1, keepdims=True)
    return (np.swapaxes(share * away, 1, 2) @ away).sum(axis=0)
