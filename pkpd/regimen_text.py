"""Regimens in words: the grammar that is read, and the form that is written.

    regimen   clause { "," clause | ", then" clause }
    clause    "none"
              [AMOUNT "mg"] "every" N "weeks" ["from week" W] ["until week" W]
              ["extra"] AMOUNT "mg" "at week" W    |    "extra dose at week" W
              "stop at week" W

`Q4W` stands for `every 4 weeks`, `weekly` for `every week`. An amount left out is the one of the
clause before. Capitals do not matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal

from pkpd.errors import ModelError
from pkpd.regimen_clauses import Clause, Every, Once, before, last_week, tidied

UNDERSTOOD = (
    "'none', '300 mg every 4 weeks', '300 mg Q4W from week 4 until week 32', "
    "'500 mg at week 0, then 250 mg every 4 weeks', 'extra 300 mg at week 2', 'stop at week 24'"
)

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
_AMOUNT = rf"(?P<amount>{_NUMBER})\s*mg"
_WEEK = rf"week\s+(?P<week>{_NUMBER})"
_INTERVAL = rf"(?:every\s+(?:(?P<every>{_NUMBER})\s+)?weeks?|q(?P<q>{_NUMBER})?w|weekly)"
_FROM = rf"(?:\s+(?:starting\s+)?(?:from|at)\s+week\s+(?P<first>{_NUMBER}))?"
_UNTIL = rf"(?:\s+(?:until|to|through)\s+week\s+(?P<until>{_NUMBER}))?"
_EVERY = re.compile(rf"(?:{_AMOUNT}\s+)?{_INTERVAL}{_FROM}{_UNTIL}")
_ONCE = re.compile(rf"(?:extra\s+)?{_AMOUNT}\s+at\s+{_WEEK}")
_EXTRA = re.compile(rf"extra\s+dose\s+at\s+{_WEEK}")
_STOP = re.compile(rf"stop\s+at\s+{_WEEK}")
_JOIN = re.compile(r"\s*[,;]\s*(?:(then)\s+)?|\s+(then)\s+")


def parse(text: str) -> tuple[Clause, ...]:
    """The clauses a text states, each with its own first and last week.

    Raises
    ------
    ModelError
        If a clause is not understood or states nonsense.
    """
    clauses: tuple[Clause, ...] = ()
    amount: float | None = None
    for phrase, follows in _phrases(text):
        clauses = _joined(clauses, amount, phrase, follows)
        amount = _amount_in(phrase, amount)
    return clauses


def write(clauses: Sequence[Clause]) -> str:
    """The canonical text of the clauses, which `parse` reads back to the same."""
    if not clauses:
        return "none"
    return "".join(_written(clause, clauses[:i]) for i, clause in enumerate(clauses))


def _phrases(text: str) -> list[tuple[str, bool]]:
    """The clauses' texts, and whether each follows a 'then'."""
    plain = " ".join(text.lower().split())
    pieces = _JOIN.split(plain)
    follows = [False] + [bool(a or b) for a, b in zip(pieces[1::3], pieces[2::3], strict=True)]
    phrases = list(zip(pieces[0::3], follows, strict=True))
    if not all(phrase for phrase, _ in phrases):
        raise ModelError(f"The regimen '{text}' has an empty part. Understood are {UNDERSTOOD}.")
    return phrases


def _joined(
    clauses: tuple[Clause, ...], amount: float | None, phrase: str, follows: bool
) -> tuple[Clause, ...]:
    if phrase == "none":
        return clauses
    if match := _STOP.fullmatch(phrase):
        return before(clauses, _from_zero(match["week"], phrase))
    clause = tidied(_clause(clauses, amount, phrase, follows))
    return (*(before(clauses, clause.first) if follows else clauses), clause)


def _clause(
    clauses: tuple[Clause, ...], amount: float | None, phrase: str, follows: bool
) -> Clause:
    if match := _ONCE.fullmatch(phrase):
        return Once(float(match["amount"]), float(match["week"]))
    if match := _EXTRA.fullmatch(phrase):
        return Once(_carried(amount, phrase), float(match["week"]))
    match = _EVERY.fullmatch(phrase)
    if match is None:
        raise ModelError(f"'{phrase}' is not understood in a regimen. Understood are {UNDERSTOOD}.")
    interval = float(match["every"] or match["q"] or 1)
    first = match["first"] or (_next(clauses, interval, phrase) if follows else 0.0)
    until = None if match["until"] is None else float(match["until"])
    mg = float(match["amount"]) if match["amount"] else _carried(amount, phrase)
    return Every(mg, interval, float(first), until)


def _next(clauses: tuple[Clause, ...], interval: float, phrase: str) -> float:
    """The week one interval after the last dose so far."""
    last = max((last_week(c) for c in clauses), default=-math.inf)
    if math.isinf(last):
        why = "the dosing before it never ends" if last > 0 else "no dose comes before it"
        raise ModelError(
            f"'then {phrase}' has no start, for {why}. Write 'from week N' in it, or 'until week N'"
            " in what comes before."
        )
    return last + interval


def _carried(amount: float | None, phrase: str) -> float:
    if amount is None:
        raise ModelError(f"'{phrase}' states no dose. Write one, as in '300 mg {phrase}'.")
    return amount


def _amount_in(phrase: str, amount: float | None) -> float | None:
    found = re.search(_AMOUNT, phrase)
    return float(found["amount"]) if found else amount


def _from_zero(week: str, phrase: str) -> float:
    if float(week) < 0:
        raise ModelError(f"'{phrase}' is before the start: weeks count from 0.")
    return float(week)


def _written(clause: Clause, earlier: Sequence[Clause]) -> str:
    last = max((last_week(c) for c in earlier), default=math.inf)
    follows = last < clause.first
    joint = ", then " if follows else ", " if earlier else ""
    if isinstance(clause, Once):
        extra = not follows and any(isinstance(c, Every) for c in earlier)
        word = "extra " if extra else ""
        return f"{joint}{word}{_number(clause.amount)} mg at week {_number(clause.first)}"
    start = last + clause.interval if follows else 0.0
    first = "" if clause.first == start else f" from week {_number(clause.first)}"
    until = "" if clause.until is None else f" until week {_number(clause.until)}"
    weeks = "week" if clause.interval == 1 else f"{_number(clause.interval)} weeks"
    return f"{joint}{_number(clause.amount)} mg every {weeks}{first}{until}"


def _number(value: float) -> str:
    """The shortest digits that read back to the same number, without an exponent."""
    return format(Decimal(repr(float(value))).normalize(), "f")
