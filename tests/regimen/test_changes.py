"""Missed, late, counted, loading and extra doses against schedules worked out by hand."""

from __future__ import annotations

import pytest

from pkpd.errors import ModelError
from pkpd.regimen import Dose, Missed, Moved, Regimen, regimen


def weeks(text, until):
    return [dose.week for dose in regimen(text).doses(until)]


def test_a_count_ends_the_schedule_and_the_next_starts_one_of_its_intervals_later():
    text = "300 mg every 4 weeks x6, then every 8 weeks"
    assert weeks(text, 48) == [0, 4, 8, 12, 16, 20, 28, 36, 44]
    assert {dose.amount for dose in regimen(text).doses(48)} == {300}


@pytest.mark.parametrize("count", ["x6", "x 6", "×6", "for 6 doses"])
def test_a_count_may_be_written_in_many_ways(count):
    assert weeks(f"300 mg every 4 weeks {count}", 100) == [0, 4, 8, 12, 16, 20]


def test_a_count_of_one_is_one_dose():
    assert regimen("300 mg every 4 weeks x1 from week 8") == regimen("300 mg at week 8")


@pytest.mark.parametrize("words", ["600 mg loading dose", "loading dose of 600 mg at week 0"])
def test_a_loading_dose_is_the_first(words):
    text = f"{words}, then 300 mg every 4 weeks"
    assert regimen(text).doses(8) == (Dose(0, 600), Dose(4, 300), Dose(8, 300))


def test_missed_doses_are_left_out_and_renumber_none():
    assert weeks("300 mg every 4 weeks, miss doses 3 and 4, miss dose 6", 28) == [0, 4, 16, 24, 28]


@pytest.mark.parametrize("words", ["skip doses 2 to 4", "miss dose 2, miss dose 3, skip dose 4"])
def test_ranges_and_single_doses_say_the_same(words):
    text = f"300 mg every 4 weeks, {words}"
    assert str(regimen(text)) == "300 mg every 4 weeks, miss doses 2, 3 and 4"


def test_a_dose_is_missed_by_its_week_too():
    given = regimen("300 mg every 4 weeks, miss the dose at week 12")
    assert given == Regimen(regimen("300 mg every 4 weeks").clauses, (Missed(12.0),))
    assert str(given) == "300 mg every 4 weeks, miss dose 4"


def test_a_late_dose_leaves_the_others_where_they_are():
    text = "300 mg every 4 weeks, dose 3 late by 10 days"
    assert weeks(text, 16) == [0, 4, pytest.approx(8 + 10 / 7), 12, 16]


def test_an_early_dose_and_one_late_by_weeks():
    text = "300 mg every 4 weeks, dose 2 early by 7 days, the dose at week 8 late by 2 weeks"
    assert weeks(text, 12) == [0, 3, 10, 12]


def test_a_late_dose_is_not_there_before_it_is_given():
    late = regimen("300 mg every 4 weeks, dose 3 late by 10 days")
    assert [dose.week for dose in late.doses(9)] == [0, 4]
    early = regimen("300 mg every 4 weeks, dose 3 early by 7 days")
    assert [dose.week for dose in early.doses(7)] == [0, 4, 7]
    assert early.last_dose_week(7.5) == 7


def test_an_extra_dose_counts_among_the_numbers():
    assert weeks("300 mg every 4 weeks, extra dose at week 2, miss dose 2", 8) == [0, 4, 8]


def test_a_change_moves_with_its_regimen_and_ends_where_another_takes_over():
    given = regimen("300 mg every 4 weeks, miss dose 2, dose 6 late by 5 weeks, miss dose 7")
    assert [d.week for d in given.shifted(4).doses(32)] == [4, 12, 16, 20, 29, 32]
    joined = given.then(regimen("300 mg every 8 weeks, miss dose 2"), 24)
    assert [d.week for d in joined.doses(48)] == [0, 8, 12, 16, 24, 40, 48]


def test_two_schedules_side_by_side_add_up():
    both = regimen("300 mg every 4 weeks and 100 mg every 8 weeks")
    assert both.doses(8) == (Dose(0, 400), Dose(4, 300), Dose(8, 400))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("300 mg every 4 weeks x6, miss dose 9", "There is no dose 9. Doses are planned for weeks"),
        ("300 mg every 4 weeks, miss dose 0", "There is no dose 0"),
        ("300 mg every 4 weeks, miss dose 2.5", "There is no dose 2.5"),
        ("300 mg every 4 weeks, miss the dose at week 7", "There is no dose at week 7"),
        ("none, miss dose 1", "There is no dose 1. No dose is planned at all"),
        ("300 mg every 4 weeks, miss dose 3, dose 3 late by 2 days", "named twice"),
        ("300 mg every 4 weeks, dose 5 late by 40 days", "not before that of week 20"),
        ("300 mg every 4 weeks, dose 5 late by 28 days", "not before that of week 20"),
        ("300 mg every 4 weeks, dose 1 early by 3 days", "before the start"),
        ("300 mg every 4 weeks, dose 3 late by 0 days", "is not moved"),
        ("300 mg every 4 weeks x0", "'x0' is no number of doses"),
        ("300 mg every 4 weeks x2.5", "'x2.5' is no number of doses"),
        ("300 mg every 4 weeks x6 until week 8", "ends twice"),
        ("300 mg Q4W, 150 mg Q8W", "overlaps the schedule before it from week 0 on"),
        ("300 mg Q4W until week 20, 300 mg Q8W from week 20", "from week 20 to week 20"),
        ("300 mg at week 4, 200 mg at week 4", "contradicts the dose before it in week 4"),
        ("300 mg every 4 weeks, none", "'none' stands beside doses"),
        ("none, 300 mg every 4 weeks", "'none' stands beside doses"),
        ("300 mg every 4 weeks, then none", "'then none' has no start"),
    ],
)
def test_contradictions_are_refused_in_words(text, message):
    with pytest.raises(ModelError, match=message):
        regimen(text)


def test_a_dose_may_be_as_late_as_the_next_one_if_that_is_missed():
    assert weeks("300 mg every 4 weeks, dose 5 late by 28 days, miss dose 6", 24) == [
        0, 4, 8, 12, 20, 24,
    ]  # fmt: skip


def test_every_fault_is_told_at_once():
    with pytest.raises(ModelError) as caught:
        regimen("-300 mg every 0 weeks, then evry 8 weeks, extend to every 8 weeks after EASI-57 "
                "kept for 24 weeks, miss dose x")  # fmt: skip
    said = caught.value.said
    assert len(said) == 5 and str(caught.value).startswith("5 faults")
    for words in ("-300 mg", "of 0 weeks", "'evry 8 weeks'", "'easi-57'", "'miss dose x'"):
        assert sum(words in each for each in said) == 1


def test_faults_of_the_schedules_meeting_are_told_at_once():
    with pytest.raises(ModelError) as caught:
        regimen(
            "300 mg Q4W x6, miss dose 9, miss the dose at week 3, "
            "extend to every 2 weeks after EASI-75 kept for 24 weeks"
        )
    assert len(caught.value.said) == 3
    assert caught.match("no dose 9") and caught.match("week 3") and caught.match("extends nothing")


def test_a_change_of_a_dose_that_is_not_planned_makes_no_regimen():
    plan = regimen("300 mg every 4 weeks").clauses
    with pytest.raises(ModelError) as caught:
        Regimen(plan, (Missed(3.0), Moved(5.0, 2.0)))
    assert len(caught.value.said) == 2
