"""The score test of a risk difference: published intervals, estimates found numerically."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtri
from scipy.stats import binom

from pkpd.decision.score_test import FARRINGTON, MIETTINEN, critical, restricted, statistic

# Newcombe 1998, Statistics in Medicine 17:873, Table II: 95 % intervals of p1 - p2 for
# x1/n1 - x2/n2 by method 5 (Mee, the variance of Farrington and Manning) and 6 (Miettinen and
# Nurminen).
NEWCOMBE = [
    ((56, 70, 48, 80), (0.0533, 0.3377), (0.0528, 0.3382)),
    ((9, 10, 3, 10), (0.1821, 0.8370), (0.1700, 0.8406)),
    ((6, 7, 2, 7), (0.0544, 0.8478), (0.0342, 0.8534)),
    ((5, 56, 0, 29), (-0.0313, 0.1926), (-0.0326, 0.1933)),
    ((0, 10, 0, 20), (-0.1611, 0.2775), (-0.1658, 0.2844)),
    ((0, 10, 0, 10), (-0.2775, 0.2775), (-0.2879, 0.2879)),
]


def ends(counts, test):
    """The differences at which the test is just at its two-sided 5 % level."""
    x1, n1, x2, n2 = counts

    def z(difference):
        return float(statistic((np.array(x1), np.array(x2)), (n1, n2), -difference, test))

    middle, quantile = x1 / n1 - x2 / n2, ndtri(0.975)
    low = brentq(lambda d: z(d) - quantile, -0.9999, middle)
    return low, brentq(lambda d: z(d) + quantile, middle, 0.9999)


@pytest.mark.parametrize(("counts", "mee", "miettinen"), NEWCOMBE)
def test_intervals_are_those_published(counts, mee, miettinen):
    assert ends(counts, FARRINGTON) == pytest.approx(mee, abs=6e-5)
    assert ends(counts, MIETTINEN) == pytest.approx(miettinen, abs=6e-5)


@pytest.mark.parametrize("seed", range(8))
def test_restricted_estimates_are_the_likeliest(seed):
    random = np.random.default_rng(seed)
    n1, n2 = (int(n) for n in random.integers(5, 200, 2))
    x1, x2, gap = random.integers(0, n1 + 1), random.integers(0, n2 + 1), random.uniform(-0.4, 0.4)

    def unlikely(q1):
        return -binom.logpmf(x1, n1, q1) - binom.logpmf(x2, n2, q1 - gap)

    bounds = (max(0.0, gap) + 1e-12, min(1.0, 1 + gap) - 1e-12)
    found = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    q1, q2 = restricted(np.array(x1 / n1), np.array(x2 / n2), n2 / n1, gap)
    assert unlikely(float(np.clip(q1, *bounds))) <= found.fun + 1e-7
    assert q1 - q2 == pytest.approx(gap)


def test_all_responding_is_no_division_by_zero():
    """Farrington and Manning's cubic in the extreme case: arXiv 2205.03460."""
    q1, q2 = restricted(np.array(1.0), np.array(1.0), 1.0, -0.1)
    assert (float(q1), float(q2)) == pytest.approx((0.9, 1.0))
    assert np.isfinite(statistic((np.array(50), np.array(50)), (50, 50), 0.1)).all()


@pytest.mark.parametrize("test", [MIETTINEN, FARRINGTON])
@pytest.mark.parametrize("size", [7, 40])
def test_the_least_count_that_rejects_is_that_of_a_full_search(size, test):
    new, reference = np.meshgrid(np.arange(size + 1), np.arange(size + 1), indexing="ij")
    rejects = statistic((new, reference), (size, size), 0.15, test) >= ndtri(0.95)
    assert (np.diff(rejects.astype(int), axis=0) >= 0).all()  # more responders reject no less
    full = np.where(rejects.any(axis=0), rejects.argmax(axis=0), size + 1)
    assert critical(size, 0.15, 0.05, test).tolist() == full.tolist()
