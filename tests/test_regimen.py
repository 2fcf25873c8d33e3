import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd.errors import ModelError
from pkpd.regimen import Dose, Every, Once, Regimen, regimen


def weeks(text, until):
    return [dose.week for dose in regimen(text).doses(until)]


# --- what texts mean ---------------------------------------------------------------------------


def test_every_four_weeks_starts_at_week_zero_and_includes_the_last_week():
    assert weeks("300 mg every 4 weeks", 12) == [0, 4, 8, 12]


def test_until_is_an_inclusive_end():
    assert weeks("150 mg every 4 weeks until week 32", 56) == list(range(0, 33, 4))


def test_a_late_start_counts_from_its_own_week():
    text = "600 mg every 2 weeks from week 18 until week 34"
    assert weeks(text, 56) == list(range(18, 35, 2))


def test_an_extra_dose_is_added_to_the_schedule():
    assert weeks("300 mg every 4 weeks, extra 300 mg at week 2", 8) == [0, 2, 4, 8]


def test_an_extra_dose_without_an_amount_is_the_dose_before():
    given_text = regimen("300 mg every 4 weeks, extra dose at week 2")
    assert given_text == regimen("300 mg every 4 weeks, extra 300 mg at week 2")


def test_two_doses_in_one_week_are_one_of_their_sum():
    assert regimen("300 mg Q4W, extra 200 mg at week 4").doses(4) == (Dose(0, 300), Dose(4, 500))


def test_after_a_loading_dose_the_schedule_starts_one_interval_later():
    doses = regimen("500 mg at week 0, then 250 mg every 4 weeks").doses(8)
    assert doses == (Dose(0, 500), Dose(4, 250), Dose(8, 250))


def test_without_then_the_schedule_starts_at_week_zero():
    assert regimen("250 mg at week 0, 250 mg every 4 weeks").doses(4) == (
        Dose(0, 500),
        Dose(4, 250),
    )


def test_a_stretched_interval_keeps_the_amount_and_starts_its_own_interval_later():
    doses = regimen("300 mg every 4 weeks until week 20, then every 8 weeks").doses(40)
    assert [dose.week for dose in doses] == [0, 4, 8, 12, 16, 20, 28, 36]
    assert {dose.amount for dose in doses} == {300}


def test_then_from_a_week_takes_over_at_that_week():
    assert weeks("300 mg Q4W, then 300 mg Q8W from week 24", 40) == [
        0,
        4,
        8,
        12,
        16,
        20,
        24,
        32,
        40,
    ]


def test_stop_drops_the_doses_at_that_week_and_later():
    stopped = regimen("300 mg every 4 weeks, stop at week 24")
    assert stopped.last_dose_week() == 20
    assert stopped == regimen("300 mg every 4 weeks until week 20")


def test_dosing_resumes_after_a_stop():
    text = "300 mg every 4 weeks, stop at week 8, 300 mg every 4 weeks from week 20"
    assert weeks(text, 24) == [0, 4, 20, 24]


def test_none_has_no_doses():
    assert regimen("none").doses(100) == ()
    assert regimen("none").last_dose_week() is None


@pytest.mark.parametrize(
    "text",
    [
        "300 mg Q8W",
        "300MG q8w",
        "300 mg every 8 week",
        "  300 mg  Every 8 Weeks ",
        "300.0 mg every 8.0 weeks from week 0",
    ],
)
def test_the_same_regimen_may_be_written_in_many_ways(text):
    assert str(regimen(text)) == "300 mg every 8 weeks"


@pytest.mark.parametrize("text", ["30 mg weekly", "30 mg Q1W", "30 mg every week", "30 mg QW"])
def test_weekly_is_every_week(text):
    assert str(regimen(text)) == "30 mg every week"


# --- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "300 mg every 4 weeks",
        "300 mg every 4 weeks, extra 300 mg at week 2",
        "62.5 mg every 4 weeks from week 4 until week 32",
        "500 mg at week 0, then 250 mg every 4 weeks",
        "500 mg at week 0, then 250 mg every 4 weeks until week 20",
        "300 mg every 4 weeks until week 20, then 300 mg every 8 weeks",
        "300 mg every 4 weeks until week 20, then 300 mg every 8 weeks from week 24",
        "300 mg every 4 weeks until week 20, then 600 mg at week 40",
    ],
)
def test_the_canonical_text_is_written_as_it_was_read(text):
    assert str(regimen(text)) == text


AMOUNTS = st.floats(0.001, 5000).map(lambda x: round(x, 3)).filter(lambda x: x > 0)
WEEKS = st.one_of(st.integers(0, 120).map(float), st.floats(0, 120).map(lambda x: round(x, 2)))
INTERVALS = st.one_of(st.integers(1, 26).map(float), st.sampled_from([0.1, 0.5, 1 / 3, 1 / 7]))


@st.composite
def everies(draw):
    first = draw(WEEKS)
    until = draw(st.one_of(st.none(), WEEKS.map(lambda more: first + more)))
    return Every(draw(AMOUNTS), draw(INTERVALS), first, until)


REGIMENS = st.lists(st.one_of(everies(), st.builds(Once, AMOUNTS, WEEKS)), max_size=4).map(
    lambda clauses: Regimen(tuple(clauses))
)


@settings(deadline=None)
@given(REGIMENS)
def test_what_is_written_reads_back_to_the_same(given_regimen):
    assert regimen(str(given_regimen)) == given_regimen


@settings(deadline=None)
@given(REGIMENS, WEEKS)
def test_doses_come_in_order_once_a_week_and_not_past_the_end(given_regimen, until):
    doses = given_regimen.doses(until)
    dosed = [dose.week for dose in doses]
    assert dosed == sorted(set(dosed))
    assert all(0 <= week <= until + 1e-6 for week in dosed)
    assert all(dose.amount > 0 for dose in doses)


@settings(deadline=None)
@given(REGIMENS, st.integers(0, 60))
def test_a_shift_moves_every_dose_and_no_amount(given_regimen, by):
    before = given_regimen.doses(100)
    after = given_regimen.shifted(by).doses(100 + by)
    assert [dose.week for dose in after] == pytest.approx([dose.week + by for dose in before])
    assert [dose.amount for dose in after] == pytest.approx([dose.amount for dose in before])


@settings(deadline=None)
@given(REGIMENS, REGIMENS, st.integers(0, 60))
def test_then_is_the_doses_before_and_the_other_ones_after(first, second, week):
    joined = first.then(second, week).doses(150)
    kept = [dose for dose in first.doses(150) if dose.week < week]
    moved = second.shifted(week).doses(150)
    assert [dose.week for dose in joined] == pytest.approx([d.week for d in (*kept, *moved)])
    assert sum(d.amount for d in joined) == pytest.approx(sum(d.amount for d in (*kept, *moved)))


@given(st.text(alphabet="0123456789.-, mgeveryQWkstopthnaxd", max_size=40))
def test_any_text_is_a_regimen_or_a_model_error(text):
    try:
        given_regimen = regimen(text)
    except ModelError:
        return
    assert regimen(str(given_regimen)) == given_regimen


# --- asking ------------------------------------------------------------------------------------


def test_the_last_dose_of_dosing_that_goes_on_needs_a_week():
    going_on = regimen("300 mg every 4 weeks")
    assert going_on.last_dose_week() is None
    assert going_on.last_dose_week(23) == 20
    assert going_on.last_dose_week(24) == 24


def test_all_doses_of_dosing_that_goes_on_cannot_be_listed():
    with pytest.raises(ModelError, match="goes on: ask for its doses until some week"):
        regimen("300 mg every 4 weeks").doses(float("inf"))


def test_induction_then_maintenance_joins_at_the_week():
    joined = regimen("300 mg Q4W, extra dose at week 2").then(regimen("300 mg Q8W"), 24)
    assert [dose.week for dose in joined.doses(40)] == [0, 2, 4, 8, 12, 16, 20, 24, 32, 40]


def test_induction_then_nothing_is_a_stop():
    stopped = regimen("300 mg Q4W").then(regimen("none"), 24)
    assert stopped == regimen("300 mg Q4W, stop at week 24")


def test_a_shift_to_before_the_start_is_refused():
    with pytest.raises(ModelError, match="Week -4 is before the start"):
        regimen("300 mg Q4W").shifted(-4)


# --- nonsense ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("300 mg every 0 weeks", "interval of 0 weeks cannot be"),
        ("300 mg every -4 weeks", "interval of -4 weeks cannot be"),
        ("-300 mg every 4 weeks", "dose of -300 mg cannot be given"),
        ("0 mg every 4 weeks", "Write 'none' for no drug"),
        ("", "has an empty part"),
        ("300 mg every 4 weeks,", "has an empty part"),
        ("300 mg at week -1", "Week -1 is before the start"),
        ("300 mg every 4 weeks from week -4", "Week -4 is before the start"),
        ("300 mg every 4 weeks, stop at week -1", "is before the start"),
        ("300 mg every 4 weeks from week 8 until week 4", "the end comes before the start"),
        ("every 4 weeks", "states no dose. Write one, as in '300 mg every 4 weeks'"),
        ("extra dose at week 2", "states no dose"),
        ("300 mg Q4W, then 300 mg Q8W", "has no start, for the dosing before it never ends"),
        ("none, then 300 mg Q8W", "has no start, for no dose comes before it"),
        ("300 mg monthly", "'300 mg monthly' is not understood.*Understood are 'none', '300 mg"),
        ("5 mg/kg every 4 weeks", "not understood"),
    ],
)
def test_nonsense_is_refused_in_words(text, message):
    with pytest.raises(ModelError, match=message):
        regimen(text)
