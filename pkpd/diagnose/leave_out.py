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
    elpd, ks = [], []
    for arm in log_likelihood.T:
        # ArviZ takes the log-likelihood and negates it itself: the log ratio of leaving out.
        weights, k = cast(tuple[np.ndarray, float], array_stats.psislw(arm))
        elpd.append(float(np.logaddexp.reduce(arm + weights) - np.logaddexp.reduce(weights)))
        ks.append(float(k))
    return LeaveOut(np.array(elpd), np.array(ks))
