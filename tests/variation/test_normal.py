"""The standard normal in two dimensions, against scipy's."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from pkpd.variation.normal import below, both_below, density

GRID = np.linspace(-3.0, 3.0, 9)
FIRST, SECOND = (axis.ravel() for axis in np.meshgrid(GRID, GRID))


def together(first, second, correlation):
    matrix = [[1.0, correlation], [correlation, 1.0]]
    return multivariate_normal([0.0, 0.0], matrix).cdf(np.stack([first, second], axis=-1))


@pytest.mark.parametrize(
    ("correlation", "error"),
    [
        (-0.5, 1e-10),
        (0.3, 1e-12),
        (0.5, 1e-10),
        (0.7, 1e-8),
        (0.8, 3e-7),
        (0.9, 2e-6),
        (0.98, 2e-4),
    ],
)
def test_both_below_is_the_bivariate_normal(correlation, error):
    found = both_below(FIRST, SECOND, np.full(FIRST.shape, correlation))
    assert np.abs(found - together(FIRST, SECOND, correlation)).max() < error


def test_without_correlation_both_below_is_a_product():
    found = both_below(FIRST, SECOND, np.zeros(FIRST.shape))
    np.testing.assert_allclose(found, norm.cdf(FIRST) * norm.cdf(SECOND), rtol=1e-12)


def test_far_above_one_threshold_only_the_other_counts():
    found = both_below(GRID, np.full(GRID.shape, 9.0), np.full(GRID.shape, 0.8))
    np.testing.assert_allclose(found, norm.cdf(GRID), atol=1e-9)


def test_slopes_of_both_below_are_conditional_probabilities():
    slope = jax.vmap(jax.grad(both_below, argnums=(0, 2)))
    first, correlation = slope(FIRST, SECOND, np.full(FIRST.shape, 0.7))
    root = np.sqrt(1 - 0.7**2)
    wanted = norm.pdf(FIRST) * norm.cdf((SECOND - 0.7 * FIRST) / root)
    np.testing.assert_allclose(first, wanted, atol=1e-7)
    np.testing.assert_allclose(  # Plackett: the derivative in the correlation is the density
        correlation, norm.pdf(FIRST) * norm.pdf((SECOND - 0.7 * FIRST) / root) / root, atol=1e-6
    )


def test_below_and_density_are_scipys():
    np.testing.assert_allclose(below(GRID), norm.cdf(GRID), rtol=1e-12)
    np.testing.assert_allclose(density(GRID), norm.pdf(GRID), rtol=1e-12)
