"""The posterior predictive check: every posted number meets what was simulated of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pkpd.arm_level.frozen import Frozen
from pkpd.prediction.given import given_first_visit
from pkpd.prediction.predictive import COLUMNS, predictive


@pytest.fixture(scope="module")
def table(likelihood, draws):
    return predictive(likelihood, draws, level=0.9, seed=1)


def test_every_fitted_number_has_a_row(table, likelihood):
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == sum(int(s.posted.sum()) for s in likelihood.studies)
    assert not table.duplicated(["study", "arm", "week", "endpoint"]).any()


def test_observed_values_are_the_posted_ones(table, likelihood):
    posted = likelihood.data.rows.set_index(["study", "arm", "week", "endpoint", "estimand"])
    keys = ["study", "arm", "week", "endpoint", "estimand"]
    some = table[~table.endpoint.isin(["present", "ENTRY"])].set_index(keys)
    for statistic, scale in (("percent", 100.0), ("mean", 1.0)):
        ours = some[some.statistic == statistic]
        theirs = posted[posted.statistic == statistic].value.loc[ours.index]
        assert (ours.observed * scale).to_numpy() == pytest.approx(theirs.to_numpy(), abs=0.06)


def test_shares_lie_between_nothing_and_all(table):
    shares = table[table.statistic == "percent"]
    assert shares[["observed", "lower", "median", "upper"]].stack().between(0, 1).all()


def test_inside_says_where_the_observed_number_lies(table):
    within = (table.lower <= table.observed) & (table.observed <= table.upper)
    assert (within == table.inside).all()


def test_all_is_fitted_but_the_selection_visit_of_a_later_study(table, likelihood):
    first = {s.study: float(s.weeks[0]) for s in likelihood.studies if s.entered}
    conditioned = table.study.isin(first) & (table.week == table.study.map(first))
    assert first and (table.fitted == ~conditioned).all()
    shown = table[conditioned]
    assert shown.lower.to_numpy() == pytest.approx(shown.observed.to_numpy(), abs=1e-6)


def test_results_given_the_first_visit_are_those_of_the_normal():
    random = np.random.default_rng(3)
    root = random.normal(size=(4, 4))
    covariance = root @ root.T
    factor = np.linalg.inv(np.linalg.cholesky(covariance))
    factor[:2] = 0.0  # two columns: the first visit is conditioned on
    s = SimpleNamespace(
        columns=("a", "b"), arms=("x",), posted=np.ones((1, 4), bool),
        observed=np.array([[1.0, -2.0, 0.0, 0.0]]),
    )  # fmt: skip
    held = Frozen(factor[None], np.zeros((1, 4)), np.zeros(1))
    drawn = random.multivariate_normal(np.zeros(4), covariance, size=40_000)[:, None]
    found = given_first_visit(s, held, drawn)
    slope = covariance[2:, :2] @ np.linalg.inv(covariance[:2, :2])
    np.testing.assert_allclose(found[:, 0, 2:].mean(0), slope @ s.observed[0, :2], atol=0.03)
    rest = covariance[2:, 2:] - slope @ covariance[:2, 2:]
    np.testing.assert_allclose(np.cov(found[:, 0, 2:].T), rest, rtol=0.05, atol=0.05)
