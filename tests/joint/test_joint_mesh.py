"""The individuals' mesh holds where the joint prior goes, not at its medians alone."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_joint import joint, quick_compile, unplanned

from pkpd.individual.build import solved
from pkpd.joint.mesh import SEED, with_mesh
from pkpd.settings_individual import Engine
from pkpd.variation.standard import prior_draws

TESTED = 60


@pytest.fixture(scope="module")
def bare():
    rough = unplanned().settings.model_copy(update={"engine": Engine(tolerance=1e-2)})
    return replace(joint(), individual=replace(unplanned(), settings=rough))


@pytest.fixture(scope="module")
def planned(bare):
    return with_mesh(bare)


def log_likelihoods(likelihood):
    """The individuals' log-likelihood at draws of the joint prior that no mesh was planned at."""
    draws = prior_draws(likelihood.space, TESTED, SEED + 1)
    with quick_compile():
        one = jax.jit(lambda values: likelihood.by_subject(values).sum())
        return np.array(
            [one({n: jnp.asarray(v[k]) for n, v in draws.items()}) for k in range(TESTED)]
        )


@pytest.mark.slow
def test_fewer_draws_of_the_prior_are_solved_wrongly_than_on_a_mesh_of_the_medians(bare, planned):
    tight = replace(planned, individual=planned.individual.tightened())
    medians = replace(bare, individual=solved(bare.individual))
    truth = log_likelihoods(tight)
    wrong = [(~(np.abs(log_likelihoods(each) - truth) < 1)).sum() for each in (planned, medians)]
    assert wrong[0] < 0.7 * wrong[1]


def test_it_is_the_same_mesh_whenever_it_is_planned(bare, planned):
    """Draws are diagnosed on the mesh they were made on."""
    again, first = with_mesh(bare).individual.solver.cut, planned.individual.solver.cut
    np.testing.assert_array_equal(again.step, first.step)
    np.testing.assert_array_equal(again.begin, first.begin)
