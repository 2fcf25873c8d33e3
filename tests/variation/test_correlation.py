"""Correlation matrices from partial correlations: uniform, and LKJ, as the shapes say."""

from __future__ import annotations

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
from scipy.stats import beta

from pkpd.variation.correlation import cholesky, partial_shapes


def matrix(partials, d):
    factor = cholesky(jnp.asarray(partials), d)
    return factor @ factor.T


def log_density(of, partials, d, eta):
    """Log density of what is below the diagonal of a matrix: the partials', less the Jacobian's."""
    shapes = np.array(partial_shapes(d, eta))
    prior = beta(shapes, shapes, loc=-1, scale=2).logpdf(partials).sum()
    below = np.tril_indices(d, -1)
    slopes = jax.jacobian(lambda r: of(r, d)[below])(jnp.asarray(partials))
    return prior - np.linalg.slogdet(slopes)[1]


def some(d, count, seed):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (count, d * (d - 1) // 2))


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_the_product_is_a_correlation_matrix(d):
    partials = some(d, 1, seed=d)[0]
    factor = cholesky(jnp.asarray(partials), d)
    np.testing.assert_array_equal(factor, np.tril(factor))
    np.testing.assert_allclose(np.diag(factor @ factor.T), 1, rtol=1e-14)
    np.testing.assert_allclose(np.linalg.cholesky(factor @ factor.T), factor, atol=1e-12)


def test_partials_are_those_of_the_matrix():
    d = 4
    partials = some(d, 1, seed=11)[0]
    full = np.asarray(matrix(partials, d))
    for (i, j), wanted in zip(combinations(range(d), 2), partials, strict=True):
        kept = [*range(i), i, j]
        inverse = np.linalg.inv(full[np.ix_(kept, kept)])
        given_those_before = -inverse[-2, -1] / np.sqrt(inverse[-2, -2] * inverse[-1, -1])
        np.testing.assert_allclose(given_those_before, wanted, atol=1e-12)


def test_eta_one_is_uniform_over_correlation_matrices():
    found = [log_density(matrix, partials, 3, 1.0) for partials in some(3, 40, seed=1)]
    # the volume of 3 x 3 correlation matrices is pi^2 / 2 (Joe 2006)
    np.testing.assert_allclose(found, -np.log(np.pi**2 / 2), atol=1e-10)


def test_density_of_the_factor_is_pymcs_lkj():
    d, eta = 4, 2.5
    many = some(d, 20, seed=2)
    ours = np.array([log_density(cholesky, partials, d, eta) for partials in many])
    factors = np.stack([cholesky(jnp.asarray(each), d) for each in many])
    theirs = pm.logp(pm.LKJCorr.dist(n=d, eta=eta, shape=(20, d, d)), factors).eval()
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert np.ptp(theirs) > 1


def test_density_is_a_power_of_the_determinant():
    d, eta = 4, 2.5
    many = some(d, 20, seed=3)
    ours = np.array([log_density(matrix, partials, d, eta) for partials in many])
    powers = np.array([(eta - 1) * np.linalg.slogdet(matrix(each, d))[1] for each in many])
    np.testing.assert_allclose(ours - powers, (ours - powers)[0], atol=1e-9)


def test_shapes_go_down_by_half_a_level():
    assert partial_shapes(4, 2.0) == (3.0, 3.0, 3.0, 2.5, 2.5, 2.0)


def test_a_wrong_number_of_partials_is_refused():
    with pytest.raises(ValueError, match="3 effects have 3 partials"):
        cholesky(jnp.zeros(2), 3)


def test_gradients_are_finite_near_perfect_correlation():
    near = jnp.array([0.999999, -0.999999, 0.999999])
    assert np.isfinite(jax.jacobian(matrix)(near, 3)).all()
