"""Contract C7: the log-density is what other programs compute from model, data and priors."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ox40_reference import FOLDER, reference_likelihood, reference_values, unconstrained
from small_trial import LIMIT, likelihood, log_density, records

from pkpd.variation.standard import prior_draws

POINTS = 5


@pytest.fixture(scope="module")
def small():
    return likelihood()


@pytest.fixture(scope="module")
def points(small):
    draws = prior_draws(small.space, POINTS, seed=4)
    return [{name: value[k] for name, value in draws.items()} for k in range(POINTS)]


def test_the_small_trial_has_all_that_it_is_meant_to_have(small):
    rows = records()
    assert sum(row["CENS"] for row in rows) >= 4 and LIMIT in [row["DV"] for row in rows]
    assert {"v_vmax_partial", "vmax_occasion_eta", "v_wt"} <= set(small.space.names)
    assert small.solver.design.occasions == tuple(f"{s}:{k}" for s in range(1, 5) for k in (1, 2))


def test_the_log_density_is_that_of_scipy_at_five_random_points(small, points):
    found = [small.log_density(point) for point in points]
    assert np.ptp(found) > 10  # they are far apart
    np.testing.assert_allclose(found, [log_density(point) for point in points], rtol=1e-6)


def test_the_log_density_is_prior_plus_the_likelihood_of_all_subjects(small, points):
    at = {name: jnp.asarray(value) for name, value in points[0].items()}
    exact = small.tightened()
    parts = float(exact.log_prior(at)) + float(jax.jit(exact.by_subject)(at).sum())
    assert small.log_density(points[0]) == pytest.approx(parts, rel=1e-12)


def test_the_walked_mesh_is_within_its_tolerance_of_the_exact_density(small, points):
    walked = jax.jit(lambda q: small.log_prior(q) + small.by_subject(q).sum())
    for point in points:
        assert float(walked(point)) == pytest.approx(small.log_density(point), rel=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs shared/data/ox40_reference")
def test_the_log_density_and_gradient_of_sixty_patients_are_those_of_stan():
    told = json.loads((FOLDER / "log_density.json").read_text())
    reference, at = reference_likelihood(), reference_values(told["values"])
    exact = reference.tightened()
    value, slope = jax.jit(
        jax.value_and_grad(lambda q: exact.log_prior(q) + exact.by_subject(q).sum())
    )(at)
    assert float(value) == pytest.approx(told["log_density"], rel=1e-6)
    assert reference.log_density(at) == pytest.approx(told["log_density"], rel=1e-6)
    expected = np.array(told["gradient_of_log_density_wrt_unconstrained"])
    np.testing.assert_allclose(unconstrained(at, slope), expected, rtol=1e-6, atol=1e-6)
