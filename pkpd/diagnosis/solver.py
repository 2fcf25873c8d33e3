"""Proof of the mesh: re-solve draws on a much finer one and weigh them (PSIS).

The importance ratio of a draw is exp(tight log-likelihood - mesh log-likelihood); a Pareto-k below
0.7 says that the mesh's posterior stands for the tight one (Timonen 2022, importance sampling for
Bayesian ODE models).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from arviz_stats.base.array import array_stats

from pkpd.arm_level.by_draw import by_draw
from pkpd.arm_level.problem import Likelihood


@dataclass(frozen=True)
class SolverProof:
    """Pareto-k of the ratios, and the greatest log-likelihood difference about their mean."""

    pareto_k: float
    shift: float


def prove(
    likelihood: Likelihood,
    draws: Mapping[str, np.ndarray],
    progress: Callable[[float], None] = lambda share: None,
) -> SolverProof:
    """Compare the planned mesh with one eight times finer at these draws."""
    planned = by_draw(likelihood, draws).sum(axis=1)
    tight = by_draw(likelihood.tight(), draws, progress).sum(axis=1)
    ratio = tight - planned
    shift = float(np.abs(ratio - ratio.mean()).max())
    if np.ptp(ratio) < 1e-9:
        return SolverProof(0.0, shift)
    _, k = array_stats.psislw(ratio.max() - ratio)  # ArviZ negates what it is given
    return SolverProof(float(k), shift)
