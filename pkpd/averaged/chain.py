"""The independence chain over clouds: exact, for each cloud's weight is an unbiased estimate.

A cloud is taken with the chance min(1, its weight over that of the cloud stood on). What is told of
a cloud (an inner draw, a point of every subject) is drawn anew for each of its first steps.
"""

from __future__ import annotations

import numpy as np
from arviz_stats.base.array import array_stats
from jaxtyping import Float, Int

BURN = 64
"""Clouds of each chain before its draws."""

LOWEST = -1e300
"""Log-weight of a cloud that has none."""


def walked(
    log_weights: Float[np.ndarray, " S"], rng: np.random.Generator
) -> tuple[Int[np.ndarray, " S"], Int[np.ndarray, " S"]]:
    """The cloud that each step stands on, and how many steps it has stood there before."""
    heights, now = np.maximum(log_weights, LOWEST), 0
    on, stood = np.zeros(heights.size, int), np.zeros(heights.size, int)
    chance = np.log(rng.random(heights.size))
    for step in range(1, heights.size):
        now = step if chance[step] < heights[step] - heights[now] else now
        on[step], stood[step] = now, step - now
    return on, stood


def tail_of(log_weights: Float[np.ndarray, " S"]) -> float:
    """Pareto-k of the weights: above 0.7 no chain over these draws is to be believed."""
    known = log_weights[np.isfinite(log_weights)]
    return float(array_stats.psislw(-known)[1])  # ArviZ negates what it is given
