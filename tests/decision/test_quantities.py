"""Decisions from draws made by hand, where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pkpd.decision.loss import injections, loss_by_draw
from pkpd.decision.quantities import answer, by_draw, choices, dominated, summaries
from pkpd.decision.weighed import Weighed, even, interval, mean, stacked
from pkpd.settings import Loss

WEEK = 76.0


@pytest.fixture
def said(share, regimens, asked):
    return answer(even(share), regimens, asked, WEEK)


def test_numbers_are_means_over_draws(said):
    assert said["proportion"].value[0] == pytest.approx([0.75, 0.7025, 0.3775])
    assert said["difference"].value[0] == pytest.approx([0, -0.0475, -0.3725])
    ratio = [1.0, np.mean([1, 0.75 / 0.8, 0.65 / 0.8, 0.61 / 0.6]),
             np.mean([0.5, 0.375, 0.25, 0.61 / 0.6])]  # fmt: skip
    assert said["kept_ratio"].value[0] == pytest.approx(ratio)


def test_chances_are_shares_of_draws(said):
    assert said["prob_loss_within_margin"].value[0].tolist() == [1.0, 0.75, 0.25]
    assert said["prob_kept_share"].value[0].tolist() == [1.0, 1.0, 0.25]
    assert said["prob_dominated"].value[0].tolist() == [0.5, 0.25, 0.0]


def test_the_longest_interval_is_the_last_that_is_likely_enough(said, asked):
    made = choices(said, asked)
    assert (made.longest_kept, made.longest_within_margin) == ((1,), (1,))
    surer = choices(said, replace(asked, probability=0.8))
    assert (surer.longest_kept, surer.longest_within_margin) == ((1,), (0,))
    sloppy = choices(said, replace(asked, probability=0.25))
    assert (sloppy.longest_kept, sloppy.longest_within_margin) == ((2,), (2,))


def test_a_longer_interval_needs_every_shorter_one(asked, regimens):
    last = np.array([[0.8, 0.5, 0.8]])
    share = np.stack([np.ones_like(last), last], axis=-1)[:, None]
    said = answer(even(share), regimens, asked, WEEK)
    assert said["prob_kept_share"].value[0].tolist() == [1.0, 0.0, 1.0]
    assert choices(said, asked).longest_kept == (0,)


def test_loss_is_time_without_response_and_injections(asked, regimens, share):
    lost = by_draw(share, regimens, asked, WEEK)["expected_loss"][0, 0]
    year = 365.25 / 7
    # responding falls in a line from 1 to 0.8, 0.8 and 0.4: on average 0.9, 0.9 and 0.7
    assert lost == pytest.approx([0.1 + 0.01 * year / 4, 0.1 + 0.01 * year / 8, 0.3])


def test_the_least_loss_moves_with_the_price_of_an_injection(share, regimens, asked):
    def best(**losses):
        priced = replace(asked, loss=Loss(**losses))
        return choices(answer(even(share), regimens, priced, WEEK), priced).least_loss

    assert best(injection=0.0) == (0,)
    assert best(injection=0.01) == (1,)
    assert best(injection=0.1) == (2,)
    assert best(injection=0.0, lost=0.0, kept=1.0) == (2,)  # response itself as the harm


def test_the_chance_of_least_loss_counts_draws(said):
    # 0.130 and 0.065 a year for injections; the third draw loses 0.23 on Q4W, 0.24 on Q8W
    assert said["prob_least_loss"].value[0] == pytest.approx([0.25, 0.5, 0.25])


def test_loss_up_to_a_week_leaves_later_visits_out(regimens, asked):
    share = np.array([[[1.0, 0.5, 0.0]]])
    weeks = np.array([24.0, 50.0, 76.0])
    early = loss_by_draw(share[..., :2], weeks[:2], (np.inf,), asked.loss)
    late = loss_by_draw(share, weeks, (np.inf,), asked.loss)
    assert (early.item(), late.item()) == pytest.approx((0.25, 0.5))


def test_injections_a_year():
    assert injections((4.0, np.inf)).tolist() == pytest.approx([365.25 / 28, 0.0])


def test_a_regimen_is_dominated_by_fewer_injections_that_keep_as_much():
    assert dominated(np.array([0.7, 0.8, 0.6])).tolist() == [1, 0, 0]
    assert dominated(np.array([0.8, 0.7, 0.7])).tolist() == [0, 1, 0]


def test_a_draw_of_twice_the_weight_counts_as_two(share):
    weight = np.array([2.0, 1.0, 1.0, 1.0]) / 5
    twice = np.concatenate([share[:1], share])
    even_weight = np.full(5, 0.2)
    assert mean(share, weight) == pytest.approx(mean(twice, even_weight))
    for level in (0.5, 0.9):
        one, other = interval(share, weight, level), interval(twice, even_weight, level)
        assert np.array_equal(one, other)


def test_the_interval_is_equal_tailed():
    values = np.arange(1.0, 101.0)
    low, high = interval(values, np.full(100, 0.01), 0.9)
    assert (values <= low).mean() == pytest.approx(0.05, abs=0.011)
    assert (values <= high).mean() == pytest.approx(0.95, abs=0.011)


def test_stacked_models_weigh_as_told_whatever_their_draws():
    one, other = np.full((10, 1, 1, 1), 0.2), np.full((1000, 1, 1, 1), 0.6)
    made = stacked([even(one), even(other)], [0.75, 0.25])
    assert made.weight.sum() == pytest.approx(1)
    assert mean(made.share, made.weight).item() == pytest.approx(0.75 * 0.2 + 0.25 * 0.6)


def test_other_weights_give_the_answer_under_them(share, regimens, asked):
    only = Weighed(share, np.array([0.0, 0.0, 1.0, 0.0]))
    said = answer(only, regimens, asked, WEEK)
    assert said["proportion"].value[0] == pytest.approx([0.8, 0.65, 0.2])
    assert (said["proportion"].lower == said["proportion"].upper).all()


def test_a_chance_has_no_interval(share, regimens, asked):
    found = summaries(by_draw(share, regimens, asked, WEEK), np.full(4, 0.25), 0.9)
    assert np.isnan(found["prob_kept_share"].lower).all()
    assert np.isfinite(found["proportion"].lower).all()
