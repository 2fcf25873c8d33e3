"""What became of single doses of a plan: missed, late or early. The rest of the plan stays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from pkpd.regimen.clauses import DIGITS, Clause, last_week, planned
from pkpd.regimen.numbers import listed, told

WEEK = 7.0
NEAR = 1e-6
"""Weeks within which a change finds its dose."""
MOST = 10_000
"""Doses that are looked through at most for the one a change names."""


@dataclass(frozen=True)
class Missed:
    """The dose planned for `week` is not given."""

    week: float


@dataclass(frozen=True)
class Moved:
    """The dose planned for `week` is given `days` later; earlier where negative."""

    week: float
    days: float

    @property
    def given(self) -> float:
        """The week in which the dose is given."""
        return round(self.week + self.days / WEEK, DIGITS)


Change = Missed | Moved


def given_weeks(weeks: Iterable[float], changes: Iterable[Change]) -> list[tuple[float, float]]:
    """(planned, given) week of each dose that is given, in the order of the plan."""
    by_week = {change.week: change for change in changes}
    found = []
    for week in weeks:
        change = by_week.get(week)
        if not isinstance(change, Missed):
            found.append((week, week if change is None else change.given))
    return found


def reach(changes: Iterable[Change]) -> float:
    """Weeks by which a dose is moved at most, either way."""
    return max((abs(c.days) / WEEK for c in changes if isinstance(c, Moved)), default=0.0)


def numbered(clauses: Sequence[Clause], number: int) -> float | None:
    """The week of the plan's dose of that number, counted from 1; None if there is none."""
    if not 1 <= number <= MOST or not clauses:
        return None
    horizon, end = 52.0, max(last_week(clause) for clause in clauses)
    weeks = planned(clauses, min(horizon, end))
    while len(weeks) < number and horizon < end:
        horizon *= 2
        weeks = planned(clauses, min(horizon, end))
    return weeks[number - 1] if number <= len(weeks) else None


def found_week(clauses: Sequence[Clause], week: float) -> float | None:
    """The planned week at `week`, told apart to `NEAR`; None if no dose is planned there."""
    near = [at for at in planned(clauses, week + NEAR) if abs(at - week) <= NEAR]
    return near[-1] if near else None


def change_faults(clauses: Sequence[Clause], changes: Sequence[Change]) -> list[str]:
    """Every change of a dose that is not planned, or is named twice, or comes out of order."""
    faults = [
        f"No dose is planned for week {told(c.week)}, so it can be neither missed nor moved. "
        f"{plan_told(clauses)}"
        for c in changes
        if found_week(clauses, c.week) is None
    ]
    for week, same in groupby(sorted(changes, key=lambda c: c.week), key=lambda c: c.week):
        if len(list(same)) > 1:
            faults.append(
                f"The dose of week {told(week)} is named twice among missed, late and early doses: "
                "name it once."
            )
    return faults or _out_of_order(clauses, changes)


def plan_told(clauses: Sequence[Clause]) -> str:
    """The plan's first doses, for who named another."""
    weeks = [w for k in range(1, 8) if (w := numbered(clauses, k)) is not None]
    if not weeks:
        return "No dose is planned at all."
    more = " and so on" if len(weeks) == 7 else ""
    return f"Doses are planned for weeks {', '.join(told(w) for w in weeks)}{more}."


def _out_of_order(clauses: Sequence[Clause], changes: Sequence[Change]) -> list[str]:
    moved = [change for change in changes if isinstance(change, Moved)]
    if not moved:
        return []
    far = max(max(change.week, change.given) for change in moved)
    some = given_weeks(planned(clauses, far + NEAR), changes)
    faults = [
        f"The dose of week {told(c.week)} would be given at week {c.given:g}, before the start: "
        "weeks count from 0."
        for c in moved
        if c.given < 0
    ]
    return faults + [
        f"The dose of week {told(first)} would be given at week {one:g}, not before that of week "
        f"{told(second)}, given at week {other:g}. Miss it, and add an extra dose."
        for (first, one), (second, other) in pairwise(some)
        if one >= other
    ]


def write_changes(clauses: Sequence[Clause], changes: Sequence[Change]) -> list[str]:
    """The changes in words: missed doses together, then each move, with the numbers of doses."""
    missed = [_number(clauses, c.week) for c in changes if isinstance(c, Missed)]
    words = []
    if missed:
        words.append(f"miss {'doses' if len(missed) > 1 else 'dose'} {listed(missed)}")
    for change in changes:
        if isinstance(change, Moved):
            way = "late" if change.days > 0 else "early"
            days = "1 day" if abs(change.days) == 1 else f"{told(abs(change.days))} days"
            words.append(f"dose {_number(clauses, change.week)} {way} by {days}")
    return words


def _number(clauses: Sequence[Clause], week: float) -> str:
    return str(len(planned(clauses, week + NEAR)))


def move_faults(days: float) -> list[str]:
    """What keeps a dose from being moved by so many days, in words."""
    if math.isfinite(days) and days > 0:
        return []
    return [
        f"A dose {days:g} days late or early is not moved: give days above 0, 'late' or 'early'."
    ]
