"""Treatment-policy: closed form and counting, beside every week of leaving solved on its own."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.arm_level import arms
from pkpd.decision.drawn import kept_by_draw
from pkpd.decision.shares import Followed, responding
from pkpd.prediction.estimands import Outcome, after_all
from pkpd.prediction.kept import kept
from pkpd.prediction.leaving import weeks_of_leaving
from pkpd.prediction.plan import plan
from pkpd.prediction.simulated import day_index, lanes_for
from pkpd.settings import Predictions, Question
from pkpd.variation.standard import prior_draws

PATIENTS = 512
ASKED = Predictions(
    questions=(Question(drug="amlitelimab", induction="250 mg every 4 weeks", dose=250),),
    weeks=(24, 40, 72), intervals=(4, 12), patients=PATIENTS, endpoints=("EASI75",),
)  # fmt: skip
POLICY, HYPOTHETICAL = (Outcome("EASI75", n) for n in ("treatment-policy", "hypothetical"))


@pytest.fixture(scope="module")
def asked_of(small):
    """A small likelihood, many virtual patients."""
    return replace(small, settings=small.settings.model_copy(update={"predictions": ASKED}))


@pytest.fixture(scope="module")
def made(asked_of):
    return plan(asked_of, ASKED.questions[0], leaving=True)


@pytest.fixture(scope="module")
def draws(asked_of):
    """Near the prior's middle; half of the patients leave in a year."""
    middle = asked_of.space.unpack(asked_of.space.medians())
    drawn = prior_draws(asked_of.space, 3, 7)
    near = {name: 0.8 * np.asarray(middle[name]) + 0.2 * value for name, value in drawn.items()}
    return near | {"dropout": np.full(3, 0.7)}


def both_estimands(likelihood, made, draws):
    asked = dict.fromkeys((POLICY, HYPOTHETICAL), np.ones((1, PATIENTS)))
    found = kept_by_draw(likelihood, made, draws, asked)
    return found[POLICY].share[:, 0], found[HYPOTHETICAL].share[:, 0]


@pytest.fixture(scope="module")
def found(asked_of, made, draws):
    """Shares (draws, regimens, visits) under treatment-policy, and hypothetical."""
    return both_estimands(asked_of, made, draws)


def every_week(likelihood, made, values):
    """Shares (regimens, visits): whoever leaves in four weeks has no dose after their middle."""
    at, drug, days = day_index(made.lanes, made.weeks), ASKED.questions[0].drug, made.lanes.mesh
    known = {name: jnp.asarray(value) for name, value in values.items()}
    easi, trial = jnp.asarray(made.lanes.easi[0]), int(made.lanes.trial[0])

    @jax.jit
    def solved(level):
        found = arms.paths(likelihood.disease, known, replace(made.lanes, log_concentration=level))
        seen = Followed(found.ratio[at], found.stay[at], easi)
        told = responding(known, seen, made.weeks, endpoint="EASI75", trial=trial)
        return found.stay, told.first, told.both

    stay, first, both = (np.asarray(part) for part in solved(made.lanes.log_concentration))
    total, weeks = stay[at[0], 0] * both, np.union1d(made.weeks, made.trough)
    for week in np.arange(made.weeks[0], made.weeks[-1], 4):
        ends = np.full(PATIENTS, week + 2)
        lanes = lanes_for(likelihood, drug, made.regimens, weeks, ends=ends)
        after = np.asarray(solved(lanes.log_concentration)[2])
        left = at_week(stay, days, week) - at_week(stay, days, week + 4)
        total += (made.weeks[1:] > week)[:, None, None] * left * (after - both)
    return (total.sum(axis=-1) / (stay[at[0], 0] * first).sum()).T


def at_week(path, days, week):
    """A path (days, runs, patients) at a week between days of the mesh."""
    return np.apply_along_axis(lambda each: np.interp(7 * week, days, each), 0, path)


def test_one_week_a_patient_stands_for_all_weeks(asked_of, made, draws, found):
    values = {name: np.asarray(value[0]) for name, value in draws.items()}
    theirs = every_week(asked_of, made, values)
    ours, stayed = found[0][0][:, 1:], found[1][0][:, 1:]
    assert np.abs(ours - theirs).max() < 0.005  # the middle of four weeks, and 512 weeks of leaving
    assert (stayed - theirs)[0].max() > 0.02  # which is far from what leaving changes


def test_half_of_the_patients_stand_for_all_who_leave(asked_of, draws, found):
    """D of the docstring is a mean of what leaving changes, taken over 256 weeks for 512."""
    half = plan(asked_of, ASKED.questions[0], leaving=0.5)
    assert half.leavers is not None and half.leavers.week.size == PATIENTS // 2
    policy, hypothetical = both_estimands(asked_of, half, draws)
    assert hypothetical == pytest.approx(found[1], abs=1e-12)
    assert np.abs(policy - found[0]).max() < 0.003
    assert (hypothetical - policy).max() > 0.02


def test_who_stopped_loses_nothing_by_leaving(found):
    policy, hypothetical = found
    assert policy[:, -1] == pytest.approx(hypothetical[:, -1], abs=1e-12)


def test_it_lies_between_staying_on_and_stopping_at_once(found):
    policy, hypothetical = found
    assert (policy[:, :2] <= hypothetical[:, :2]).all()
    assert (policy[:, :2] >= hypothetical[:, -1:] - 1e-9).all()


def test_it_is_hypothetical_where_nobody_leaves(asked_of, made, draws):
    policy, hypothetical = both_estimands(asked_of, made, draws | {"dropout": np.full(3, 1e-15)})
    assert policy == pytest.approx(hypothetical, abs=1e-12)


def test_counting_patients_tends_to_it(asked_of, made, draws, found):
    """`kept` counts 8 x 512 patients: three in a thousand where half of them respond."""
    counted = kept(asked_of, made, draws)["EASI75", "treatment-policy", "proportion"]
    selected = counted[..., 0] == 1
    assert selected.all() and np.abs(counted - found[0]).max() < 0.06


def test_a_plan_without_those_who_leave_is_refused(asked_of, draws):
    without = plan(asked_of, ASKED.questions[0])
    with pytest.raises(ValueError, match="leaving=True"):
        kept_by_draw(asked_of, without, draws, {POLICY: np.ones((1, PATIENTS))})


def test_weeks_of_leaving_are_spread_evenly():
    weeks = weeks_of_leaving(64, 24.0, 104.0, 1)
    assert np.sort(weeks) == pytest.approx(24 + 80 * (np.arange(64) + 0.5) / 64)
    assert not (np.diff(weeks) > 0).all()


def test_two_of_four_patients_leave_by_hand():
    """Two have left; of the likely leavers one keeps its value, one loses it, twice as likely."""
    value = np.array([[1.0, 1.0, 1.0, 0.0]])
    after = np.array([[0.0, 1.0, 0.0, 0.0]])
    staying = np.array([[True, False, False, True]])
    weight = np.array([[0.2, 0.1, 0.0, 0.0]])
    assert after_all(value, after, staying, weight) == pytest.approx(0.75 - 0.5 * 2 / 3)
    nobody = np.empty((1, 0))
    assert np.isnan(after_all(nobody, nobody, nobody.astype(bool), nobody)).all()
