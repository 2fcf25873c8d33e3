"""Predictions for any regimen, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pkpd.errors import DataError
from pkpd.prediction import anywhere
from pkpd.prediction.asked import Asked
from pkpd.prediction.simulated import with_new_trial

ASKED = {
    "drug": "rocatinlimab", "regimen": "300 mg every 8 weeks", "weeks": (4.0, 24.0, 52.0),
    "endpoint": "EASI75", "estimand": "NRI",
}  # fmt: skip


def predict(likelihood, draws, *, level=0.9, seed=1, **asked):
    return anywhere.predict(likelihood, draws, Asked(**asked), level=level, seed=seed)


def test_the_same_seed_gives_the_same_numbers(likelihood, draws):
    first, second = (predict(likelihood, draws, **ASKED) for _ in range(2))
    assert first.equals(second)


def test_rows_follow_the_contract(likelihood, draws):
    table = predict(likelihood, draws, **ASKED)
    assert list(table.week) == [4, 24, 52]
    assert set(table.statistic) == {"proportion"} and set(table.layer) == {"uncertainty"}
    assert ((table.lower >= 0) & (table.upper <= 1)).all()


def test_nri_is_at_most_observed(likelihood, draws):
    nri, observed = (
        predict(likelihood, draws, **ASKED | {"estimand": name})["mean"]
        for name in ("NRI", "observed")
    )
    assert (nri <= observed).all()


def test_placebo_takes_no_drug(likelihood, draws):
    asked = ASKED | {"drug": "placebo", "regimen": "none"}
    level = predict(likelihood, draws, **asked | {"endpoint": "CONC", "estimand": "hypothetical"})
    assert (level["mean"] < 1e-9).all()
    assert predict(likelihood, draws, **asked)["mean"].between(0, 1).all()
    with pytest.raises(DataError, match="placebo takes no drug"):
        predict(likelihood, draws, **asked | {"regimen": "300 mg every 4 weeks"})


def test_twice_the_dose_gives_more_than_the_level(likelihood, draws):
    asked = ASKED | {"endpoint": "CONC", "estimand": "hypothetical"}
    once = predict(likelihood, draws, **asked)["mean"]
    twice = predict(likelihood, draws, **asked | {"regimen": "600 mg every 8 weeks"})["mean"]
    assert (twice > 2 * once).all()  # elimination saturates


def test_a_new_small_trial_is_less_certain(likelihood, draws):
    same = {name: np.repeat(value[:1], 6, axis=0) for name, value in draws.items()}
    known = predict(likelihood, same, **ASKED)
    new = predict(likelihood, same, **ASKED, new_trial=20)
    assert set(new.layer) == {"new_trial"}
    assert (new.upper - new.lower)[1:].sum() > (known.upper - known.lower)[1:].sum()


def test_a_new_trial_has_effects_of_its_own(likelihood, draws):
    grown = with_new_trial(likelihood, draws, 1)
    assert grown["gamma_trial"].shape == (6, draws["gamma_trial"].shape[1] + 1)
    assert grown["dropout_trial"].shape == (6, draws["dropout_trial"].shape[1] + 1)
    assert np.array_equal(grown["gamma_trial"][:, :-1], draws["gamma_trial"])
    assert set(grown) == set(likelihood.space.names)


def test_every_fault_is_listed_with_what_may_have_been_meant(likelihood, draws):
    with pytest.raises(DataError) as caught:
        predict(
            likelihood,
            draws,
            drug="rocatinlimap",
            regimen="300 mg evry 8 weeks",
            weeks=(-1, 4),
            endpoint="EASI57",
            estimand="NIR",
            new_trial=0,
            level=9.0,
            seed=1,
        )
    said = str(caught.value)
    assert len(caught.value.faults) == 7
    for words in ("Did you mean rocatinlimab", "EASI75", "NRI", "week -1", "no patients", "level"):
        assert words in said


def test_while_on_treatment_lies_between_failures_and_those_who_stay(likelihood, draws):
    nri, own, stayed = (
        predict(likelihood, draws, **ASKED | {"estimand": name, "weeks": (52.0,)})["mean"].item()
        for name in ("NRI", "while-on-treatment", "hypothetical")
    )
    assert nri < own < stayed  # response builds up here, so who leaves early shows less of it


def test_while_on_treatment_is_hypothetical_where_nobody_leaves(likelihood, draws):
    calm = draws | {name: np.full(6, 1e-15) for name in ("dropout", "missed")}
    asked = ASKED | {"endpoint": "EASI_PCHG", "weeks": tuple(np.arange(0.0, 29, 4))}
    own, stayed = (  # every visit is asked about: the patients have the same luck
        predict(likelihood, calm, **asked | {"estimand": name})["mean"].to_numpy()
        for name in ("while-on-treatment", "hypothetical")
    )
    assert own[-1] < -20 and own == pytest.approx(stayed, abs=1e-9)


def leaving_at(draws, rate):
    """Draws under which everybody leaves at one rate a year, whatever their skin."""
    nobody_else = {"dropout_trial": np.zeros_like(draws["dropout_trial"])}
    return draws | nobody_else | {"dropout": np.full(6, rate), "dropout_power": np.zeros(6)}


def test_under_treatment_policy_doses_end_with_leaving(likelihood, draws):
    """At a constant rate the k-th dose is had with probability exp(-rate t_k)."""
    rate, weeks = 0.8, 8.0 * np.arange(7)
    asked = ASKED | {"endpoint": "DOSES", "estimand": "treatment-policy", "weeks": (52.0,)}
    ours = predict(likelihood, leaving_at(draws, rate), **asked)["mean"].item()
    had = np.exp(-rate * 7 * weeks / 365.25).sum()
    assert ours == pytest.approx(had, abs=0.25) and had < 6  # 512 lucks: an SE of 0.1
    again = "300 mg every 8 weeks until week 48, re-treat every 4 weeks when EASI-50 is lost"
    gone = predict(likelihood, leaving_at(draws, 1e4), **asked | {"regimen": again})["mean"].item()
    assert gone == pytest.approx(1.0)  # all leave before their first visit


def test_under_treatment_policy_the_drug_leaves_the_blood(likelihood, draws):
    asked = ASKED | {"endpoint": "CONC", "weeks": (52.0,)}
    on, left, gone = (
        predict(likelihood, leaving_at(draws, rate), **asked | {"estimand": name})["mean"].item()
        for name, rate in (("hypothetical", 1.0), ("treatment-policy", 1.0),
                           ("treatment-policy", 50.0))
    )  # fmt: skip
    share = np.exp(-(52 * 7) / 365.25)
    assert share * on < left < on and gone < 0.01 * on


def test_treatment_policy_asks_nothing_of_retreatment(likelihood, draws):
    again = "300 mg every 4 weeks until week 20, re-treat every 4 weeks when EASI-50 is lost"
    asked = ASKED | {"endpoint": "RETREATED", "estimand": "treatment-policy", "regimen": again}
    with pytest.raises(DataError, match="who left has none"):
        predict(likelihood, draws, **asked)


def test_what_is_counted_up_has_no_last_visit(likelihood, draws):
    asked = ASKED | {"endpoint": "DOSES", "estimand": "while-on-treatment"}
    with pytest.raises(DataError, match="DOSES counts what has happened so far"):
        predict(likelihood, draws, **asked)


def test_mean_change_has_no_failure_to_impute(likelihood, draws):
    with pytest.raises(DataError, match="no failure to impute"):
        predict(likelihood, draws, **ASKED | {"endpoint": "EASI_PCHG"})
