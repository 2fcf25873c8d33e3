"""Responders re-randomised: what must hold whatever the draws say."""

from __future__ import annotations

import numpy as np
import pytest

from pkpd.errors import DataError
from pkpd.prediction.estimands import ESTIMANDS
from pkpd.prediction.kept import kept, weeks_to_loss
from pkpd.prediction.maintenance import maintenance
from pkpd.prediction.plan import last_before, plan
from pkpd.prediction.seen import flag, seen
from pkpd.prediction.summarise import interval
from pkpd.regimen import regimen
from pkpd.responses import RESPONSES


@pytest.fixture(scope="module")
def made(likelihood, question):
    return plan(likelihood, question, leaving=True)


@pytest.fixture(scope="module")
def found(likelihood, made, draws):
    return kept(likelihood, made, draws)


@pytest.fixture(scope="module")
def answer(likelihood, draws):
    return maintenance(likelihood, draws)


def test_stopping_gives_no_dose_from_selection_on(made):
    assert made.labels == ("Q4W", "Q12W", "stop")
    weeks = [dose.week for dose in made.regimens[-1].doses(104)]
    assert weeks == [0, 4, 8, 12, 16, 20]


def test_stretched_dosing_goes_on_from_selection(made):
    weeks = [dose.week for dose in made.regimens[1].doses(60)]
    assert weeks == [0, 4, 8, 12, 16, 20, 24, 36, 48, 60]


def test_troughs_are_read_before_the_last_dose():
    assert last_before(regimen("300 mg every 12 weeks"), 50, 24) == 48
    assert last_before(regimen("300 mg every 4 weeks until week 20"), 50, 24) == 50


def test_every_selected_patient_responds_at_selection(found):
    for endpoint in RESPONSES:
        for estimand in ESTIMANDS:
            assert (found[endpoint, estimand, "proportion"][..., 0] == 1).all()


def test_nri_is_at_most_observed_and_observed_at_most_one(found):
    observed, nri = (found["EASI75", name, "proportion"] for name in ("observed", "NRI"))
    assert (nri <= observed).all() and (observed <= 1).all()


def test_estimands_agree_when_nobody_leaves(likelihood, made, draws):
    draws = draws | {name: np.full(6, 1e-15) for name in ("dropout", "missed")}
    some = kept(likelihood, made, draws)
    for estimand in ("observed", "NRI", "while-on-treatment"):
        same = some["EASI75", "hypothetical", "proportion"]
        assert (some["EASI75", estimand, "proportion"] == same).all()
    followed = some["EASI75", "treatment-policy", "proportion"]
    assert followed == pytest.approx(same, abs=1e-12, nan_ok=True)


def test_the_same_regimen_twice_gives_identical_numbers(likelihood, draws, asking, question):
    twice = asking(likelihood, intervals=(4.0, 4.0))
    some = kept(twice, plan(twice, question), draws)
    for values in some.values():
        assert np.array_equal(values[:, 0], values[:, 1], equal_nan=True)


def test_the_same_seed_gives_the_same_numbers(likelihood, made, draws, found):
    again = kept(likelihood, made, draws)
    assert all(np.array_equal(again[key], found[key], equal_nan=True) for key in found)


def test_difference_and_ratio_are_those_of_the_share(answer, likelihood, made, draws, found):
    share = found["EASI75", "NRI", "proportion"]
    rows = answer.query(
        "endpoint == 'EASI75' and estimand == 'NRI' and regimen == 'stop' and week == 52"
    ).set_index("statistic")["mean"]
    assert rows["proportion"] == pytest.approx(share[:, 2, 3].mean())
    assert rows["difference"] == pytest.approx((share[:, 2, 3] - share[:, 0, 3]).mean())
    assert rows["kept_ratio"] == pytest.approx((share[:, 2, 3] / share[:, 0, 3]).mean())


def test_layers_are_kept_apart(answer):
    rows = answer.query("statistic == 'mean_change' and estimand == 'hypothetical'")
    assert set(rows.layer) == {"uncertainty", "variability"}
    assert not rows.duplicated(["regimen", "week", "layer"]).any()


def test_intervals_hold_their_mean(answer):
    rows = answer.query("layer == 'uncertainty'").dropna(subset="mean")
    assert ((rows.lower <= rows.upper + 1e-12) & (rows.kind == "eti")).all()


def test_answers_beyond_what_was_observed_are_flagged(likelihood, made, question):
    known = seen(likelihood, question.drug)
    q12w, stop = (made.labels.index(label) for label in ("Q12W", "stop"))
    assert "after week 56" in flag(made, known, stop, 104)
    assert "off drug" in flag(made, known, stop, 52)
    assert "Troughs" in flag(made, known, q12w, 52) and "after" not in flag(made, known, q12w, 52)


def test_time_to_loss_is_that_of_the_first_visit_without_response():
    response = np.array([[[True, True], [False, True], [True, True]]])
    assert weeks_to_loss(response, np.array([24.0, 28.0, 36.0])).tolist() == [[4.0, np.inf]]


def test_times_to_loss_are_told_at_the_last_visit(answer, found, made):
    rows = answer.query("endpoint == 'EASI75' and regimen == 'stop'").set_index("statistic")
    mean = rows.loc["restricted_mean_weeks_to_loss"]
    assert mean.week == made.weeks[-1]
    time = found["EASI75", "hypothetical", "restricted_mean_weeks_to_loss"]
    assert mean["mean"] == pytest.approx(time[:, 2, 0].mean())
    assert 0 < mean["lower"] <= mean["mean"] <= mean["upper"] <= made.weeks[-1] - made.selection


def test_a_time_to_what_never_happens_in_some_draws_is_infinite_there():
    times = np.array([[8.0], [12.0], [16.0], [np.inf]])
    mean, lower, upper = (end.item() for end in interval(times, 0.5))
    assert (mean, lower, upper) == (np.inf, 8.0, 16.0)
    times = np.array([[np.nan], [8.0], [12.0]])
    mean, lower, upper = (end.item() for end in interval(times, 0.5))
    assert (mean, lower, upper) == (10.0, 9.0, 11.0)


def test_unknown_drugs_and_endpoints_are_all_listed(likelihood, draws, asking, question):
    wrong = question.model_copy(update={"drug": "rocatinlimap"})
    with pytest.raises(DataError, match="Did you mean rocatinlimab") as caught:
        maintenance(asking(likelihood, questions=(wrong,), endpoints=("EASI57",)), draws)
    assert len(caught.value.faults) == 2
