"""A dosing regimen: words such as "300 mg every 4 weeks" on one side, doses on the other."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from pkpd.errors import ModelError
from pkpd.regimen_clauses import Clause, Every, Once, before, last_week, moved, tidied, weeks
from pkpd.regimen_text import parse, write

__all__ = ["Dose", "Every", "Once", "Regimen", "regimen"]


@dataclass(frozen=True)
class Dose:
    """`amount` mg at `week` weeks."""

    week: float
    amount: float


@dataclass(frozen=True)
class Regimen:
    """What is given and when; `str` writes it in words that `regimen` reads back.

    The clauses are kept tidy and in order of their first dose, so that two texts that say the same
    clause by clause are equal regimens.
    """

    clauses: tuple[Clause, ...] = ()

    def __post_init__(self) -> None:
        tidy = sorted((tidied(clause) for clause in self.clauses), key=_order)
        object.__setattr__(self, "clauses", tuple(tidy))

    def __str__(self) -> str:
        return write(self.clauses)

    @property
    def ends(self) -> bool:
        """Whether there is a last dose, or none at all."""
        return all(math.isfinite(last_week(clause)) for clause in self.clauses)

    def doses(self, until_week: float) -> tuple[Dose, ...]:
        """The doses up to and with `until_week`, in order, those of one week added up."""
        if math.isnan(until_week) or (math.isinf(until_week) and not self.ends):
            raise ModelError(f"The regimen '{self}' goes on: ask for its doses until some week.")
        amounts: dict[float, float] = defaultdict(float)
        for clause in self.clauses:
            for week in weeks(clause, until_week):
                amounts[week] += clause.amount
        return tuple(Dose(week, amounts[week]) for week in sorted(amounts))

    def last_dose_week(self, until: float | None = None) -> float | None:
        """The week of the last dose up to and with week `until`.

        Without `until`, the very last one. None where no dose is, or where dosing goes on.
        """
        if until is None and not self.ends:
            return None
        doses = self.doses(math.inf if until is None else until)
        return doses[-1].week if doses else None

    def shifted(self, by: float) -> Regimen:
        """The same regimen `by` weeks later (earlier if negative, but no dose before week 0)."""
        return Regimen(tuple(moved(clause, by) for clause in self.clauses))

    def then(self, other: Regimen, week: float) -> Regimen:
        """This regimen's doses before `week`, then `other` with its week 0 at `week`."""
        return Regimen(before(self.clauses, week) + other.shifted(week).clauses)


def regimen(text: str) -> Regimen:
    """The regimen that a text states.

    Clauses are joined by `,` (both hold) or `, then` (the second takes over). A clause after
    `then` with no `from` starts one of its own intervals after the last dose before it.

    Raises
    ------
    ModelError
        If the text is not understood or states nonsense, with what would be understood.

    Examples
    --------
    >>> print(regimen("300 mg Q4W, extra dose at week 2"))
    300 mg every 4 weeks, extra 300 mg at week 2
    >>> [dose.week for dose in regimen("500 mg at week 0, then 250 mg every 4 weeks").doses(8)]
    [0.0, 4.0, 8.0]
    """
    return Regimen(parse(text))


def _order(clause: Clause) -> tuple[float, bool, float, float, float]:
    interval = 0.0 if isinstance(clause, Once) else clause.interval
    return clause.first, isinstance(clause, Once), clause.amount, interval, last_week(clause)
