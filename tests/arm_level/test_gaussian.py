"""The masked multivariate normal against scipy's, and its gradient by hand against differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pkpd.arm_level import gaussian


def some(arms, size, seed):
    random = np.random.default_rng(seed)
    root = random.normal(size=(arms, size, size))
    covariance = root @ root.transpose(0, 2, 1) / size + 0.5 * np.eye(size)
    return random.normal(size=(arms, size)), covariance


@pytest.mark.parametrize("size", [3, 90])  # above 40 the inverse is made by halves
def test_the_density_is_scipys(size):
    residual, covariance = some(2, size, 1)
    found = gaussian.masked(residual, covariance, np.ones((2, size), bool))
    wanted = [
        multivariate_normal(cov=c).logpdf(r) for r, c in zip(residual, covariance, strict=True)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_masked_features_are_left_out_of_the_vector():
    residual, covariance = some(2, 5, 2)
    mask = np.array([[True, False, True, True, False], [False, True, False, False, False]])
    found = gaussian.masked(residual, covariance, mask)
    wanted = [
        multivariate_normal(cov=c[np.ix_(m, m)]).logpdf(r[m])
        for r, c, m in zip(residual, covariance, mask, strict=True)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    wild = np.where(mask, residual, 1e3)
    np.testing.assert_array_equal(gaussian.masked(wild, covariance, mask), found)


def test_masked_features_have_no_gradient():
    residual, covariance = some(1, 4, 3)
    mask = np.array([[True, False, True, False]])
    slopes = jax.grad(lambda r, c: gaussian.masked(r, c, mask).sum(), argnums=(0, 1))(
        jnp.asarray(residual), jnp.asarray(covariance)
    )
    assert not slopes[0][~mask].any()
    assert not slopes[1][0][~mask[0]].any() and slopes[1][0][mask[0]][:, mask[0]].all()


@pytest.mark.parametrize("size", [6, 90])
def test_the_gradient_is_that_of_finite_differences(size):
    residual, covariance = (jnp.asarray(part) for part in some(2, size, 4))
    weight = jnp.array([1.0, -2.0])

    def density(r, c):
        return (weight * gaussian.centred(r, c)).sum()

    slopes = jax.grad(density, argnums=(0, 1))(residual, covariance)
    random = np.random.default_rng(5)
    turn = random.normal(size=residual.shape)
    bend = random.normal(size=covariance.shape)
    bend = bend + bend.transpose(0, 2, 1)
    step = 1e-5
    for way in ((turn, 0 * bend), (0 * turn, bend)):
        ends = [
            density(residual + sign * step * way[0], covariance + sign * step * way[1])
            for sign in (1, -1)
        ]
        found = sum((slope * part).sum() for slope, part in zip(slopes, way, strict=True))
        assert float(found) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("size", [7, 130])
def test_the_inverse_by_halves_is_the_inverse(size):
    factor = np.linalg.cholesky(some(2, size, 6)[1])
    found = gaussian.inverse_factor(jnp.asarray(factor)) @ factor
    np.testing.assert_allclose(found, np.stack([np.eye(size)] * 2), atol=1e-10)
