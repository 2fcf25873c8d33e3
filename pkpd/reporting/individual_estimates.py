"""The table of estimates: posterior medians, spreads as CV, and published values beside them."""

from __future__ import annotations

import math
import re

import pandas as pd

from pkpd.reporting.table import Cell, Group, Table, table
from pkpd.reporting.tables import text
from pkpd.reporting.words import interval_words, number, span

GROUPS = ("Population", "Spread between subjects and occasions", "Correlations of random effects")
MARKS = "abcdefghijklmnopqrstuvwxyz"


def estimates_table(summary: pd.DataFrame, published: list[dict]) -> Table:
    """Give back every population parameter: posterior median, interval, CV, published value.

    CV = 100 sqrt(exp(SD^2) - 1) % where the summary says that an SD is of the log scale.
    """
    known = {str(row.get("parameter")): row for row in published}
    marks = source_marks(published)
    with_cv = any(is_log_spread(row) for _, row in summary.iterrows())
    columns = ["Parameter", "Meaning", "Unit", "#Posterior median"] + ["#CV, %"] * with_cv
    columns += ["#Published", "Published value lies"] if published else []
    rows: dict[str, list] = {group: [] for group in GROUPS}
    for _, row in summary.iterrows():
        cells = [Cell(row["parameter"]), Cell(row["meaning"]), Cell(row["unit"]), estimate(row)]
        cells += [cv_cell(row)] if with_cv else []
        cells += published_cells(row, known.get(row["parameter"]), marks) if published else []
        rows[group_of(row)].append(tuple(cells))
    groups = [Group(title, tuple(some)) for title, some in rows.items()]
    notes = [f"{mark} {source}" for source, mark in marks.items()]
    lost = [name for name in known if name not in set(summary["parameter"])]
    notes += [f"Published, but no parameter here: {', '.join(lost)}."] if lost else []
    return table("Population parameters", columns, groups, notes=notes)


def group_of(row: pd.Series) -> str:
    """Give back which part of the table a parameter stands in."""
    if re.search(r"\bcorrelation\b", row["meaning"]):
        return GROUPS[2]
    return GROUPS[1] if is_spread(row) else GROUPS[0]


def is_spread(row: pd.Series) -> bool:
    """Whether the parameter is the SD of a random effect."""
    return bool(re.match(r"(between|spread between)\b", row["meaning"]))


def is_log_spread(row: pd.Series) -> bool:
    """Whether it is one on the log scale, of which a CV can be told."""
    return is_spread(row) and bool(
        re.search(r"\blog scale\b|\bSD, log\b", f"{row['meaning']}; {row['unit']}")
    )


def estimate(row: pd.Series) -> Cell:
    """Give back the posterior median with its interval."""
    interval = span(number(row["lower"]), number(row["upper"]))
    return Cell(number(row["median"]), interval, interval_words(row["level"], row["kind"]))


def cv_cell(row: pd.Series) -> Cell:
    """Give back the spread as a coefficient of variation; nothing for other parameters."""
    if not is_log_spread(row):
        return Cell("")
    middle, low, high = (number(cv(row[name])) for name in ("median", "lower", "upper"))
    return Cell(middle, span(low, high), interval_words(row["level"], row["kind"]))


def cv(sd: float) -> float:
    """Give back the coefficient of variation, %, of a log-normal: 100 sqrt(exp(sd^2) - 1)."""
    return 100 * math.sqrt(math.expm1(sd**2)) if math.isfinite(sd) and sd < 20 else math.nan


def source_marks(published: list[dict]) -> dict[str, str]:
    """Give back each distinct source with its footnote mark."""
    sources = dict.fromkeys(text(row.get("source")) for row in published)
    return {source: f"[{MARKS[i % len(MARKS)]}]" for i, source in enumerate(sources)}


def published_cells(row: pd.Series, known: dict | None, marks: dict[str, str]) -> list[Cell]:
    """Give back the published value with its source's mark, and where it lies."""
    if known is None:
        return [Cell(""), Cell("")]
    value = finite(known.get("value"))
    where = "below the interval" if value < row["lower"] else "above the interval"
    if row["lower"] <= value <= row["upper"]:
        where = "in the interval"
    elif not all(math.isfinite(each) for each in (value, row["lower"], row["upper"])):
        where = "–"
    return [Cell(f"{number(value)} {marks[text(known.get('source'))]}"), Cell(where)]


def finite(value: object) -> float:
    """Give back the number, NaN where there is none."""
    return float(value) if isinstance(value, (int, float)) else math.nan
