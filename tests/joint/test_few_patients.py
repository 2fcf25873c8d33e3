"""Why arms of few virtual patients are warned of: the likelihood is then the points', too."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from small_joint import quick_compile, two_arms

from pkpd.arm_level.problem import likelihood

SEEDS = (1, 2, 3)


def at_medians(count, seed):
    """The arms' log-likelihood at the prior medians, with other virtual patients for each seed."""
    fitted, data, disease, pk = two_arms(count)
    patients = fitted.patients.model_copy(update={"seed": seed})
    made = likelihood(fitted.model_copy(update={"patients": patients}), data, disease, pk, 7.0)
    flat = np.asarray(made.space.medians())
    with quick_compile():
        return float(jax.jit(made.held_at(flat).log_likelihood)(flat))


@pytest.mark.slow
def test_with_eight_patients_the_density_is_another_for_every_set_of_points():
    """Seen: it moves by tens where with 64 it moves by a few, and a posterior by about one."""
    spread = {n: np.std([at_medians(n, seed) for seed in SEEDS], ddof=1) for n in (8, 64)}
    assert spread[8] > 10
    assert spread[64] < spread[8] / 3
