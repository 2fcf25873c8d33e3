"""Whatever a regimen holds, what it writes reads back to the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pkpd.errors import ModelError
from pkpd.regimen import Band, Bands, Every, Missed, Moved, Once, Regimen, Rule, regimen
from pkpd.regimen.clauses import planned
from pkpd.responses import RESPONSES

WEEKS = st.one_of(st.integers(0, 60).map(float), st.floats(0, 60).map(lambda x: round(x, 2)))
INTERVALS = st.one_of(st.integers(1, 16).map(float), st.sampled_from([0.5, 1 / 3, 10 / 7]))
MG = st.floats(0.001, 5000).map(lambda x: round(x, 3)).filter(lambda x: x > 0)


@st.composite
def bands(draw):
    edges = sorted(draw(st.sets(st.integers(20, 150), min_size=1, max_size=3)))
    ends = zip([0, *edges], [*edges, np.inf], strict=True)
    return Bands(tuple(Band(draw(MG), float(low), float(high)) for low, high in ends))


AMOUNTS = st.one_of(MG, bands())


@st.composite
def everies(draw):
    first = draw(WEEKS)
    until = draw(st.one_of(st.none(), WEEKS.map(lambda more: first + more)))
    return Every(draw(AMOUNTS), draw(INTERVALS), first, until)


@st.composite
def rules(draw):
    act = draw(st.sampled_from(["extend", "shorten", "stop", "re-treat"]))
    return Rule(
        act,
        draw(st.sampled_from([*RESPONSES])),
        None if act == "stop" else draw(INTERVALS),
        draw(st.integers(1, 60).map(float)) if act in ("extend", "stop") else None,
        None if act == "stop" else draw(st.one_of(st.none(), MG)),
    )


@st.composite
def regimens(draw):
    clauses = draw(st.lists(st.one_of(everies(), st.builds(Once, AMOUNTS, WEEKS)), max_size=4))
    some = planned(Regimen(tuple(clauses)).clauses, 200.0)[:30]
    chosen = draw(st.sets(st.sampled_from(some), max_size=4)) if some else set()
    changes = [
        draw(st.one_of(st.just(Missed(week)), st.integers(1, 9).map(lambda d, w=week: Moved(w, d))))
        for week in chosen
    ]
    acts = draw(st.lists(rules(), max_size=3))
    seen = draw(INTERVALS) if acts else 4.0
    try:
        return Regimen(tuple(clauses), tuple(changes), tuple(acts), seen)
    except ModelError:
        assume(False)


@settings(deadline=None)
@given(regimens())
def test_what_is_written_reads_back_to_the_same(one):
    text = str(one)
    assert regimen(text) == one
    assert str(regimen(text)) == text
    assert regimen(text.upper()) == one


@settings(deadline=None, max_examples=50)
@given(regimens(), st.floats(30, 150))
def test_changes_take_doses_away_or_move_them_and_change_no_amount(one, weight):
    plan = Regimen(one.clauses).doses(60, weight)
    moved = {c.week: c.given for c in one.changes if isinstance(c, Moved)}
    missed = {c.week for c in one.changes if isinstance(c, Missed)}
    kept = [(moved.get(d.week, d.week), d.amount) for d in plan if d.week not in missed]
    found = [(d.week, d.amount) for d in one.plan.doses(60, weight)]
    assert found == [pair for pair in kept if pair[0] <= 60 + 1e-6]


@pytest.mark.parametrize(
    "text",
    [
        "300 mg every 4 weeks until week 20, then 300 mg every 8 weeks, miss doses 3 and 4",
        "300 mg every 4 weeks, miss dose 2, dose 5 late by 10 days, dose 7 early by 1 day",
        "150 mg below 60 kg, 300 mg from 60 kg, every 4 weeks",
        "150 mg below 60 kg, 200 mg from 60 to 80 kg, 300 mg from 80 kg, every 4 weeks",
        "300 mg every 4 weeks and 150 mg every 4 weeks from week 2",
        "300 mg every 4 weeks until week 20, re-treat every 4 weeks when EASI-50 is lost",
        "300 mg every 4 weeks, extend to every 8 weeks after EASI-75 kept for 24 weeks",
        "300 mg every 4 weeks, extend to 600 mg every 8 weeks after EASI-75 kept for 24 weeks, "
        "shorten to every 4 weeks when EASI-75 is lost, stop after IGA 0/1 kept for 52 weeks, "
        "re-treat with 600 mg every week when EASI-50 is lost, seen every 2 weeks",
    ],
)
def test_the_canonical_text_is_written_as_it_was_read(text):
    assert str(regimen(text)) == text


PIECES = (
    "300 mg", "every", "4 weeks", "x6", "then", ",", "and", "miss", "dose", "doses", "3", "4",
    "late by", "10 days", "at week", "12", "none", "150 mg below 60 kg", "300 mg from 60 kg",
    "extend to", "re-treat", "after EASI-75 kept for", "is lost", "when EASI-50", "stop",
    "until week", "20", "extra", "to", "0", "-1", "from", "weekly", "Q8W",
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_any_words_are_a_regimen_or_a_model_error_in_words(words):
    try:
        one = regimen(" ".join(words))
    except ModelError as error:
        assert error.said and all(error.said)
        return
    assert regimen(str(one)) == one
