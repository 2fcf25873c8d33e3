"""Points about each subject's mean and of the law, their densities, and how proposals move."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pkpd.points.proposal import LAW_SHARE, WIDER, Proposal, effective, of_law, tempering

MEAN, MIX = np.array([[1.0, -2.0], [0.5, 0.0]]), np.array([[0.8, 0.0], [0.3, 0.5]])
LAW = (MEAN, MIX)


def test_points_have_the_density_that_is_told():
    own = Proposal(MEAN + 0.3, np.tile(0.04 * np.eye(2), (2, 1, 1)))
    points, told = own.points(LAW, 64, seed=1)
    share = 1 / (1 + LAW_SHARE)
    for n in range(2):
        near = multivariate_normal(own.mean[n], WIDER * own.covariance[n]).pdf(points[n])
        far = multivariate_normal(MEAN[n], MIX @ MIX.T).pdf(points[n])
        assert told[n] == pytest.approx(np.log((1 - share) * near + share * far))


def test_weighted_points_integrate_a_normal():
    """A target far from the proposal: mass 1, its mean and covariance, by weights."""
    own, target = of_law(LAW), multivariate_normal([1.4, -1.8], [[0.1, 0.02], [0.02, 0.2]])
    points, told = own.points(LAW, 4096, seed=2)
    weights = np.exp(target.logpdf(points[0]) - told[0]) / len(points[0])
    assert weights.sum() == pytest.approx(1, abs=0.01)
    assert weights @ points[0] == pytest.approx([1.4, -1.8], abs=0.02)
    moved, power = own.moved(points, target.logpdf(points) - told)
    assert moved.mean[0] == pytest.approx([1.4, -1.8], abs=0.02)
    assert moved.covariance[0] == pytest.approx(target.cov_object.covariance, abs=0.02)
    assert power == pytest.approx([1, 1])


def test_few_points_that_carry_all_weight_are_not_believed_whole():
    log_weights = np.array([[0.0, -300.0, -310.0, -320.0, -330.0, -340.0], [0.0] * 6])
    power = tempering(log_weights, 4.0)
    assert power[1] == 1
    assert 0 < power[0] < 0.1
    assert effective(power[:, None] * log_weights)[0] == pytest.approx(4.0, abs=0.01)


def test_points_of_no_likelihood_are_none():
    own = of_law(LAW)
    points, told = own.points(LAW, 64, seed=3)
    weights = np.where(points[..., 0] > 1.0, -np.inf, 0.0) - told
    moved, _ = own.moved(points, weights)
    assert np.isfinite(moved.mean).all()
    assert np.linalg.eigvalsh(moved.covariance).min() > 0
