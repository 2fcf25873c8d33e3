"""PSIS leave-one-out against the exact answer of a conjugate normal model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from pkpd.diagnosis.leave_out import leave_out

PRIOR_SD, NOISE_SD = 2.0, 1.0
SEEN = np.array([0.3, -0.8, 1.1, 0.5, 2.4, -0.1, 0.9, 1.6])


def posterior(seen):
    """Mean and SD of a normal mean with prior N(0, PRIOR_SD)."""
    precision = 1 / PRIOR_SD**2 + len(seen) / NOISE_SD**2
    return seen.sum() / NOISE_SD**2 / precision, precision**-0.5


@pytest.fixture(scope="module")
def found():
    mean, sd = posterior(SEEN)
    draws = np.random.default_rng(1).normal(mean, sd, 4000)
    return leave_out(norm.logpdf(SEEN[None, :], draws[:, None], NOISE_SD))


def test_elpd_is_the_exact_predictive_density_of_each_arm(found):
    for k in range(len(SEEN)):
        mean, sd = posterior(np.delete(SEEN, k))
        exact = norm.logpdf(SEEN[k], mean, np.hypot(sd, NOISE_SD))
        assert found.elpd[k] == pytest.approx(exact, abs=0.03)


def test_the_total_adds_the_arms_and_its_error_their_spread(found):
    assert found.total == pytest.approx(found.elpd.sum())
    assert found.se == pytest.approx(found.elpd.std(ddof=1) * np.sqrt(len(SEEN)))


def test_mild_arms_have_a_low_pareto_k(found):
    assert (found.pareto_k < 0.7).all()


def test_an_arm_that_governs_the_posterior_has_a_high_pareto_k():
    """Weights exp(x^2) of standard normal draws have a tail without a mean."""
    draws = np.random.default_rng(2).normal(size=4000)
    assert leave_out(-(draws[:, None] ** 2)).pareto_k[0] > 0.7
