"""Slopes regressed on subjects' effects, against what slopes themselves give."""

import numpy as np
import pytest
from scipy.special import logsumexp

from pkpd.points.features import features
from pkpd.points.leaning import leaning, leaning_of_many
from pkpd.points.proposal import normalised

SUBJECTS, POINTS, EFFECTS = 6, 4096, 2


@pytest.fixture(scope="module")
def bent():
    """Points of a wide law with normal weights about each subject's own place; wild slopes."""
    chance = np.random.default_rng(4)
    z = 2 * chance.normal(size=(SUBJECTS, POINTS, EFFECTS))
    middle = chance.normal(size=(SUBJECTS, 1, EFFECTS))
    log_weights = -((z - middle) ** 2).sum(axis=-1) / (2 * 0.5**2) + (z**2).sum(axis=-1) / 8
    slopes = np.stack([np.tanh(2 * z[..., 0] + z[..., 1]), np.exp(z[..., 0])], axis=-1)
    return z, slopes, log_weights


def test_a_moved_law_changes_the_mean_of_what_is_regressed_as_that_of_slopes(bent):
    z, slopes, log_weights = bent
    found = leaning(z, slopes, log_weights)
    told = found[:, :1] + features(z) @ found[:, 1:]
    weights = normalised(log_weights)[..., None]
    assert (weights * told).sum(axis=1) == pytest.approx((weights * slopes).sum(axis=1))
    away = (z - (weights * z).sum(axis=1, keepdims=True))[..., None]
    with_law = (weights[..., None] * away * (slopes - told)[:, :, None]).sum(axis=1)
    spread = (weights[..., None] * away * slopes[:, :, None]).sum(axis=1)
    assert np.abs(with_law).max() < 0.01 * np.abs(spread).max()


def test_what_is_left_of_slopes_is_told_as_curvature(bent):
    z, slopes, log_weights = bent
    flat = np.zeros_like(slopes)
    found, rest = leaning_of_many(z, slopes, flat, log_weights)
    d = np.array([2e-3, -1e-3])
    weights = normalised(log_weights)
    whole = logsumexp(slopes @ d, b=weights, axis=1).sum()
    leant = (found[:, :1] + features(z) @ found[:, 1:])[..., :2] @ d
    own = logsumexp(leant, b=weights, axis=1).sum()
    lacks = whole - own
    assert abs(own + d @ rest @ d / 2 - whole) < 0.1 * lacks
    assert not found[..., 2:].any()


def test_of_few_points_those_far_out_do_not_pull():
    chance = np.random.default_rng(1)
    z = chance.normal(size=(1, 24, 1))
    slopes = 3 * z + 0.1 * chance.normal(size=z.shape)
    slopes[np.abs(z) > 1.3] = 1e3
    assert (slopes == 1e3).any()
    log_weights = -20 * (z[..., 0] ** 2)
    found = leaning(z, slopes, log_weights)
    assert found[0, 1, 0] == pytest.approx(3, abs=0.5)
