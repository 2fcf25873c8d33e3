"""A dosing regimen: words such as "300 mg every 4 weeks" on one side, doses on the other."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from pkpd.errors import ModelError
from pkpd.regimen.amounts import Bands, amount_at, ordering
from pkpd.regimen.changes import (
    NEAR,
    Change,
    Missed,
    Moved,
    change_faults,
    found_week,
    given_weeks,
    reach,
)
from pkpd.regimen.clauses import Clause, Once, before, last_week, moved, planned, tidied, weeks
from pkpd.regimen.reading import parse
from pkpd.regimen.rules import VISITS, Rule, rule_faults
from pkpd.regimen.writing import write


@dataclass(frozen=True)
class Dose:
    """`amount` mg at `week` weeks."""

    week: float
    amount: float


@dataclass(frozen=True)
class Regimen:
    """What is given and when; `str` writes it in words that `regimen` reads back.

    `clauses` are the plan, `changes` its missed, late and early doses, `rules` what is decided at
    visits every `seen` weeks, the first rule that holds before the others. The clauses are kept
    tidy and in order of their first dose, so that two texts that say the same clause by clause are
    equal regimens.

    Raises
    ------
    ModelError
        With every change of a dose that is not planned and every rule that could never act.
    """

    clauses: tuple[Clause, ...] = ()
    changes: tuple[Change, ...] = ()
    rules: tuple[Rule, ...] = ()
    seen: float = VISITS

    def __post_init__(self) -> None:
        tidy = tuple(sorted((tidied(clause) for clause in self.clauses), key=_order))
        object.__setattr__(self, "clauses", tidy)
        changes = sorted((_snapped(tidy, c) for c in self.changes), key=lambda c: c.week)
        object.__setattr__(self, "changes", tuple(changes))
        faults = change_faults(tidy, self.changes) + rule_faults(tidy, self.rules, self.seen)
        if faults:
            raise ModelError(*faults)

    def __str__(self) -> str:
        return write(self.clauses, self.changes, self.rules, self.seen)

    @property
    def ends(self) -> bool:
        """Whether the plan has a last dose, or none at all."""
        return all(math.isfinite(last_week(clause)) for clause in self.clauses)

    @property
    def edges(self) -> tuple[float, ...]:
        """The body weights, kg, at which a dose changes; none where all are given the same."""
        bands = [c.amount for c in self.clauses if isinstance(c.amount, Bands)]
        return tuple(sorted({edge for each in bands for edge in each.edges}))

    @property
    def plan(self) -> Regimen:
        """The same regimen without its rules: what is given where none of them acts."""
        return replace(self, rules=(), seen=VISITS)

    def weeks(self, until_week: float) -> tuple[float, ...]:
        """The weeks of the doses up to and with `until_week`, in order, whatever their amounts."""
        self._refuse(until_week)
        return tuple(given for _, given in self._given(until_week))

    def doses(self, until_week: float, weight: float | None = None) -> tuple[Dose, ...]:
        """The doses up to and with `until_week`, in order, those of one week added up.

        `weight` in kg is needed where amounts go by weight.
        """
        self._refuse(until_week)
        sums = self._amounts(until_week, weight)
        return tuple(Dose(given, sums[plan]) for plan, given in self._given(until_week))

    def doses_by_weight(
        self, until_week: float, weights: Float[np.ndarray, " patients"]
    ) -> tuple[Float[np.ndarray, " doses"], Float[np.ndarray, "doses patients"]]:
        """Weeks of the doses, and each patient's milligrams by their weight in kg."""
        self._refuse(until_week)
        given = self._given(until_week)
        ends = (0.0, *self.edges, math.inf)
        amounts = np.zeros((len(given), weights.size))
        for low, high in pairwise(ends):
            inside = (weights >= low) & (weights < high)
            sums = self._amounts(until_week, low + min(high - low, 1.0) / 2)
            amounts[:, inside] = np.array([sums[plan] for plan, _ in given])[:, None]
        return np.array([week for _, week in given]), amounts

    def last_dose_week(self, until: float | None = None) -> float | None:
        """The week of the last dose up to and with week `until`.

        Without `until`, the very last one. None where no dose is, or where dosing goes on.
        """
        if until is None and not self.ends:
            return None
        found = self.weeks(math.inf if until is None else until)
        return found[-1] if found else None

    def shifted(self, by: float) -> Regimen:
        """The same regimen `by` weeks later (earlier if negative, but no dose before week 0)."""
        changes = tuple(replace(change, week=change.week + by) for change in self.changes)
        return replace(self, clauses=tuple(moved(c, by) for c in self.clauses), changes=changes)

    def then(self, other: Regimen, week: float) -> Regimen:
        """This regimen's doses before `week`, then `other` with its week 0 at `week`."""
        if self.rules:
            raise ModelError(f"'{self}' decides at visits: nothing can be put in its place later.")
        own = tuple(
            Missed(c.week) if isinstance(c, Moved) and c.given >= week else c
            for c in self.changes
            if c.week < week
        )
        later = other.shifted(week)
        return replace(
            later,
            clauses=before(self.clauses, week) + later.clauses,
            changes=own + later.changes,
        )

    def _refuse(self, until: float) -> None:
        """`ModelError` where doses cannot be told without more."""
        if self.rules:
            raise ModelError(
                f"The doses of '{self}' depend on what is seen at visits: predict it from a fit, "
                "or ask `.plan` for the doses before any rule acts."
            )
        if math.isnan(until) or (math.isinf(until) and not self.ends):
            raise ModelError(f"The regimen '{self}' goes on: ask for its doses until some week.")

    def _given(self, until: float) -> list[tuple[float, float]]:
        """(planned, given) week of each dose given up to and with `until`."""
        plan = planned(self.clauses, until + reach(self.changes))
        found = given_weeks(plan, self.changes)
        return [pair for pair in found if pair[1] <= until + NEAR] if self.changes else found

    def _amounts(self, until: float, weight: float | None) -> dict[float, float]:
        """Milligrams by planned week."""
        sums: dict[float, float] = defaultdict(float)
        for clause in self.clauses:
            amount = amount_at(clause.amount, weight)
            for week in weeks(clause, until + reach(self.changes)):
                sums[week] += amount
        return sums


def regimen(text: str) -> Regimen:
    """The regimen that a text states.

    Clauses are joined by `,` (both hold), `, then` (the second takes over) or `and` (two schedules
    side by side). A clause after `then` with no `from` starts one of its own intervals after the
    last dose before it. Doses are numbered as planned: missing one renumbers none.

    Raises
    ------
    ModelError
        With every part of the text that is not understood or states nonsense, in `said`.

    Examples
    --------
    >>> print(regimen("300 mg Q4W, extra dose at week 2"))
    300 mg every 4 weeks, extra 300 mg at week 2
    >>> [dose.week for dose in regimen("500 mg at week 0, then 250 mg every 4 weeks").doses(8)]
    [0.0, 4.0, 8.0]
    >>> print(regimen("300 mg every 4 weeks x6, then every 8 weeks, skip the dose at week 12"))
    300 mg every 4 weeks until week 20, then 300 mg every 8 weeks, miss dose 4
    """
    return Regimen(*parse(text))


def past_faults(given: Sequence[float], record_end: float) -> list[str]:
    """Every dose, by week, that would fall before the end of what is on record, in words."""
    late = [week for week in given if week <= record_end + NEAR]
    if not late:
        return []
    return [
        f"Week{'s' if len(late) > 1 else ''} {', '.join(f'{week:g}' for week in late[:7])}"
        f"{' and so on' if len(late) > 7 else ''} lie{'' if len(late) > 1 else 's'} in the past of "
        f"the record, which goes to week {record_end:g}. Start later, as in 'from week "
        f"{math.floor(record_end) + 1:g}'."
    ]


def _snapped(clauses: Sequence[Clause], change: Change) -> Change:
    """The change at the very number that stands for its week in the plan."""
    week = found_week(clauses, change.week)
    return change if week is None else replace(change, week=week)


def _order(clause: Clause) -> tuple:
    interval = 0.0 if isinstance(clause, Once) else clause.interval
    once = isinstance(clause, Once)
    return clause.first, once, ordering(clause.amount), interval, last_week(clause)
