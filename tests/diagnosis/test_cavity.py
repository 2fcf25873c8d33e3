"""Leaving out an arm that governs the posterior, against the exact answer of a normal model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pkpd.diagnosis.cavity import left_out, linear, moved
from pkpd.diagnosis.leave_out import leave_out

SIZE, VISITS = 6, 5
RANDOM = np.random.default_rng(4)
SLOPES = [RANDOM.normal(size=(VISITS, SIZE)) * wide for wide in (0.4, 0.5, 4.0)]
SEEN = [slope @ RANDOM.normal(size=SIZE) + RANDOM.normal(size=VISITS) for slope in SLOPES]


def posterior(without=None):
    """Mean and covariance of coefficients with prior N(0, I), unit noise, less one arm."""
    arms = [a for a in range(3) if a != without]
    precision = np.eye(SIZE) + sum(SLOPES[a].T @ SLOPES[a] for a in arms)
    covariance = np.linalg.inv(precision)
    return covariance @ sum(SLOPES[a].T @ SEEN[a] for a in arms), covariance


def residuals(c):
    return [SEEN[a] - SLOPES[a] @ c for a in range(3)]


def score(points):
    white = [np.array([residuals(c)[a] for c in points]) for a in range(3)]
    arms = [-0.5 * (r**2).sum(axis=1) - VISITS * np.log(2 * np.pi) / 2 for r in white]
    return -0.5 * (points**2).sum(axis=1), np.array(arms).T


@pytest.fixture(scope="module")
def draws():
    return np.random.default_rng(5).multivariate_normal(*posterior(), size=800)


def test_the_governing_arm_is_beyond_plain_weights_and_not_beyond_moved_draws(draws):
    plain, found = leave_out(score(draws)[1]), left_out(draws, score, residuals)
    assert plain.pareto_k[2] > 0.7 and found.pareto_k[2] < 0.5


def test_elpd_is_the_exact_predictive_density_of_each_arm(draws):
    found = left_out(draws, score, residuals)
    for a in range(3):
        mean, covariance = posterior(without=a)
        wide = SLOPES[a] @ covariance @ SLOPES[a].T + np.eye(VISITS)
        exact = multivariate_normal.logpdf(SEEN[a], SLOPES[a] @ mean, wide)
        assert found.elpd[a] == pytest.approx(exact, abs=0.25)


def test_moved_draws_have_the_moments_of_the_posterior_without_the_arm(draws):
    # of exactly normal draws: their own mean and covariance made those of the posterior
    mean, covariance = posterior()
    centred = draws - draws.mean(axis=0)
    root = np.linalg.cholesky(np.cov(centred.T))
    exact = mean + centred @ np.linalg.inv(root).T @ np.linalg.cholesky(covariance).T
    places, log_stretch = moved(exact, linear(residuals, mean), 2)
    wanted = posterior(without=2)
    np.testing.assert_allclose(places.mean(axis=0), wanted[0], atol=1e-8)
    np.testing.assert_allclose(np.cov(places.T), wanted[1], rtol=1e-6, atol=1e-8)
    ratio = np.linalg.slogdet(wanted[1])[1] - np.linalg.slogdet(covariance)[1]
    assert log_stretch == pytest.approx(ratio / 2)


def test_a_wrong_map_still_gives_the_right_answer_or_a_high_k(draws):
    """Slopes half of what they are: weights correct for the map."""

    def flatter(c):
        return [SEEN[a] - 0.5 * SLOPES[a] @ (c + draws.mean(axis=0)) for a in range(3)]

    found = left_out(draws, score, flatter)
    mean, covariance = posterior(without=2)
    wide = SLOPES[2] @ covariance @ SLOPES[2].T + np.eye(VISITS)
    exact = multivariate_normal.logpdf(SEEN[2], SLOPES[2] @ mean, wide)
    assert found.pareto_k[2] > 0.7 or found.elpd[2] == pytest.approx(exact, abs=0.5)
