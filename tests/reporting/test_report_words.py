"""Numbers and intervals as words."""

from __future__ import annotations

import math

import pytest

from pkpd.reporting.words import interval_words, number, percent, probability, regimen_rank


@pytest.mark.parametrize(
    ("level", "kind", "words"),
    [
        (0.9, "eti", "90 % equal-tailed interval"),
        (0.95, "HDI", "95 % highest-density interval"),
        (0.9, "", "90 % interval (kind not stated)"),
        (math.nan, "", "interval (level and kind not stated)"),
    ],
)
def test_an_interval_says_its_level_and_kind_or_that_they_are_missing(level, kind, words):
    assert interval_words(level, kind).replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.00012345, "0.000123"), (-48.34, "−48.3"), (12345.6, "12346"), (3.0, "3"), (math.nan, "–")],
)
def test_numbers_are_written_to_three_figures_with_a_true_minus(value, words):
    assert number(value) == words


def test_a_probability_is_never_written_as_certain():
    assert probability(0.9999).startswith(">") and probability(0.0).startswith("<")


def test_a_small_loss_is_not_minus_zero():
    assert percent(-0.001) == "0"


def test_regimens_go_from_often_to_never():
    given = ["stop", "Q16W", "Q4W", "300 mg once", "Q12W", "Q8W"]
    assert sorted(given, key=regimen_rank) == ["Q4W", "Q8W", "Q12W", "Q16W", "stop", "300 mg once"]
