"""Prediction errors are standard normal where the model holds, and tell where it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pkpd.diagnosis.npde import npd, npde
from pkpd.errors import DataError

SUBJECTS, TIMES = 200, 6


def simulated(reps, *, seed=0, shift=0.0, spread=1.0):
    """Replicates of 200 subjects, six rows each: own level (SD `spread`) plus noise (SD 0.5)."""
    random = np.random.default_rng(seed)
    level = spread * random.normal(size=(reps, SUBJECTS, 1))
    course = np.exp(-0.4 * np.arange(TIMES)) + shift
    return (level + course + 0.5 * random.normal(size=(reps, SUBJECTS, TIMES))).reshape(reps, -1)


def rows(value, **more):
    blank = {"output": "c", "censored": 0, "limit": np.nan}
    subject = np.repeat(np.arange(SUBJECTS), TIMES)
    return pd.DataFrame({"subject": subject, **blank, "value": value, **more})


def censored(value, limit):
    kind = (value < limit).astype(int)
    return rows(np.where(kind == 1, limit, value), censored=kind, limit=limit)


@pytest.fixture(scope="module")
def copies():
    return simulated(600, seed=1)


@pytest.fixture(scope="module")
def truth():
    return simulated(1, seed=2)[0]


def test_errors_of_data_from_the_model_are_independent_standard_normal(truth, copies):
    found = npde(rows(truth), copies, seed=3)
    assert stats.kstest(found, "norm").pvalue > 0.05
    correlation = np.corrcoef(found.reshape(SUBJECTS, TIMES), rowvar=False)
    assert np.abs(correlation - np.eye(TIMES)).max() < 3.5 / np.sqrt(SUBJECTS)


def test_errors_without_decorrelation_are_normal_row_by_row_and_correlated(truth, copies):
    found = npd(rows(truth), copies, seed=3).reshape(SUBJECTS, TIMES)
    assert all(stats.kstest(column, "norm").pvalue > 0.01 for column in found.T)
    # Two rows of a subject share a variance of 1 of 1.25: the correlation is 0.8.
    assert np.corrcoef(found, rowvar=False)[0, 1:].mean() == pytest.approx(0.8, abs=0.08)


def test_a_shifted_mean_is_detected(copies):
    found = npde(rows(simulated(1, seed=4, shift=0.3)[0]), copies, seed=3)
    assert stats.kstest(found, "norm").pvalue < 1e-4


@pytest.mark.parametrize("spread", [1.6, 0.6])
def test_a_wrong_spread_between_subjects_is_detected(truth, copies, spread):
    """It shows in each subject's first row: the rows after are whitened by it."""
    for value, alarm in ((simulated(1, seed=4, spread=spread)[0], True), (truth, False)):
        first = npde(rows(value), copies, seed=3)[::TIMES]
        tail = stats.chi2.cdf(np.sum(first**2), SUBJECTS)
        assert (min(tail, 1 - tail) < 1e-4) == alarm


def test_one_row_has_the_normal_quantile_of_its_rank():
    one = rows(0.0).iloc[:1].assign(value=7.5)
    replicates = np.arange(1.0, 10.0)[:, None]
    for errors in (npd, npde):
        share = stats.norm.cdf(errors(one, replicates, seed=1))
        assert 7 / 10 <= share[0] <= 8 / 10  # seven of nine lie below


def test_errors_do_not_change_with_the_unit_of_an_output(truth, copies):
    found = npde(rows(truth), copies, seed=3)
    other = npde(rows(1000 * truth - 5), 1000 * copies - 5, seed=3)
    np.testing.assert_allclose(other, found, atol=1e-6)


@pytest.mark.parametrize("errors", [npd, npde])
def test_censored_values_leave_the_errors_standard_normal(truth, copies, errors):
    observed = censored(truth, 0.0)
    assert 0.2 < observed["censored"].mean() < 0.6
    found = errors(observed, copies, seed=3)
    first = found.reshape(SUBJECTS, TIMES)[:, :2]  # rows of different subjects are independent
    assert all(stats.kstest(column, "norm").pvalue > 0.01 for column in first.T)
    assert abs(found.mean()) < 0.15 and found.std() == pytest.approx(1, abs=0.1)


def test_errors_of_censored_values_lie_below_those_of_their_limit(truth, copies):
    observed = censored(truth, 0.0)
    below = (observed["censored"] == 1).to_numpy()
    at_limit = stats.norm.ppf((copies < 0).mean(axis=0) + 2 / len(copies))
    assert (npd(observed, copies, seed=3)[below] < at_limit[below]).all()


def test_more_censored_than_the_model_says_is_detected(truth, copies):
    found = npd(censored(truth - 0.7, 0.0), copies, seed=3)
    assert stats.kstest(found.reshape(SUBJECTS, TIMES)[:, 0], "norm").pvalue < 1e-4


def test_a_value_above_its_limit_has_a_rank_above_it():
    one = rows(0.0).iloc[:1].assign(value=8.5, censored=-1)
    share = stats.norm.cdf(npd(one, np.arange(1.0, 10.0)[:, None], seed=1))
    assert share[0] >= 0.8


def test_a_seed_gives_the_same_errors_and_no_global_state_is_used(truth, copies):
    observed = censored(truth, 0.0)
    first = npde(observed, copies, seed=9)
    np.testing.assert_array_equal(first, npde(observed, copies, seed=9))
    assert not np.array_equal(first, npde(observed, copies, seed=10))


def test_a_row_whose_replicates_never_vary_has_no_error(truth, copies):
    still = copies.copy()
    still[:, 0] = 0.0
    for errors in (npd, npde):
        found = errors(rows(truth), still, seed=1)
        assert np.isnan(found[0]) and np.isfinite(found[1:]).all()


def test_subjects_without_a_regular_covariance_are_all_named(truth, copies):
    twins = copies.copy()
    twins[:, 1] = twins[:, 0]
    with pytest.raises(DataError, match="subject 0: 600 replicates of 6 rows") as caught:
        npde(rows(truth), twins, seed=1)
    assert len(caught.value.faults) == 1
    with pytest.raises(DataError, match="Simulate 13 replicates") as caught:
        npde(rows(truth), copies[:12], seed=1)
    assert len(caught.value.faults) == SUBJECTS
