"""Expected log predictive density, leaving out one arm at a time (PSIS-LOO over arms).

elpd = sum over arms of log p(y_arm | all other arms). The unit is an arm's factor of the
likelihood: all its visits and endpoints together; for a re-randomised arm, its later visits given
its first. Where Pareto-k passes 0.7 the estimate leans on few draws and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from arviz_stats.base.array import array_stats
from jaxtyping import Float


@dataclass(frozen=True)
class LeaveOut:
    """elpd by arm, with the Pareto-k of each arm's weights."""

    elpd: Float[np.ndarray, " arms"]
    pareto_k: Float[np.ndarray, " arms"]

    @property
    def total(self) -> float:
        """elpd summed over arms."""
        return float(self.elpd.sum())

    @property
    def se(self) -> float:
        """Standard error of `total`, arms taken as independent."""
        return float(np.sqrt(self.elpd.size) * self.elpd.std(ddof=1))


def leave_out(log_likelihood: Float[np.ndarray, "draws arms"]) -> LeaveOut:
    """PSIS-LOO of each arm from its log-likelihood at every draw."""
    found = [predictive_density(-arm) for arm in log_likelihood.T]
    return LeaveOut(np.array([elpd for elpd, _ in found]), np.array([k for _, k in found]))


def predictive_density(log_ratio: Float[np.ndarray, " draws"]) -> tuple[float, float]:
    """log p(y_arm | other arms) and Pareto-k.

    `log_ratio` is log p(draw, other arms) - log q(draw), draws from q, which is normalised by
    p(all arms): the mean ratio is then p(other arms) / p(all arms), smoothed here in its tail.
    """
    log_weights, k = smoothed(log_ratio)
    return float(np.log(log_ratio.size) - np.logaddexp.reduce(log_weights)), k


def smoothed(
    log_ratio: Float[np.ndarray, " draws"],
) -> tuple[Float[np.ndarray, " draws"], float]:
    """Log ratios with a smoothed tail, not normalised, and their Pareto-k."""
    # ArviZ takes a log-likelihood, negates it itself, and normalises the weights it gives back.
    weights, k = cast(tuple[np.ndarray, float], array_stats.psislw(-log_ratio))
    least = int(np.argmin(log_ratio))  # no weight of the tail: only normalised
    return weights + (log_ratio[least] - weights[least]), float(k)


def weighed(log_ratios: Float[np.ndarray, " draws"]) -> tuple[Float[np.ndarray, " draws"], float]:
    """Smoothed weights that sum to 1, 0 where the density is no number, and Pareto k."""
    some = np.isfinite(log_ratios)
    log_weights, pareto_k = smoothed(log_ratios[some])
    weights = np.zeros(log_ratios.size)
    weights[some] = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    return weights, pareto_k
