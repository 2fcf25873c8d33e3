"""Regimens in words: the form that is written, which `reading` reads back to the same."""

from __future__ import annotations

from collections.abc import Sequence

from pkpd.regimen.amounts import Amount, Bands
from pkpd.regimen.changes import Change, write_changes
from pkpd.regimen.clauses import Clause, Every, Once, last_week, overlap
from pkpd.regimen.numbers import of_weeks, told
from pkpd.regimen.rules import VISITS, Rule


def write(
    clauses: Sequence[Clause], changes: Sequence[Change], rules: Sequence[Rule], seen: float
) -> str:
    """The canonical text of a regimen's parts."""
    if not clauses:
        return "none"
    plan = "".join(_written(clause, clauses[:i]) for i, clause in enumerate(clauses))
    words = [plan, *write_changes(clauses, changes), *(str(rule) for rule in rules)]
    if seen != VISITS:
        words.append(f"seen every {of_weeks(seen)}")
    return ", ".join(words)


def _written(clause: Clause, earlier: Sequence[Clause]) -> str:
    last = max((last_week(c) for c in earlier), default=float("inf"))
    follows = last < clause.first
    if isinstance(clause, Once):
        extra = not follows and any(
            isinstance(c, Every) or c.first == clause.first for c in earlier
        )
        joint = ", then " if follows else ", " if earlier else ""
        dose = _dose(clause.amount)
        return f"{joint}{'extra ' if extra else ''}{dose}at week {told(clause.first)}"
    beside = any(isinstance(c, Every) and overlap(c, clause) for c in earlier)
    joint = ", then " if follows else " and " if beside else ", " if earlier else ""
    start = last + clause.interval if follows else 0.0
    first = "" if clause.first == start else f" from week {told(clause.first)}"
    until = "" if clause.until is None else f" until week {told(clause.until)}"
    return f"{joint}{_dose(clause.amount)}every {of_weeks(clause.interval)}{first}{until}"


def _dose(amount: Amount) -> str:
    return f"{amount}, " if isinstance(amount, Bands) else f"{told(amount)} mg "
