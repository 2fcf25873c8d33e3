"""Scores of a sampled predictive against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import invgamma, norm, t

from pkpd.validation.mixture import POOLED, Mixture, pinball_crps

EVEN = (np.arange(4000) + 0.5) / 4000
POINTS = np.array([-4.0, -1.3, 0.0, 0.4, 2.5, 6.0])


def sampled(centre, spread):
    """The same draws for every point."""
    wide = np.broadcast_to(centre, (POINTS.size, np.size(centre + 0 * spread)))
    return Mixture(wide, np.broadcast_to(spread, wide.shape))


def normal_crps(y, sd):
    """Gneiting and Raftery 2007, JASA 102:359."""
    z = y / sd
    return sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


def test_a_mean_not_known_makes_a_wider_normal():
    mixture = sampled(0.8 * norm.ppf(EVEN), 0.6)
    near = np.abs(POINTS) < 3  # where 4,000 draws of the mean lie close enough together
    assert mixture.log_density(POINTS)[near] == pytest.approx(norm.logpdf(POINTS[near]), abs=0.02)
    few = sampled(0.8 * norm.ppf(EVEN[5::10]), 0.6)
    assert few.crps(POINTS) == pytest.approx(normal_crps(POINTS, 1.0), abs=2e-3)


def test_a_variance_not_known_makes_a_student_t():
    mixture = sampled(0.0, np.sqrt(invgamma(2.5, scale=2.5).ppf(EVEN)))
    assert mixture.log_density(POINTS) == pytest.approx(t(5).logpdf(POINTS), abs=2e-3)
    assert mixture.below(POINTS) == pytest.approx(t(5).cdf(POINTS), abs=1e-4)


def test_one_draw_is_a_normal_and_its_scores_are_exact():
    mixture = Mixture(np.full((6, 1), 1.0), np.full((6, 1), 2.0))
    assert mixture.log_density(POINTS) == pytest.approx(norm(1, 2).logpdf(POINTS), abs=1e-12)
    assert mixture.crps(POINTS) == pytest.approx(normal_crps(POINTS - 1, 2.0), abs=1e-12)


def test_the_crps_of_a_mixture_is_the_integral_of_its_square_error():
    centre, spread = np.array([[-1.0, 0.5, 2.0]]), np.array([[0.3, 1.0, 0.1]])
    mixture, y = Mixture(centre, spread), np.array([0.7])
    grid = np.linspace(-12, 14, 400_001)
    below = norm.cdf(grid[:, None], centre, spread).mean(axis=1)
    whole = np.trapezoid((below - (grid >= y)) ** 2, grid)
    assert mixture.crps(y) == pytest.approx([whole], abs=1e-4)


def test_quantiles_are_where_the_distribution_function_says():
    mixture = Mixture(np.array([[-1.0, 3.0], [0.0, 0.1]]), np.array([[0.3, 1.0], [1e-3, 2.0]]))
    levels = np.array([0.05, 0.5, 0.95])
    found = mixture.quantiles(levels)
    for k, level in enumerate(levels):
        assert mixture.below(found[:, k]) == pytest.approx(level, abs=1e-9)


@pytest.mark.parametrize("draws", [1, 3, 400])
def test_pooled_quantiles_keep_to_their_bound(draws):
    random = np.random.default_rng(draws)
    mixture = Mixture(random.normal(size=(2, draws)), random.gamma(2.0, size=(2, draws)))
    found = mixture.pooled(levels := np.array([0.0025, 0.05, 0.5, 0.95]))
    for k, level in enumerate(levels):
        bound = draws / (2 * POOLED) + 1 / POOLED  # the strata, and what lies between two points
        assert mixture.below(found[:, k]) == pytest.approx(level, abs=bound)


@pytest.mark.parametrize("y", [0.0, 0.2, 0.95])
def test_quantiles_give_the_crps_of_uniform_and_exponential(y):
    levels = (np.arange(200) + 0.5) / 200
    (uniform,) = pinball_crps(levels[None], levels, np.array([y]))
    assert uniform == pytest.approx(y**2 - y + 1 / 3, abs=1e-4)
    (exponential,) = pinball_crps(-np.log1p(-levels)[None], levels, np.array([y]))
    assert exponential == pytest.approx(y + 2 * np.exp(-y) - 1.5, abs=5e-3)


def test_what_is_surer_and_right_scores_better_and_what_is_surer_and_wrong_worse():
    sure, unsure = (Mixture(np.zeros((2, 1)), np.full((2, 1), sd)) for sd in (0.5, 2.0))
    y = np.array([0.1, 5.0])
    assert list(sure.log_density(y) > unsure.log_density(y)) == [True, False]
    assert list(sure.crps(y) < unsure.crps(y)) == [True, False]
