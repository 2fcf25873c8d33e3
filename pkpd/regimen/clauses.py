"""The two things a regimen is made of: a dose given once, and a dose given at intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pkpd.errors import ModelError
from pkpd.regimen.amounts import Amount, amount_faults

SHORTEST_INTERVAL = 0.01  # weeks, under two hours: anything shorter is a slip of the pen
DIGITS = 9  # weeks are told apart down to a thousandth of a second
SLACK = 1e-6  # of an interval: 3 * 0.1 weeks is 0.3 weeks


@dataclass(frozen=True)
class Once:
    """One dose of `amount` mg at `first` weeks."""

    amount: Amount
    first: float

    def __post_init__(self) -> None:
        if faults := amount_faults(self.amount) + week_faults(self.first):
            raise ModelError(*faults)


@dataclass(frozen=True)
class Every:
    """`amount` mg every `interval` weeks from week `first`, the last at or before `until`.

    `until` None means that dosing goes on.
    """

    amount: Amount
    interval: float
    first: float = 0.0
    until: float | None = None

    def __post_init__(self) -> None:
        faults = amount_faults(self.amount) + week_faults(self.first)
        faults += interval_faults(self.interval)
        if self.until is not None and not self.first <= self.until < math.inf:
            faults.append(
                f"Dosing that starts at week {self.first:g} cannot end at week {self.until:g}: "
                "the end comes before the start."
            )
        if faults:
            raise ModelError(*faults)


Clause = Once | Every


def last_week(clause: Clause) -> float:
    """The week of the clause's last dose; infinite where dosing goes on."""
    if isinstance(clause, Once):
        return clause.first
    return math.inf if clause.until is None else clause.until


def weeks(clause: Clause, until: float) -> list[float]:
    """The weeks of the clause's doses up to and with week `until`."""
    end = min(until, last_week(clause))
    if end < clause.first:
        return []
    if isinstance(clause, Once):
        return [clause.first]
    return [_week(clause, k) for k in range(_intervals(clause, end) + 1)]


def tidied(clause: Clause) -> Clause:
    """The same doses in their plainest form: `until` is the last dose, a lone dose is `Once`."""
    if isinstance(clause, Once) or clause.until is None:
        return clause
    count = _intervals(clause, clause.until)
    if count == 0:
        return Once(clause.amount, clause.first)
    return replace(clause, until=_week(clause, count))


def planned(clauses: Iterable[Clause], until: float) -> list[float]:
    """The weeks up to and with week `until` in which any clause has a dose, in order, each once."""
    return sorted({week for clause in clauses for week in weeks(clause, until)})


def overlap(one: Clause, other: Clause) -> tuple[float, float] | None:
    """The weeks from and to which two schedules both run; None where one has ended before."""
    begin = max(one.first, other.first)
    end = min(last_week(one), last_week(other))
    return (begin, end) if begin <= end else None


def before(clauses: Iterable[Clause], week: float) -> tuple[Clause, ...]:
    """The clauses without their doses at week `week` or later."""
    return tuple(_ended(c, week) for c in clauses if c.first < week)


def moved(clause: Clause, by: float) -> Clause:
    """The clause with every week `by` weeks later."""
    first = round(clause.first + by, DIGITS)
    if isinstance(clause, Every) and clause.until is not None:
        return replace(clause, first=first, until=round(clause.until + by, DIGITS))
    return replace(clause, first=first)


def _ended(clause: Clause, week: float) -> Clause:
    if last_week(clause) < week or isinstance(clause, Once):
        return clause
    count = math.ceil((week - clause.first) / clause.interval - SLACK) - 1
    return tidied(replace(clause, until=_week(clause, max(count, 0))))


def _intervals(clause: Every, end: float) -> int:
    return math.floor((end - clause.first) / clause.interval + SLACK)


def _week(clause: Every, number: int) -> float:
    return round(clause.first + number * clause.interval, DIGITS)


def interval_faults(interval: float) -> list[str]:
    """What keeps an interval, in weeks, from being kept to, in words."""
    if SHORTEST_INTERVAL <= interval < math.inf:
        return []
    return [
        f"A dosing interval of {interval:g} weeks cannot be: give at least "
        f"{SHORTEST_INTERVAL:g} weeks, as in 'every 4 weeks'."
    ]


def week_faults(week: float) -> list[str]:
    """What keeps a week from being one, in words."""
    if 0 <= week < math.inf:
        return []
    return [f"Week {week:g} is before the start: weeks count from 0."]
