"""Phrases met with those before them: when a schedule starts, what it ends, which dose is meant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pkpd.errors import ModelError
from pkpd.regimen.amounts import Amount
from pkpd.regimen.changes import Change, Missed, Moved, found_week, numbered, plan_told
from pkpd.regimen.clauses import Clause, Every, Once, before, last_week, overlap, tidied
from pkpd.regimen.numbers import told
from pkpd.regimen.phrases import Changed, Nothing, Phrase, Stop, Timed

Join = Literal["", ",", "then", "and"]


@dataclass(frozen=True)
class Said:
    """A phrase of the text, how it joins what comes before it, and what it states if it can."""

    words: str
    join: Join
    states: Phrase | None


def joined(said: Sequence[Said]) -> tuple[tuple[Clause, ...], list[str]]:
    """The clauses that a schedule's phrases state together, and every fault of their meeting."""
    clauses: tuple[Clause, ...] = ()
    faults: list[str] = []
    amount: Amount | None = None
    for number, each in enumerate(said):
        if isinstance(each.states, Stop):
            clauses = before(clauses, each.states.week)
        elif isinstance(each.states, Nothing):
            faults += _beside_nothing(clauses, each, said[number + 1 : number + 2])
        elif isinstance(each.states, Timed):
            amount = amount if each.states.amount is None else each.states.amount
            try:
                clauses = _with(clauses, amount, each, each.states)
            except ModelError as error:
                # A start that is not known may be another fault's doing: the first is told.
                faults += [s for s in error.said if not (faults and "has no start" in s)]
    return clauses, faults


def named(
    clauses: Sequence[Clause], said: Sequence[Changed]
) -> tuple[tuple[Change, ...], list[str]]:
    """The doses that phrases miss or move, and every one that is not there."""
    changes: list[Change] = []
    faults: list[str] = []
    for each in said:
        for number in each.numbers:
            at = numbered(clauses, int(number)) if number.is_integer() else None
            if at is None:
                faults.append(f"There is no dose {told(number)}. {plan_told(clauses)}")
            else:
                changes.append(_change(at, each.days))
        if each.week is not None:
            at = found_week(clauses, each.week)
            if at is None:
                faults.append(f"There is no dose at week {told(each.week)}. {plan_told(clauses)}")
            else:
                changes.append(_change(at, each.days))
    return tuple(changes), faults


def _change(week: float, days: float | None) -> Change:
    return Missed(week) if days is None else Moved(week, days)


def _with(
    clauses: tuple[Clause, ...], amount: Amount | None, each: Said, states: Timed
) -> tuple[Clause, ...]:
    """The clauses with one more."""
    if amount is None:
        raise ModelError(f"'{each.words}' states no dose. Write one, as in '300 mg {each.words}'.")
    clause = tidied(_clause(clauses, amount, each, states))
    if each.join == "then":
        return (*before(clauses, clause.first), clause)
    if each.join == ",":
        _refuse_both(clauses, clause, each, extra=states.extra)
    return (*clauses, clause)


def _clause(clauses: tuple[Clause, ...], amount: Amount, each: Said, states: Timed) -> Clause:
    if states.interval is None:
        return Once(amount, states.first or 0.0)
    first = states.first
    if first is None:
        first = _next(clauses, states.interval, each.words) if each.join == "then" else 0.0
    until = states.until
    if states.count is not None:
        until = first + (states.count - 1) * states.interval
    return Every(amount, states.interval, first, until)


def _next(clauses: tuple[Clause, ...], interval: float, words: str) -> float:
    """The week one interval after the last dose so far."""
    last = max((last_week(c) for c in clauses), default=-math.inf)
    if math.isinf(last):
        why = "the dosing before it never ends" if last > 0 else "no dose comes before it"
        raise ModelError(
            f"'then {words}' has no start, for {why}. Write 'from week N' in it, or 'until week N'"
            " in what comes before."
        )
    return last + interval


def _refuse_both(clauses: tuple[Clause, ...], clause: Clause, each: Said, *, extra: bool) -> None:
    """`ModelError` where a plain comma leaves open which of two doses is meant."""
    for other in clauses:
        both = overlap(other, clause)
        if both is None:
            continue
        if isinstance(other, Every) and isinstance(clause, Every):
            end = "on" if math.isinf(both[1]) else f"to week {told(both[1])}"
            raise ModelError(
                f"'{each.words}' overlaps the schedule before it from week {told(both[0])} {end}. "
                "Write ', then' if it takes over, or 'and' if both are meant."
            )
        if isinstance(other, Once) and isinstance(clause, Once) and not extra:
            raise ModelError(
                f"'{each.words}' contradicts the dose before it in week {told(clause.first)}. "
                "Write 'extra' if both are meant."
            )


def _beside_nothing(clauses: tuple[Clause, ...], each: Said, after: Sequence[Said]) -> list[str]:
    """What contradicts a 'none'."""
    if each.join == "then" and any(math.isinf(last_week(clause)) for clause in clauses):
        return [
            "'then none' has no start, for the dosing before it never ends. Write 'stop at week N'."
        ]
    beside = each.join in (",", "and") or any(
        isinstance(other.states, Timed) and other.join != "then" for other in after
    )
    if beside:
        return ["'none' stands beside doses and contradicts them: leave one of the two out."]
    return []
