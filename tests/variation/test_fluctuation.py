"""Flares and visit noise: the covariance that the docstring promises."""

from __future__ import annotations

import numpy as np
import pytest

from pkpd.variation import fluctuation

VALUES = {"visit_sd": 0.3, "visit_memory": 2.0, "flare_sd": 0.5, "flare_memory": 15.0}
WEEKS = np.array([0.0, 2.0, 4.0, 24.0, 52.0, 400.0])


def test_nothing_has_flared_at_baseline():
    found = fluctuation.covariance(VALUES, WEEKS)
    np.testing.assert_allclose(found[0], 0.09 * np.exp(-WEEKS / 2), rtol=1e-12)


def test_flares_reach_their_long_run_spread():
    sd = fluctuation.spread(VALUES, WEEKS)
    assert float(sd[0]) == pytest.approx(0.3)
    assert float(sd[-1]) == pytest.approx(np.hypot(0.3, 0.5))


def test_spread_is_the_diagonal_and_correlations_are_within_one():
    covariance = np.asarray(fluctuation.covariance(VALUES, WEEKS))
    np.testing.assert_allclose(fluctuation.spread(VALUES, WEEKS) ** 2, np.diag(covariance))
    alike = np.asarray(fluctuation.alike(VALUES, WEEKS))
    np.testing.assert_allclose(np.diag(alike), 1.0)
    assert (np.linalg.eigvalsh(covariance) > 0).all() and (np.abs(alike) < 1 + 1e-12).all()


def test_flares_are_an_ornstein_uhlenbeck_path_from_zero():
    """Simulated in small steps df = -f / memory dt + sqrt(2 / memory) sd dW."""
    random, step, paths = np.random.default_rng(1), 0.1, 40_000
    at, f, kept = [40, 100], np.zeros(paths), []
    for k in range(1, at[-1] + 1):
        f = f - f / 15 * step + np.sqrt(2 * step / 15) * 0.5 * random.standard_normal(paths)
        if k in at:
            kept.append(f)
    quiet = {**VALUES, "visit_sd": 0.0}
    wanted = fluctuation.covariance(quiet, step * np.array(at))
    np.testing.assert_allclose(np.cov(kept), wanted, rtol=0.04)
