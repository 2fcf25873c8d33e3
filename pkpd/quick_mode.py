"""A mode that Newton's steps have settled, the Gaussian about it, and the table of a quick look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from pkpd.diagnosis.summary import scalars
from pkpd.variation.space import Space

COLUMNS = ("parameter", "estimate", "lower", "upper", "level", "kind", "unit")

ROUNDS = 20
"""Newton's steps at most."""

PROBE = 0.01
"""Step of the differences that give the Hessian."""

NEAR = 1e-3
"""How far, in posterior SDs, Newton says that the mode may still be."""

FLATTEST = 0.3
"""Curvature of a direction in which the density is not curved as at a mode, for a step there."""

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Mode:
    """A mode in the coordinates that it was sought in, its covariance, and the log-density there.

    The covariance is the inverse Hessian of minus the log-density.
    """

    at: Float[np.ndarray, " P"]
    covariance: Float[np.ndarray, "P P"]
    log_density: float


def settled(negative: Objective, at: Float[np.ndarray, " P"]) -> Mode | None:
    """The mode that Newton's steps from `at` reach, or None where they reach none.

    `negative` is minus the log-density with its gradient. Where it is not curved as at a mode,
    steps go by absolute curvatures.
    """
    value, slope = negative(at)
    for _ in range(ROUNDS):
        hessian = curvature(negative, at)
        values, vectors = np.linalg.eigh(hessian)
        bent = np.where(values > 0, values, np.maximum(-values, FLATTEST))
        step = -vectors @ (vectors.T @ slope / bent)
        if values.min() > 0 and -slope @ step < NEAR**2:
            return Mode(at, np.linalg.inv(hessian), -value)
        at, value = _shortened(negative, at, value, step)
        slope = negative(at)[1]
    return None


def curvature(negative: Objective, at: Float[np.ndarray, " P"]) -> Float[np.ndarray, "P P"]:
    """The Hessian, by central differences of the gradient."""
    steps = PROBE * np.eye(at.size)
    rows = np.array([(negative(at + s)[1] - negative(at - s)[1]) / (2 * PROBE) for s in steps])
    return (rows + rows.T) / 2


def _shortened(
    negative: Objective, at: np.ndarray, value: float, step: np.ndarray
) -> tuple[np.ndarray, float]:
    """The end of the longest step of 1, 1/2, 1/4 .. that does not lead uphill."""
    for _ in range(12):
        there = negative(at + step)[0]
        if there <= value:
            return at + step, there
        step = step / 2
    return at, value


def look_table(
    space: Space,
    estimate: Float[np.ndarray, " P"],
    bounds: Float[np.ndarray, "2 P"] | None,
    kind: str,
    level: float,
) -> pd.DataFrame:
    """The table of a look at a space's numbers, natural values in the space's flat order."""
    each = list(scalars(space))
    ends = np.full((2, len(each)), np.nan) if bounds is None else bounds
    rows = {
        "parameter": [label for label, _, _ in each],
        "estimate": estimate,
        "lower": ends[0],
        "upper": ends[1],
        "level": np.nan if bounds is None else level,
        "kind": kind,
        "unit": [variable.unit for _, variable, _ in each],
    }
    return pd.DataFrame(rows)[list(COLUMNS)]
