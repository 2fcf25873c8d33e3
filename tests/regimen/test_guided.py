"""Rules against histories worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pkpd.errors import ModelError
from pkpd.regimen import Dose, Rule, regimen
from pkpd.regimen.guided import Visit, course, next_dose

AGAIN = "300 mg every 4 weeks until week 20, re-treat every 4 weeks when EASI-50 is lost"
LONGER = "300 mg every 4 weeks, extend to every 8 weeks after EASI-75 kept for 24 weeks"
EXTEND = Rule("extend", "EASI75", 8.0, 24.0)


def doses(text, shown, until, *, visits=None, seen=None, weight=None):
    """(week, mg) of one patient who shows `shown[name]` ('1' for there) at visits every 4 weeks."""
    count = len(next(iter(shown.values())))
    visits = 4.0 * np.arange(1, count + 1) if visits is None else np.array(visits, float)
    responses = {name: np.array([[c == "1"] for c in said]) for name, said in shown.items()}
    seen = "1" * count if seen is None else seen
    found = course(
        regimen(text),
        visits,
        responses,
        np.array([[c == "1"] for c in seen]),
        np.array([np.nan if weight is None else weight]),
        until=until,
    )
    return list(zip(found.weeks.tolist(), found.amounts[:, 0].tolist(), strict=True))


def weeks(*args, **more):
    return [week for week, _ in doses(*args, **more)]


def test_re_treatment_starts_at_the_visit_that_finds_the_response_lost():
    # week        4 8 . . . 24 28 32 36
    shown = {"EASI50": "011111100"}
    assert weeks(AGAIN, shown, 44) == [0, 4, 8, 12, 16, 20, 32, 36, 40, 44]


def test_a_response_lost_while_dosing_goes_on_re_treats_nobody_yet():
    assert weeks(AGAIN, {"EASI50": "0110010"}, 28) == [0, 4, 8, 12, 16, 20, 28]
    assert weeks(AGAIN, {"EASI50": "0110011"}, 28) == [0, 4, 8, 12, 16, 20]


def test_a_response_never_had_is_never_lost():
    assert weeks(AGAIN, {"EASI50": "000000000"}, 36) == [0, 4, 8, 12, 16, 20]


def test_re_treatment_has_the_last_dose_or_its_own():
    loaded = "600 mg at week 0, then 300 mg every 4 weeks until week 8, "
    rule = "every 8 weeks when EASI-50 is lost"
    assert doses(f"{loaded}re-treat {rule}", {"EASI50": "1110"}, 24)[3:] == [(16, 300), (24, 300)]
    with_own = doses(f"{loaded}re-treat with 150 mg {rule}", {"EASI50": "1110"}, 24)
    assert with_own[3:] == [(16, 150), (24, 150)]


def test_an_extended_interval_counts_from_the_last_dose():
    # EASI-75 from week 8 on: 24 weeks are kept at week 32; the last dose was at week 28.
    assert weeks(LONGER, {"EASI75": "011111111111"}, 56) == [
        0, 4, 8, 12, 16, 20, 24, 28, 36, 44, 52,
    ]  # fmt: skip


def test_a_break_starts_the_weeks_that_a_response_is_kept_anew():
    # kept from week 4 to 12, lost at 16, kept again from 20: 24 weeks are over at week 44
    shown = {"EASI75": "11101111111"}
    assert weeks(LONGER, shown, 56) == [*range(0, 41, 4), 48, 56]


def test_a_missed_visit_decides_nothing_and_breaks_nothing():
    shown = {"EASI75": "0111111111"}  # kept for 24 weeks at week 32, a visit that is missed
    assert weeks(LONGER, shown, 48, seen="1111111011") == [*range(0, 33, 4), 40, 48]


def test_shortening_takes_an_extended_interval_back():
    text = f"{LONGER}, shorten to every 4 weeks when EASI-75 is lost"
    # extended at week 28 (kept from 4): doses 24, 32, 40; lost at week 44: 4 weeks after 40 is now
    shown = {"EASI75": "11111111110000"}
    assert weeks(text, shown, 56) == [0, 4, 8, 12, 16, 20, 24, 32, 40, 44, 48, 52, 56]


def test_stopping_and_re_treating_take_turns():
    text = (
        "300 mg every 4 weeks, stop after EASI-90 kept for 8 weeks, "
        "re-treat every 4 weeks when EASI-75 is lost"
    )
    shown = {"EASI90": "111" + "000" + "011" + "100", "EASI75": "111" + "110" + "111" + "110"}
    # kept at 12: no dose from 12; EASI-75 lost at 24: 24, 28, 32; kept from 32 to 40: stop at 40;
    # lost at 48 again
    assert weeks(text, shown, 52) == [0, 4, 8, 24, 28, 32, 36, 48, 52]


def test_the_first_rule_that_holds_goes_before_the_others():
    text = "300 mg every 4 weeks, stop after EASI-90 kept for 4 weeks"
    shown = {"EASI90": "11", "EASI75": "11"}
    longer = "extend to every 12 weeks after EASI-75 kept for 4 weeks"
    assert weeks(f"{text}, {longer}", shown, 40) == [0, 4]
    first = f"300 mg every 4 weeks, {longer}, stop after EASI-90 kept for 4 weeks"
    assert weeks(first, shown, 40) == [0, 4, 16, 28, 40]


def test_an_extended_schedule_ends_with_the_plan():
    text = LONGER.replace("weeks,", "weeks until week 40,", 1)
    assert weeks(text, {"EASI75": "1" * 14}, 56) == [0, 4, 8, 12, 16, 20, 24, 32, 40]


def test_missed_doses_and_bands_hold_for_guided_patients_too():
    text = (
        "150 mg below 60 kg, 300 mg from 60 kg, every 4 weeks until week 8, miss dose 2, "
        "re-treat every 4 weeks when EASI-50 is lost, seen every 2 weeks"
    )
    found = doses(text, {"EASI50": "1111110"}, 20, visits=range(2, 16, 2), weight=50)
    assert found == [(0, 150), (8, 150), (14, 150), (18, 150)]


def test_patients_are_decided_one_by_one():
    responses = {"EASI50": np.array([[1, 1], [1, 1], [0, 1]], bool)}
    text = "300 mg every 4 weeks until week 4, re-treat every 4 weeks when EASI-50 is lost"
    args = (np.array([4.0, 8.0, 12.0]), responses, np.ones((3, 2), bool), np.full(2, np.nan))
    found = course(regimen(text), *args, until=12.0)
    assert found.weeks.tolist() == [0, 4, 12]
    assert found.amounts.tolist() == [[300, 300], [300, 300], [300, 0]]
    assert found.retreated.tolist() == [12, np.inf]


@pytest.mark.parametrize("last", range(1, 9))
def test_the_next_dose_follows_from_the_visits_so_far(last):
    # EASI-50 at weeks 4 to 24, not at 28 and 32
    history = [Visit(4.0 * k, {"EASI50": k < 7}) for k in range(1, last + 1)]
    week = {6: None, 7: 28.0, 8: 32.0}.get(last, 4.0 * last)
    assert next_dose(regimen(AGAIN), history) == (None if week is None else Dose(week, 300.0))


def test_the_next_dose_lies_beyond_doses_that_are_missed():
    given = regimen("300 mg every 4 weeks, miss doses 2 to 30")
    assert next_dose(given, [Visit(4.0, {})]) == Dose(120.0, 300.0)
    assert next_dose(given, []) == Dose(0.0, 300.0)


@pytest.mark.parametrize("words", ["EASI-75", "easi75", "EASI 75"])
def test_a_response_may_be_written_in_many_ways(words):
    text = f"300 mg Q4W, extend to Q8W after {words} is kept for 24 weeks"
    assert str(regimen(text)) == LONGER
    assert regimen(text).rules == (EXTEND,)


def test_viga_is_a_response():
    text = "300 mg every 4 weeks, stop after vIGA 0/1 kept for 52 weeks"
    assert regimen(text).rules[0].response == "IGA01"


def test_doses_of_a_regimen_with_rules_are_not_known_beforehand():
    with pytest.raises(ModelError, match="depend on what is seen at visits"):
        regimen(AGAIN).doses(52)
    assert [d.week for d in regimen(AGAIN).plan.doses(52)] == [0, 4, 8, 12, 16, 20]
    with pytest.raises(ModelError, match="decides at visits"):
        regimen(AGAIN).then(regimen("none"), 24)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extend to every 8 weeks after EASI-57 kept for 24 weeks", "Did you mean EASI-75"),
        ("extend to every 8 weeks after SCORAD kept for 24 weeks", "no response that is known"),
        ("extend to every 4 weeks after EASI-75 kept for 24 weeks", "extends nothing"),
        ("extend to every 8 weeks after EASI-75 kept for 0 weeks", "kept for 0 weeks is not kept"),
        ("extend to every 0 weeks after EASI-75 kept for 24 weeks", "interval of 0 weeks"),
        ("shorten to every 4 weeks when EASI-75 is lost", "shortens nothing"),
        ("re-treat every 4 weeks when EASI-50 is lost", "never acts: the dosing before it never"),
        ("re-treat with -1 mg every 4 weeks when EASI-50 is lost", "dose of -1 mg"),
        ("seen every 2 weeks", "decides nothing"),
        ("seen every 0 weeks", "interval of 0 weeks"),
        (
            "stop after EASI-90 kept for 8 weeks, re-treat every 4 weeks when EASI-50 is lost, "
            "re-treat every 8 weeks when EASI-50 is lost",
            "contradict each other",
        ),
    ],
)
def test_rules_that_cannot_be_are_refused_in_words(text, message):
    with pytest.raises(ModelError, match=message):
        regimen(f"300 mg every 4 weeks, {text}")


def test_a_rule_without_dosing_is_refused():
    with pytest.raises(ModelError, match="has no dosing before it"):
        regimen("re-treat every 4 weeks when EASI-50 is lost")


def test_a_rule_takes_what_its_act_takes():
    with pytest.raises(ModelError, match="takes an interval and a response that is lost"):
        Rule("re-treat", "EASI50", 4.0, kept=3.0)
    with pytest.raises(ModelError, match="no interval"):
        Rule("stop", "EASI50", 4.0, kept=3.0)
