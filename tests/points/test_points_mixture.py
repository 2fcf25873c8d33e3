"""Parts of a proposal: their density, and how much of a bent or divided law they cover."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_t

from pkpd.points.mixture import TAILS, mixture, t_log_density
from pkpd.points.proposal import Proposal, effective, normalised
from pkpd.points.split import normal_log_density

LAW = (jnp.zeros((2, 2)), jnp.eye(2) * 3)


def bent(points):
    """Normal, the second coordinate about the first one's square; mass 1, means 0 and 1."""
    x, y = points[..., 0], points[..., 1]
    return normal_log_density(np.stack([x, (y - x**2) / 0.2], axis=-1)) - np.log(0.2)


def divided(points):
    """Two narrow normals at -2 and 2 of the first coordinate; mass 1, means 0 and 0."""
    ways = [normal_log_density((points - [c, 0]) / 0.2) - 2 * np.log(0.2) for c in (-2, 2)]
    return np.logaddexp(*ways) - np.log(2)


def parts_of(target, rounds=3):
    """The single proposal that rounds end at, and parts fitted twice."""
    one = Proposal(np.zeros((2, 2)), np.tile(np.eye(2) * 4, (2, 1, 1)))
    for seed in range(rounds):
        points, log_q = one.points(LAW, 512, seed)
        one, _ = one.moved(points, target(points) - log_q)
    parts = None
    for seed in range(2):
        points, log_q = (parts or one).points(LAW, 512, 10 + seed)
        parts = mixture(one, points, target(points) - log_q)
    return one, parts


def test_the_tails_are_those_of_students_t():
    z = np.random.default_rng(1).normal(size=(5, 3)) * 2
    assert t_log_density(z) == pytest.approx(multivariate_t(df=TAILS, shape=np.eye(3)).logpdf(z))


@pytest.mark.parametrize(("target", "means"), [(bent, [0, 1]), (divided, [0, 0])])
def test_weights_have_the_targets_mass_and_mean(target, means):
    _, parts = parts_of(target)
    points, log_q = parts.points(LAW, 32_768, 20)
    log_weights = target(points) - log_q
    assert np.exp(log_weights).mean(axis=1) == pytest.approx(1.0, abs=0.05)
    found = np.einsum("nk,nke->ne", normalised(log_weights), points)
    assert found == pytest.approx(np.tile(means, (2, 1)), abs=0.15)


@pytest.mark.parametrize(("target", "times"), [(bent, 2.0), (divided, 2.0)])
def test_parts_are_worth_more_than_one_normal(target, times):
    worth = []
    for each in parts_of(target):
        points, log_q = each.points(LAW, 1024, 30)
        worth.append(effective(target(points) - log_q).min())
    assert worth[1] > times * worth[0]


def weighted(subjects, seed=40):
    """Points of a wide normal for each subject, and log-weights that make them bent ones."""
    law = jnp.zeros((subjects, 2)), jnp.eye(2) * 3
    one = Proposal(np.zeros((subjects, 2)), np.tile(np.eye(2) * 4, (subjects, 1, 1)))
    points, log_q = one.points(law, 256, seed)
    return one, points, bent(points) - log_q


def test_subjects_are_fitted_by_themselves():
    """Subjects are taken some at a time; what stands beside one does not matter."""
    one, points, log_weights = weighted(40)
    whole = mixture(one, points, log_weights)
    for k in (0, 35):
        alone = Proposal(one.mean[[k]], one.covariance[[k]])
        found = mixture(alone, points[[k]], log_weights[[k]])
        assert found.mean[0] == pytest.approx(whole.mean[k])
        assert found.covariance[0] == pytest.approx(whole.covariance[k])


def test_a_fit_goes_on_from_parts():
    """With the same points it comes nearer to where it stays."""
    one, points, log_weights = weighted(2)
    once = mixture(one, points, log_weights)
    twice = mixture(one, points, log_weights, once)
    thrice = mixture(one, points, log_weights, twice)
    assert np.abs(thrice.mean - twice.mean).max() < np.abs(twice.mean - once.mean).max()
