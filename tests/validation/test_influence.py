"""What was left out can move neither the fit of the rest nor the forecast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from pkpd import library
from pkpd.arm_level.problem import likelihood
from pkpd.data.arms import read_arms
from pkpd.fit_folder import Problem
from pkpd.settings import read_settings
from pkpd.validation.by_model import by_model, given
from pkpd.validation.left_in import can_fit, without
from pkpd.validation.left_out import chosen
from pkpd.validation.making import studies_of
from pkpd.validation.split import rows_of, split
from pkpd.variation.standard import prior_draws

FITS = Path(__file__).parents[2] / "fits"
PARENTS, WEEKS = ("250 mg Q4W + 500 mg LD", "placebo"), (4, 24, 28, 36)
NUMBERS = ["value", "count", "n", "spread_value"]


def small_problem(change=lambda rows: rows):
    """Two arms of STREAM-AD-1 and those they feed at a few visits, with four patients an arm."""
    settings = read_settings(FITS / "ox40_extension/fit.toml")
    settings = settings.model_copy(
        update={"patients": settings.patients.model_copy(update={"count": 4}),
                "drugs": {"amlitelimab": "amlitelimab_tiraboschi_2025"},
                "dropout": settings.dropout[2:]}
    )  # fmt: skip
    data = read_arms(FITS / "data/ox40_trials")
    arms = tuple(a for a in data.arms if a.study.startswith("STREAM")
                 and (a.name in PARENTS or (a.parent and a.parent[1] in PARENTS)))  # fmt: skip
    names = {(arm.study, arm.name) for arm in arms}
    kept = [key in names for key in zip(data.rows.study, data.rows.arm, strict=True)]
    rows = change(data.rows[np.array(kept) & data.rows.week.isin(WEEKS)].copy())
    pk = {drug: library.load(name) for drug, name in settings.drugs.items()}
    data = replace(data, arms=arms, rows=rows)
    return Problem(settings, data, library.load(settings.model), pk)


def altered(rows):
    """Every result of Part 2 after its selection visit told otherwise."""
    later = (rows.study == "STREAM-AD-2") & (rows.week > 24)
    rows.loc[later, NUMBERS] = np.floor(rows.loc[later, NUMBERS] * 0.6)
    return rows


@pytest.fixture(scope="module", autouse=True)
def quick_compile():
    """Programs compile in two thirds of the time and run slower: they are called seldom."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def pair():
    """The problem as posted and with altered results, each without Part 2, and the part."""
    first, second = small_problem(), small_problem(altered)
    (part,) = chosen(first.data, ["STREAM-AD-2"], lambda each: can_fit(first, each))
    return first, second, part


def built(problem):
    return likelihood(problem.settings, problem.data, problem.disease, problem.pk, 7.0)


def test_the_likelihood_of_what_stays_does_not_see_what_was_left_out(pair):
    first, second, part = pair
    one, other = (built(without(problem, part)) for problem in (first, second))
    for s, t in zip(one.studies, other.studies, strict=True):
        assert all(np.array_equal(getattr(s, n), getattr(t, n)) for n in
                   ("observed", "posted", "share_seen", "share_sampled", "n", "day"))  # fmt: skip
    values = one.space.unpack(one.space.medians())
    assert one.log_density(values) == other.log_density(values)


def test_a_selection_visit_that_stays_alone_says_nothing_of_the_parameters(pair):
    first, _, _ = pair
    (later,) = chosen(first.data, ["later"], lambda each: can_fit(first, each))
    own = built(without(first, later))
    held = own.held_at(own.space.medians())
    ours = np.array([name.startswith("STREAM-AD-2") for name in own.arm_names])
    for each in (own, held):
        values = each.space.unpack(each.space.medians())
        by_arm = np.asarray(each.by_arm(values))
        assert ours.any() and by_arm[ours] == pytest.approx(0.0, abs=1e-9)
        assert (by_arm[~ours] != 0).all() and np.isfinite(by_arm).all()


def test_results_that_stay_would_have_been_seen(pair):
    first, _, part = pair

    def change(rows):
        rows.loc[rows.study == "STREAM-AD-1", "value"] += 1.0
        return rows

    one, other = (studies_of(without(p, part)) for p in (first, small_problem(change)))
    assert not np.array_equal(one[0].observed, other[0].observed)


def test_the_forecast_does_not_see_what_was_left_out(pair):
    first, second, part = pair
    found = []
    for problem in (first, second):
        whole = built(problem)
        splits = split(whole.studies, studies_of(without(problem, part)))
        draws = prior_draws(whole.space, 2, 1)
        found.append((rows_of(splits), by_model(whole, splits, draws, lambda share: None)))
    assert found[0][0].equals(found[1][0])
    assert np.array_equal(found[0][1].centre, found[1][1].centre)
    assert np.array_equal(found[0][1].spread, found[1][1].spread)
    assert np.isfinite(found[0][1].centre).all() and (found[0][1].spread > 0).all()


def test_features_given_others_are_those_of_the_normal():
    covariance = np.array([[4.0, 1.2, 0.5], [1.2, 1.0, 0.0], [0.5, 0.0, 2.0]])
    known = np.array([False, True, False])
    centre, variance = given(
        np.array([1.0, 2.0, 3.0]), covariance, np.array([np.nan, 3.0, np.nan]), known
    )
    assert centre == pytest.approx([1 + 1.2, 3.0, 3.0])
    assert variance == pytest.approx([4 - 1.44, 0.0, 2.0])
