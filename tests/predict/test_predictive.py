"""The posterior predictive check: every posted number meets what was simulated of it."""

from __future__ import annotations

import pytest

from pkpd.predict.predictive import COLUMNS, predictive


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
    assert (within == table.inside).all() and table.fitted.all()
