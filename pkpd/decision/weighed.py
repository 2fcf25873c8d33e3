"""Draws with weights: a posterior, a prior, a power-scaled posterior, or several models stacked.

Every quantity of a decision is a number by draw; what is said of it is a weighted mean, and a
weighted equal-tailed interval: the smallest draws below which at least a tail's weight lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Weighed:
    """Shares (draws, groups, regimens, visits) and what each draw weighs; weights sum to one."""

    share: Float[np.ndarray, "draws groups regimens visits"]
    weight: Float[np.ndarray, " draws"]

    def under(self, weight: Float[np.ndarray, " draws"]) -> Weighed:
        """The same draws with other weights, brought to a sum of one."""
        return Weighed(self.share, weight / weight.sum())


def even(share: Float[np.ndarray, "draws groups regimens visits"]) -> Weighed:
    """Draws that all weigh the same."""
    return Weighed(share, np.full(len(share), 1 / len(share)))


def stacked(parts: Sequence[Weighed], weights: Sequence[float]) -> Weighed:
    """One sample of several models' draws, each model with its own weight in all."""
    total = float(sum(weights))
    return Weighed(
        np.concatenate([part.share for part in parts]),
        np.concatenate([part.weight * w / total for part, w in zip(parts, weights, strict=True)]),
    )


def mean(values: Float[np.ndarray, "draws ..."], weight: np.ndarray) -> Float[np.ndarray, "..."]:
    """The weighted mean over draws."""
    return np.tensordot(weight, values, axes=(0, 0))


def interval(
    values: Float[np.ndarray, "draws ..."], weight: np.ndarray, level: float
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Ends of the weighted equal-tailed interval."""
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(values, tails, axis=0, weights=weight, method="inverted_cdf")
    return low, high
