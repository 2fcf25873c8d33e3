"""A decision told to people: a small table a question, and the answers in sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pkpd.decision.groups import ALL

WEEK = 72.0
"""48 weeks after re-randomisation every 4, 8, 12 and 16 weeks are at trough (`verdict.WEEK`)."""
SENSITIVE = 0.05


@dataclass(frozen=True)
class Told:
    """One question: a heading, a row a regimen, and what follows."""

    heading: str
    rows: list[dict[str, Any]]
    sentences: list[str]


def told(table: pd.DataFrame) -> list[Told]:
    """Every question at the week that verdicts are given for, or the last one."""
    table = asked_about(table)
    weeks = sorted(table["week"].unique())
    week = WEEK if WEEK in weeks else weeks[-1]
    found = []
    for (drug, induction), some in table[table["week"] == week].groupby(
        ["drug", "induction"], sort=False
    ):
        row = some.iloc[0]
        heading = (
            f"{drug}, {induction}: {row['endpoint']} responders re-randomised, week {week:g}, "
            f"{row['estimand']}; {row['level']:.0%} equal-tailed intervals"
        )
        found.append(Told(heading, regimen_rows(some), list(_sentences(some))))
    return found


def asked_about(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the outcome asked about, which comes first; the others stand there in brief."""
    main = table[["endpoint", "estimand"]].eq(table[["endpoint", "estimand"]].iloc[0])
    return table[main.all(axis=1)]


def sentences(table: pd.DataFrame) -> list[str]:
    """What follows, question by question."""
    return [line for each in told(table) for line in (f"{each.heading}.", *each.sentences)]


def regimen_rows(some: pd.DataFrame) -> list[dict[str, Any]]:
    """A row a regimen of one question and week: the own model's answers for all patients."""
    own = some[(some["model"] == some["model"].iloc[0]) & (some["subgroup"] == ALL)]
    cells = {(r["regimen"], r["quantity"]): r for r in records(own)}
    labels = list(dict.fromkeys(own[own["quantity"] == "proportion"]["regimen"]))
    return [_regimen_row(label, cells) for label in labels]


def _regimen_row(label: str, cells: dict) -> dict[str, Any]:
    def at(quantity: str) -> dict[str, Any]:
        return cells[label, quantity]

    margin, kept = (at(f"prob_{name}")["margin"] for name in ("loss_within_margin", "kept_share"))
    return {
        "regimen": label,
        "injections/year": f"{at('injections_per_year')['value']:.3g}",
        "responding, %": _span(at("proportion"), 100, 0),
        "difference, points": _span(at("difference"), 100, 0),
        "ratio, %": _span(at("kept_ratio"), 100, 0),
        f"P(loss <= {100 * margin:.3g} points)": _chance(at("prob_loss_within_margin")),
        f"P(ratio >= {100 * kept:.3g} %)": _chance(at("prob_kept_share")),
        "loss/patient-year": _span(at("expected_loss"), 1, 3),
        "P(least loss)": _chance(at("prob_least_loss")),
        "P(fewer injections keep as much)": _chance(at("prob_dominated")),
        "sensitive to": _sensitive(at("kept_ratio")),
    }


def _span(row: dict[str, Any], scale: float, digits: int) -> str:
    ends = [scale * row[name] for name in ("value", "lower", "upper")]
    if not any(ends):
        return "reference"
    value, low, high = (f"{end:z.{digits}f}" for end in ends)  # z: no minus before zero
    return f"{value} ({low} to {high})"


def _chance(row: dict[str, Any]) -> str:
    prior = row["prior_value"]
    beside = f" (prior {_probability(prior)})" if math.isfinite(prior) else ""
    return _probability(row["value"]) + beside


def _probability(value: float) -> str:
    return ">0.99" if 0.99 < value < 1 else "<0.01" if 0 < value < 0.01 else f"{value:.2f}"


def _sensitive(row: dict[str, Any]) -> str:
    """The components that power-scaling moves the ratio by more than the usual limit."""
    found = [
        f"{name} ({row[f'{name}_sensitivity']:.2f})"
        for name in ("prior", "likelihood")
        if row[f"{name}_sensitivity"] > SENSITIVE
    ]
    return ", ".join(found)


def _sentences(some: pd.DataFrame) -> Iterator[str]:
    """The decisions, each with every other answer to it; then the flags."""
    asks = {
        "longest_interval": "Longest interval that keeps at least {margin:.0%} of what {first} "
        "keeps, with probability {probability:g}",
        "longest_within_margin": "Longest interval that loses at most {points:.3g} points against "
        "{first}, with probability {probability:g}",
        "least_loss": "Least expected loss",
    }
    first = some[some["quantity"] == "proportion"]["regimen"].iloc[0]
    for quantity, words in asks.items():
        rows = records(some[some["quantity"] == quantity])
        row = rows[0]
        margin = row["margin"]
        said = words.format(
            margin=margin, points=100 * margin, first=first, probability=row["probability"]
        )
        yield f"{said}: {named(row['value'])}. {_others(rows)}"
    yield from flagged(some[some["quantity"] == "proportion"])


def flagged(rows: pd.DataFrame) -> list[str]:
    """Each sentence of the extrapolation flags, with the regimens it is said of."""
    said: dict[str, list[str]] = {}
    for regimen, flag in rows.drop_duplicates("regimen")[["regimen", "flag"]].to_numpy():
        for sentence in re.split(r"(?<=\.) ", flag) if flag else ():
            said.setdefault(sentence, []).append(regimen)
    return [f"{', '.join(regimens)}: {sentence}" for sentence, regimens in said.items()]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _others(rows: list[dict[str, Any]]) -> str:
    """The prior's answer, the range under power-scaling, other models', other patients'."""
    row = rows[0]
    parts = []
    if not math.isnan(row["prior_value"]):
        parts.append(f"prior alone {named(row['prior_value'])}")
    if not math.isnan(row["scaled_least"]):
        low, high = named(row["scaled_least"]), named(row["scaled_greatest"])
        parts.append(f"prior or likelihood scaled {low if low == high else f'{low} to {high}'}")
    for other in rows:
        if other["model"] != row["model"] and other["subgroup"] == ALL:
            parts.append(f"{other['model']} {named(other['value'])}")
    for other in rows:
        if other["model"] == row["model"] and other["value"] != row["value"]:
            parts.append(f"{other['subgroup']} {named(other['value'])}")
    return f"({'; '.join(parts)}.)" if parts else ""


def named(weeks: float) -> str:
    """An interval in words."""
    if math.isnan(weeks):
        return "none"
    return "stopping" if math.isinf(weeks) else f"every {weeks:g} weeks"
