"""Scores of rows summed up: coverage, differences on the rows of both, errors by arm."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pkpd.validation.forecast import forecast
from pkpd.validation.mixture import Mixture
from pkpd.validation.scoring import ALL, Told, by_arm_error, scored, table
from pkpd.validation.split import ROWS

WEEKS = (28.0, 32.0)
ARMS = ("one", "two")
OBSERVED = {("one", 28.0): -0.8, ("one", 32.0): -0.7, ("two", 28.0): -0.5, ("two", 32.0): 0.4}


@pytest.fixture(scope="module")
def rows():
    made = [
        ("S", arm, week, "EASI_PCHG", "mean", "observed", 40, "fraction", "week 24")
        for arm in ARMS
        for week in WEEKS
    ]
    return pd.DataFrame(made, columns=list(ROWS))


@pytest.fixture(scope="module")
def found(rows):
    """Two forecasters; the rival says nothing of the last row."""

    def told(who, some, centre, spread, missed=()):
        size = (len(some), 1)
        mixture = Mixture(np.full(size, centre), np.full(size, spread))
        made = forecast(some, mixture, level=0.9, origin={"missed": list(missed)})
        return Told("the trial", who, made)

    observed = np.array([[OBSERVED[arm, week] for week in WEEKS] for arm in ARMS])
    s = SimpleNamespace(study="S", arms=ARMS, weeks=np.array(WEEKS), columns=("EASI_PCHG",),
                        observed=observed, posted=np.ones((2, 2), bool))  # fmt: skip
    arms = [
        SimpleNamespace(study="S", name=n, phase_off_week=w)
        for n, w in zip(ARMS, (24, None), strict=True)
    ]
    each = [told("ours", rows, -0.7, 0.1), told("rival", rows[:3], -0.6, 0.2, ["R-hat: 1.1"])]
    scores = scored(each, (s,), SimpleNamespace(arms=arms))
    return scores, table(scores, "ours", "hash")


def test_inside_is_within_the_interval_of_the_forecast(found):
    scores, _ = found
    assert list(scores[scores.forecaster == "ours"].inside) == [True, True, False, False]
    assert list(scores[scores.forecaster == "ours"].observed) == pytest.approx([-80, -70, -50, 40])


def test_coverage_and_width_are_in_the_endpoints_unit(found):
    row = (
        found[1].query("part == 'all' and endpoint == 'EASI_PCHG' and forecaster == 'ours'").iloc[0]
    )
    assert (row.rows, row.arms, row.coverage) == (4, 2, 0.5)
    assert row.width == pytest.approx(100 * 2 * 1.6448536 * 0.1, rel=1e-6)
    assert (row.unit, row.level, row.kind) == ("points of 100", 0.9, "eti")


def test_a_rival_is_compared_on_the_rows_that_both_answered(found):
    scores, made = found
    ours, theirs = (scores[scores.forecaster == who] for who in ("ours", "rival"))
    row = made.query("part == 'all' and endpoint == 'EASI_PCHG' and forecaster == 'rival'").iloc[0]
    apart = theirs.log_score.to_numpy() - ours.log_score.to_numpy()[:3]
    assert row.log_score_diff == pytest.approx(apart.mean())
    assert row.width_ratio == pytest.approx(2.0)
    assert row.crps_ratio == pytest.approx(theirs.crps.mean() / ours.crps[:3].mean())


def test_off_drug_has_lines_of_its_own(found):
    off = found[1].query("part == 'off drug' and forecaster == 'ours'")
    assert set(off.endpoint) == {ALL, "EASI_PCHG"} and set(off.rows) == {2}


def test_a_fit_that_missed_its_demands_is_labelled_on_every_line(found):
    scores, made = found
    assert not scores[scores.forecaster == "rival"].passed.any()
    lines = made[made.forecaster == "rival"]
    assert not lines.passed.any() and set(lines.missed) == {"R-hat: 1.1"}
    assert made[made.forecaster == "ours"].passed.all()


def test_the_error_of_a_mean_counts_arms_and_not_visits():
    keys = [("S", f"arm {k}", week, "E") for k in range(40) for week in range(6)]
    index = pd.MultiIndex.from_tuples(keys, names=["study", "arm", "week", "endpoint"])
    by_arm = np.random.default_rng(2).normal(size=40)
    apart = pd.Series(np.repeat(by_arm, 6), index=index)
    assert by_arm_error(apart) == pytest.approx(by_arm.std(ddof=1) / np.sqrt(40))
    assert np.isnan(by_arm_error(apart[:6]))
