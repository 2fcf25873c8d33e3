"""Regimens decided at visits: the same as stepping from visit to visit, and what must hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pkpd.arm_level import arms as solver
from pkpd.errors import DataError, ModelError
from pkpd.mechanism import mesh as meshes
from pkpd.prediction import anywhere
from pkpd.prediction.asked import Asked
from pkpd.prediction.followed import arms_for
from pkpd.prediction.patients import luck, shown, wandering
from pkpd.prediction.plan import plan
from pkpd.prediction.simulated import dosed, people_for
from pkpd.regimen import regimen
from pkpd.settings import Question
from pkpd.variation.population import exposures

AGAIN = "300 mg every 4 weeks until week 8, re-treat with 150 mg every 8 weeks when EASI-50 is lost"
NEVER = "300 mg every 4 weeks until week 8, stop after EASI-90 kept for 1000 weeks"
WEEKS = np.array([24.0, 52.0])


@pytest.fixture(scope="module")
def few(asking, likelihood):
    return asking(likelihood, patients=16)


@pytest.fixture(scope="module")
def arms(few):
    return arms_for(few, "rocatinlimab", [regimen(AGAIN), regimen(NEVER)], WEEKS)


@pytest.fixture(scope="module")
def values(draws):
    return {name: value[2] for name, value in draws.items()}


@pytest.fixture(scope="module")
def chance(arms):
    return luck(np.random.default_rng(3), len(arms[0].weeks), (16,))


@pytest.fixture(scope="module")
def found(arms, values, chance):
    return arms[0].follow(values, np.arange(16), chance, all_seen=False)


def stepped(arm, values, chance):
    """From visit to visit: the plan's doses, then what the plain rule says at each visit."""
    doses = {(week, n): 300.0 for week in (0, 4, 8) for n in range(16)}
    had, again, visit = np.zeros(16, bool), np.full(16, np.inf), None
    for week in arm.weeks:
        weeks = np.array(sorted({when for when, _ in doses}), float)
        amounts = np.array([[doses.get((when, n), 0.0) for n in range(16)] for when in weeks])
        nodes = meshes.nodes(arm.lanes.mesh)
        table = exposures(arm.pk, arm.people, 0, list(zip(weeks * 7, amounts, strict=True)), nodes)
        solved = arm.solve(values, table[:, :, None], arm.lanes.scores, arm.people.easi)
        ratio, stay, level = (np.asarray(part)[:, 0] for part in solved)
        visit = shown(
            values,
            ratio=ratio,
            stay=stay,
            easi=arm.people.easi[0],
            drift=wandering(values, chance, arm.weeks),
            chance=chance,
            trial=int(arm.lanes.trial[0]),
        )
        at = int(np.searchsorted(arm.weeks, week))
        for n in np.flatnonzero(visit.present[at]):
            responds = bool(visit.response["EASI50"][at, n])
            if week > 8 and had[n] and not responds and np.isinf(again[n]):
                again[n] = week
                doses |= {(float(when), n): 150.0 for when in np.arange(week, 52.1, 8)}
            had[n] |= responds
    return visit, doses, again


def test_the_doses_are_those_of_stepping_from_visit_to_visit(arms, values, chance, found):
    visit, doses, again = stepped(arms[0], values, chance)
    given = found.given
    own = {
        (float(week), n): given.amounts[k, n]
        for k, week in enumerate(given.weeks)
        for n in range(16)
        if given.amounts[k, n]
    }
    assert own == doses
    assert 2 <= np.isfinite(again).sum() < 16  # some are re-treated and some are not
    assert np.array_equal(given.retreated, again)
    np.testing.assert_allclose(found.visit.seen, visit.seen, rtol=1e-6)


def test_until_re_treatment_patients_are_those_of_the_plan(arms, values, chance, found):
    arm = arms[0]
    table = arm.lanes.log_concentration
    ratio = np.asarray(arm.solve(values, table, arm.lanes.scores, arm.people.easi)[0])[:, 0]
    plan = ratio * np.exp(wandering(values, chance, arm.weeks))
    until = arm.weeks[:, None] <= found.given.retreated
    assert 0 < until.sum() < until.size
    np.testing.assert_allclose(found.visit.seen[until], plan[until], rtol=1e-6)
    assert (found.visit.seen < 0.999 * plan)[~until].any()


def test_a_rule_that_never_holds_leaves_the_plan(arms, values, chance):
    found = arms[1].follow(values, np.arange(16), chance, all_seen=True)
    assert set(found.given.weeks) == {0, 4, 8} and np.isinf(found.given.retreated).all()


def test_arms_that_are_compared_share_patients_and_weeks(arms):
    assert np.array_equal(arms[0].weeks, arms[1].weeks)
    assert np.array_equal(arms[0].people.easi, arms[1].people.easi)


def test_a_finer_mesh_tells_the_same(arms, values, found, few):
    """The mean EASI ratio at each week, to the tolerance that the fit's own mesh is planned by."""
    arm, given = arms[0], found.given
    who, doses = np.arange(16), list(zip(given.weeks * 7, given.amounts, strict=True))

    def means(days):
        people, nodes = arm.people, meshes.nodes(days)
        table = exposures(arm.pk, people, 0, doses, nodes)[:, :, None]
        phase = arm.lanes.phase[np.searchsorted(arm.lanes.mesh, days[:-1], side="right") - 1]
        lanes = replace(arm.lanes, mesh=days, log_concentration=table, phase=phase)
        ratio = np.asarray(solver.paths(few.disease, values, lanes).ratio)[:, 0]
        return ratio[np.searchsorted(days, arm.weeks * 7 - 1e-6)][:, who].mean(axis=1)

    coarse, fine = means(arm.lanes.mesh), means(meshes.refined(arm.lanes.mesh, 4))
    assert np.abs(coarse - fine).max() < few.settings.sampler.tolerance


def test_a_weight_band_gives_each_patient_their_own_dose(few):
    banded = regimen("150 mg below 80 kg, 300 mg from 80 kg, every 4 weeks")
    people = people_for(few, "rocatinlimab", 1)
    weight, days = people.covariates["wt"][0], np.array([0.0, 20.0, 100.0])
    assert (weight < 80).any() and (weight >= 80).any()
    pk = few.pk["rocatinlimab"]
    both = exposures(pk, people, 0, dosed(banded, 16, weight), days)
    for text, inside in (("150 mg", weight < 80), ("300 mg", weight >= 80)):
        plain = dosed(regimen(f"{text} every 4 weeks"), 16, weight)
        alone = exposures(pk, people, 0, plain, days)
        np.testing.assert_allclose(both[:, :, inside], alone[:, :, inside], rtol=1e-12)


def test_an_induction_may_have_bands_and_no_rules(few):
    def asked(induction):
        return plan(few, Question(drug="rocatinlimab", induction=induction, dose=300))

    made = asked("150 mg below 80 kg, 300 mg from 80 kg, every 4 weeks")
    assert made.regimens[0].edges == (80.0,)
    assert np.isfinite(made.lanes.log_concentration).all()
    assert made.trough[0].tolist() == [24, 28, 36, 52, 104]
    with pytest.raises(ModelError, match="decides at visits"):
        asked(AGAIN)


def test_days_without_number_are_refused(few):
    with pytest.raises(DataError, match="over 4000 days"):
        arms_for(few, "rocatinlimab", [regimen(AGAIN.replace("8 weeks when", "0.01 weeks when"))],
                 WEEKS)  # fmt: skip


def ask(few, draws, **asked):
    words = {"drug": "rocatinlimab", "weeks": (8.0, 52.0), "endpoint": "EASI50", "estimand": "NRI"}
    return anywhere.predict(few, draws, Asked(**words | asked), level=0.9, seed=1)


def test_recapture_is_a_share_of_those_re_treated_and_grows(few, draws):
    some = {name: value[:2] for name, value in draws.items()}
    table = ask(few, some, regimen=AGAIN, endpoint="EASI50_RECAPTURED")
    assert np.isnan(table["mean"][0])  # nobody has been re-treated by week 8
    assert 0 < table["mean"][1] <= 1 and set(table.statistic) == {"proportion"}
    assert set(table.regimen) == {AGAIN}


def test_a_regimen_with_rules_answers_for_a_new_trial(few, draws):
    some = {name: value[:2] for name, value in draws.items()}
    table = ask(few, some, regimen=AGAIN, new_trial=12)
    assert set(table.layer) == {"new_trial"} and table["mean"].between(0, 1).all()


def test_what_nobody_is_re_treated_for_is_refused_with_every_other_fault(few, draws):
    with pytest.raises(DataError, match="nobody is re-treated under '300 mg every 4 weeks'"):
        ask(few, draws, regimen="300 mg every 4 weeks", endpoint="RETREATED")
    with pytest.raises(DataError) as caught:
        ask(few, draws, regimen="0 mg every 0 weeks, extend to every 8 weeks after EASI-57 kept "
            "for 24 weeks", endpoint="EASI51")  # fmt: skip
    assert len(caught.value.faults) == 4
