"""Rivals on data made by hand: what they say is known beforehand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from pkpd.validation.carried import carried
from pkpd.validation.forecast import natural
from pkpd.validation.logistic import CURVES, logistic, plain, to_fitted, to_plain
from pkpd.validation.points import Points, _sd

WEEKS = np.arange(2.0, 25.0, 2.0)


def share_points(arm, share, n=60.0, endpoint="EASI75", weeks=WEEKS):
    value = to_fitted("anscombe", np.asarray(share), n)
    same = np.ones(len(weeks))
    return Points(
        "S", arm, endpoint, "anscombe", np.asarray(weeks, float), value, 0.5 * same, n * same
    )


def seen(*points):
    return {(p.study, p.arm, p.endpoint): p for p in points}


def asked(arm, weeks, endpoint="EASI75", n=60, scale="anscombe"):
    return pd.DataFrame({"study": "S", "arm": arm, "week": weeks, "endpoint": endpoint, "n": n,
                         "scale": scale})  # fmt: skip


@pytest.fixture
def data():
    """Two arms of a drug, one of another, and an arm that patients of the first entered."""
    names = (
        ("high", "a", None),
        ("low", "a", None),
        ("placebo", "b", None),
        ("later", "a", "high"),
    )
    arms = [
        SimpleNamespace(study="S", name=name, drug=drug, parent=("S", parent) if parent else None)
        for name, drug, parent in names
    ]
    return SimpleNamespace(
        arms=arms, arm=lambda study, name: next(x for x in arms if x.name == name)
    )


def test_the_last_value_is_carried_with_the_binomial_error_of_both(data):
    known = seen(share_points("high", [0.2, 0.5], weeks=[12, 24]))
    answered, mixture = carried(asked("high", [28.0, 52.0]), known)
    assert answered.all()
    assert mixture.centre[:, 0] == pytest.approx(np.arcsin(np.sqrt(30.375 / 60.75)))
    assert mixture.spread[:, 0] == pytest.approx(np.sqrt(2 / (4 * 60)))


def test_what_comes_after_a_week_is_not_carried_back(data):
    known = seen(share_points("high", [0.2, 0.5], weeks=[12, 24]))
    answered, mixture = carried(asked("high", [8.0, 20.0]), known)
    assert list(answered) == [False, True]
    assert natural(asked("high", [20.0]), mixture.centre)[0, 0] == pytest.approx(0.2)


def test_an_arm_never_seen_has_no_last_value(data):
    answered, mixture = carried(asked("low", [28.0]), seen(share_points("high", [0.5], weeks=[24])))
    assert not answered.any() and mixture.centre.shape == (0, 1)


def test_a_logistic_curve_is_found_again_and_goes_on(data):
    truth = np.array([np.log(0.6 / 0.4), np.log(9.0), np.log(2.5)])
    known = seen(share_points("high", plain("EASI75", "anscombe", truth, WEEKS), n=4000.0))
    answered, mixture = logistic(asked("high", [13.0, 52.0]), known, data, discrepancy=0.0, seed=1)
    shown = natural(asked("high", [13.0, 52.0], n=4000), mixture.centre)
    assert answered.all() and mixture.centre.shape == (2, CURVES)
    assert shown.mean(axis=1) == pytest.approx([0.6 * expit(4 / 2.5), 0.6], abs=0.01)


def test_an_arm_not_seen_takes_the_curve_of_its_drug_and_of_no_other(data):
    known = seen(share_points("high", np.full(12, 0.6)), share_points("placebo", np.full(12, 0.1)))
    rows = asked("low", [24.0])
    answered, mixture = logistic(rows, known, data, discrepancy=0.0, seed=1)
    assert answered.all()
    assert natural(rows, mixture.centre).mean() == pytest.approx(0.6, abs=0.06)
    alone = {key: p for key, p in known.items() if key[1] == "high"}
    answered, _ = logistic(asked("placebo", [24.0]), alone, data, discrepancy=0.0, seed=1)
    assert not answered.any()


def test_a_later_arm_goes_on_from_its_own_last_value_along_its_parents_curve(data):
    known = seen(share_points("high", np.full(12, 0.5), n=4000.0),
                 share_points("later", [0.9], n=4000.0, weeks=[24]))  # fmt: skip
    _, mixture = logistic(asked("later", [28.0]), known, data, discrepancy=0.0, seed=1)
    assert natural(asked("later", [28.0], n=60), mixture.centre).mean() == pytest.approx(
        0.9, abs=0.03
    )


def test_points_that_scatter_widen_the_forecast(data):
    flat, wild = np.full(12, 0.5), 0.5 + 0.35 * np.resize([1, -1], 12)
    spreads = [
        logistic(asked("high", [28.0]), seen(share_points("high", share)), data, discrepancy=0.0,
                 seed=1)[1].spread.mean()
        for share in (flat, wild)
    ]  # fmt: skip
    assert spreads[0] == pytest.approx(0.5 / np.sqrt(60)) and spreads[1] > 3 * spreads[0]


def test_the_same_seed_gives_the_same_curves(data):
    known, rows = seen(share_points("high", np.linspace(0.1, 0.6, 12))), asked("high", [28.0])
    first, second = (logistic(rows, known, data, discrepancy=0.03, seed=4)[1] for _ in range(2))
    assert np.array_equal(first.centre, second.centre)


def test_scales_of_curves_are_inverses():
    share = np.array([0.0, 0.3, 1.0])
    assert to_plain("anscombe", to_fitted("anscombe", share, 25), 25) == pytest.approx(share)
    assert to_plain("log", np.array(1.2), 25) == 1.2


def test_the_spread_of_a_patient_comes_from_what_was_posted():
    assert _sd("sd", 30.0, np.nan, np.nan, 25) == 30.0
    assert _sd("se", 6.0, np.nan, np.nan, 25) == 30.0
    assert _sd("ci95", np.nan, -1.96, 1.96, 25) == pytest.approx(5.0, abs=1e-3)
    draws = np.random.default_rng(1).normal(size=(4000, 50))
    widths = [_sd("range", np.nan, x.min(), x.max(), 50) for x in draws]
    assert np.mean(widths) == pytest.approx(1.0, abs=0.02)
    assert np.isnan(_sd("", np.nan, np.nan, np.nan, 50))
