"""Regimens followed from where they part: the same as solving every one from the first dose."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from pkpd import library
from pkpd.arm_level import arms
from pkpd.arm_level.problem import likelihood as build
from pkpd.decision import answering
from pkpd.decision.asked import decision_asked
from pkpd.decision.drawn import Kept, _one, kept_beside, kept_by_draw
from pkpd.decision.forked import followed, fork
from pkpd.prediction.estimands import ESTIMANDS, Outcome
from pkpd.prediction.kept import kept
from pkpd.prediction.plan import plan
from pkpd.prediction.simulated import day_index, random_of, with_new_trial
from pkpd.settings import Predictions, Question
from pkpd.variation.standard import prior_draws

DRUG = "amlitelimab"
ASKED = Predictions(
    questions=(Question(drug=DRUG, induction="250 mg every 4 weeks", dose=250),),
    weeks=(24, 40, 72), intervals=(4, 12), patients=32, endpoints=("EASI75",),
)  # fmt: skip


@pytest.fixture(scope="module")
def likelihood(small):
    return replace(small, settings=small.settings.model_copy(update={"predictions": ASKED}))


@pytest.fixture(scope="module")
def made(likelihood):
    other = random_of(library.load("direct_emax"))
    return plan(likelihood, ASKED.questions[0], scored=other, leaving=True)


@pytest.fixture(scope="module")
def draws(likelihood):
    """Draws near the prior's middle: some patients respond in each."""
    middle = likelihood.space.unpack(likelihood.space.medians())
    return {
        name: 0.8 * np.asarray(middle[name]) + 0.2 * value
        for name, value in prior_draws(likelihood.space, 5, 7).items()
    }


def first(draws):
    return {name: np.asarray(value[0]) for name, value in draws.items()}


def both(found):
    """EASI ratio and stay probability, as arrays."""
    return found.ratio, found.stay


@pytest.mark.parametrize("model", ["tcell_rebalancing", "direct_emax"])
def test_a_fork_changes_nothing(likelihood, made, model):
    disease = library.load(model)
    space = build(likelihood.settings, likelihood.data, disease, likelihood.pk, 7.0).space
    values = first(prior_draws(space, 1, 3))
    at, cut = day_index(made.lanes, made.weeks), fork(made)
    ratio, stay = jax.jit(lambda v: both(arms.paths(disease, v, made.lanes)))(values)
    for staying, kept_on in ((True, stay[at]), (False, stay[at[:1]])):
        seen = jax.jit(lambda v, stay=staying: both(followed(disease, v, cut, staying=stay)))(
            values
        )
        assert np.asarray(seen[0]) == pytest.approx(np.asarray(ratio[at]), rel=1e-12)
        assert np.asarray(seen[1]) == pytest.approx(
            np.broadcast_to(kept_on, seen[1].shape), rel=1e-12
        )


@pytest.fixture(scope="module")
def both_ways(likelihood, made, draws):
    """Every estimand's shares in closed form, from one solve, and by counting patients."""
    asked = {Outcome("EASI75", name): np.ones((1, 32)) for name in ESTIMANDS}
    return kept_by_draw(likelihood, made, draws, asked), kept(likelihood, made, draws)


@pytest.mark.parametrize(
    "estimand", ["hypothetical", "NRI", "while-on-treatment", "treatment-policy"]
)
def test_shares_are_those_that_predict_counts_patient_by_patient(both_ways, estimand):
    """`kept` draws 256 patients with fixed luck; the closed form is what it tends to."""
    ours = both_ways[0][Outcome("EASI75", estimand)]
    theirs = both_ways[1]["EASI75", estimand, "proportion"]
    chosen = 256 * ours.selected[:, 0]
    error = np.sqrt(ours.share[:, 0] * (1 - ours.share[:, 0]) / chosen[:, None, None])
    assert (chosen > 10).sum() >= 3
    for draw in np.flatnonzero(chosen > 10):
        assert (np.abs(ours.share[draw, 0] - theirs[draw]) <= 4 * error[draw] + 1e-9).all()


@pytest.mark.parametrize("estimand", ["hypothetical", "treatment-policy"])
def test_one_program_serves_all_questions_and_keeps_nothing_of_the_first(
    likelihood, made, draws, estimand
):
    """Another dose of the same visits finds the program made, and its own numbers in it."""
    other = plan(likelihood, ASKED.questions[0].model_copy(update={"dose": 25}), leaving=True)
    asked = {(outcome := Outcome("EASI75", estimand)): np.ones((1, 32))}
    _one.clear_cache()
    before = kept_by_draw(likelihood, made, draws, asked)[outcome].share
    after = kept_by_draw(likelihood, other, draws, asked)[outcome].share
    assert _one._cache_size() == 1
    assert np.abs(after - before).max() > 0.01
    _one.clear_cache()
    alone = kept_by_draw(likelihood, other, draws, asked)[outcome].share
    assert after == pytest.approx(alone, rel=1e-12)


def test_outcomes_in_brief_take_some_of_the_draws_and_all_stay_in_order(
    likelihood, made, draws, both_ways
):
    whole, main = both_ways[0], Outcome("EASI75", "hypothetical")
    full = {main: np.ones((1, 32))}
    brief = {each: np.ones((1, 32)) for each in whole if each != main}
    found = kept_beside(likelihood, made, draws, full, brief, 3)
    assert len(whole[main].share) > 3
    for outcome, each in found.items():
        picked = whole[outcome].share[:: 1 if outcome == main else 3]
        assert each.share == pytest.approx(picked, rel=1e-9)
    assert found[main].selected == pytest.approx(whole[main].selected, rel=1e-9)


def test_brief_answers_split_their_draws_where_the_posterior_ends(likelihood, monkeypatch):
    """Seven draws of the posterior and four of the prior, every third in brief: 0 3 6, then 9."""

    def numbered(_, made, draws, full, brief, few):
        total = len(next(iter(draws.values())))

        def said(places):
            shape = (len(places), 1, len(made.labels), len(made.weeks))
            share = np.broadcast_to(places[:, None, None, None] / 100, shape)
            return Kept(share, np.ones((len(places), 1)))

        whole = dict.fromkeys(full, said(np.arange(total)))
        return whole | dict.fromkeys(brief, said(np.arange(total)[::few]))

    monkeypatch.setattr(answering, "kept_beside", numbered)
    monkeypatch.setattr(answering, "BRIEF", 2)
    asked = decision_asked(likelihood.settings, {"weeks": (40.0, 72.0)})
    own = answering.Contender(likelihood, prior_draws(likelihood.space, 7, 1))
    evidence = answering.Evidence([own], prior_draws(likelihood.space, 4, 2))
    full, *brief = answering.answered(ASKED.questions[0], evidence, asked)
    assert len(brief) == len(ESTIMANDS) - 1
    for each, wanted in ((full, np.arange(7)), *((each, [0, 3, 6]) for each in brief)):
        assert 100 * each.models[each.own].share[:, 0, 0, 0] == pytest.approx(wanted)
        before = np.arange(7, 11) if each is full else [9]
        assert 100 * each.prior.share[:, 0, 0, 0] == pytest.approx(before)


def test_a_new_trial_has_effects_of_its_own(likelihood, draws):
    asked = ASKED.questions[0]
    unseen = plan(likelihood, asked, new_trial=True)
    outcome = Outcome("EASI75", "NRI")
    everybody = {outcome: np.ones((1, 32))}
    own, other = (
        kept_by_draw(likelihood, unseen, with_new_trial(likelihood, draws, seed), everybody)[
            outcome
        ]
        for seed in (1, 2)
    )
    assert (np.abs(own.selected - other.selected) > 1e-3).any()
