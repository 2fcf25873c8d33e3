"""The assurance of a planned trial as a value, told in a table and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pkpd.decision.answer import Answer
from pkpd.decision.told import flagged, records
from pkpd.decision.trial_asked import TrialAsked


@dataclass(frozen=True)
class Assurance(Answer):
    """The rows of assurance.csv, and what they rest on."""

    asked: TrialAsked

    def __str__(self) -> str:
        lines = [line for each in told(self.table) for line in (each[0], *each[2])]
        return "\n".join([*lines, *self.notes, f"Status: {self.status}."])


def told(table: pd.DataFrame) -> list[tuple[str, list[dict[str, Any]], list[str]]]:
    """Each question: a heading, a row an arm, size and model, and sentences."""
    found = []
    for (drug, induction), some in table.groupby(["drug", "induction"], sort=False):
        row = some.iloc[0]
        heading = (
            f"{drug}, {induction}: {row['endpoint']} responders re-randomised, compared at week "
            f"{row['week']:g} with {row['reference']} ({row['estimand']}), a trial not yet seen; "
            f"not inferior by "
            f"{100 * row['margin']:.3g} points, one-sided {row['one_sided_level']:g}, {row['test']}"
        )
        rows = [_row(each) for each in records(some)]
        found.append((heading, rows, list(_sentences(some))))
    return found


def _row(row: dict[str, Any]) -> dict[str, Any]:
    wanted = math.isfinite(row["wanted"])
    size = "not reached" if math.isnan(row["n"]) else f"{row['n']:.0f}"
    if wanted and math.isfinite(row["n"]):
        low, high = (_count(row[name]) for name in ("n_least", "n_greatest"))
        size = f"{size} ({low} to {high})"
    return {
        "arm": row["arm"],
        "model": row["model"],
        "patients an arm": size,
        "assurance": _share(row["assurance"]) if math.isfinite(row["assurance"]) else "",
        "MC error": f"{row['mcse']:.3f}" if math.isfinite(row["mcse"]) else "",
        "with arms without end": _share(row["limit"]),
        "wanted": f"{row['wanted']:g}" if wanted else "",
        "to enrol": _enrol(row),
    }


def _share(value: float) -> str:
    return f"{value:.3f}"


def _count(value: float) -> str:
    return "no end" if math.isnan(value) else f"{value:.0f}"


def _enrol(row: dict[str, Any]) -> str:
    if not math.isfinite(row["enrolled"]):
        return ""
    return f"{row['enrolled']:.0f} ({row['enrolled_lower']:.0f} to {row['enrolled_upper']:.0f})"


def _sentences(some: pd.DataFrame) -> Iterator[str]:
    yield from flagged(some.rename(columns={"arm": "regimen"}))
    short = some[some["wanted"].notna() & some["n"].isna()]
    for _, row in short.iterrows():
        yield (
            f"{row['arm']}, {row['model']}: no number of patients up to the search's end reaches "
            f"{row['wanted']:g}; arms without end would reach {row['limit']:.3f}."
        )
