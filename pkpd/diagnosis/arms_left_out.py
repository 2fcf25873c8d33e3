"""Leaving each arm of a fit out: its draws in centred coordinates, its arms' log-likelihoods."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import numpy as np
from jaxtyping import Array

from pkpd.arm_level.problem import Likelihood
from pkpd.diagnosis.cavity import left_out
from pkpd.diagnosis.leave_out import LeaveOut
from pkpd.threads import side_by_side
from pkpd.variation import centring


def arms_left_out(likelihood: Likelihood, draws: Mapping[str, np.ndarray]) -> LeaveOut:
    """Expected log predictive density of each arm given all others, from a fit's draws."""
    space = likelihood.space

    def values(c: Array) -> Mapping[str, Array]:
        return space.unpack(centring.to_natural(space, c))

    one = jax.jit(lambda c: (centring.log_prior(space, c), likelihood.by_arm(values(c))))
    white = jax.jit(lambda c: likelihood.residuals(values(c)))

    def score(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        one(points[0])  # compiled before the threads meet it
        rows = list(side_by_side(one, points))
        return np.array([prior for prior, _ in rows]), np.array([arms for _, arms in rows])

    natural = np.concatenate(
        [np.asarray(draws[v.name]).reshape(-1, v.size) for v in space.variables], axis=1
    )
    points = np.asarray(jax.jit(jax.vmap(lambda x: centring.from_natural(space, x)))(natural))
    return left_out(points, score, lambda c: [np.asarray(arm) for arm in white(c)])
