"""What `pkpd decide` found, for the page: a figure, a table and sentences a question."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from pkpd.decision.answer import FINAL
from pkpd.decision.told import asked_about, told
from pkpd.reporting.blocks import Block
from pkpd.reporting.figures_decided import by_quantity, decided_figure
from pkpd.reporting.table import Cell, Group, Table, table
from pkpd.reporting.tables_kept import own_answers
from pkpd.reporting.words import (
    endpoint_words,
    interval_words,
    listing,
    number,
    percent,
    probability,
    span,
)

COMPONENTS = ("prior", "likelihood")
LOSSES = {
    "kept": "a patient-year with response",
    "lost": "a patient-year without",
    "injection": "an injection",
}
KEPT, WITHIN = "prob_kept_share", "prob_loss_within_margin"


def decided_words(decide: pd.DataFrame, card: Mapping[str, Any]) -> str:
    """Give back what was asked: endpoint, estimand, the loss table, and whether it is final."""
    if decide.empty:
        return ""
    row = decide.iloc[0]
    loss = ((card.get("decide") or {}).get("asked") or {}).get("loss") or {}
    table = [f"{number(loss[name])} {words}" for name, words in LOSSES.items() if name in loss]
    said = [
        f"{endpoint_words(row['endpoint'])}, {row['estimand']}; the luck of single patients is"
        " integrated out.",
        f"Loss: {listing(table)}." if table else "",
        "" if row["status"] in (FINAL, "") else f"These answers are {row['status']}.",
    ]
    return " ".join(part for part in said if part)


def decided_blocks(decide: pd.DataFrame) -> list[Block]:
    """Give back one block a question; none where nothing was decided."""
    own = decide if decide.empty else own_answers(asked_about(decide))
    if own.empty:
        return []
    said = {each.heading: each.sentences for each in told(decide)}
    blocks = []
    for number_, ((drug, induction), rows) in enumerate(
        own.groupby(["drug", "induction"], sort=False)
    ):
        title = f"{drug}, {induction}"
        week = main_week(rows)
        now = rows[rows["week"] == week]
        figure = Markup(decided_figure(now, name=f"decided-{number_}", title=title))
        sentences = next(lines for heading, lines in said.items() if heading.startswith(title))
        blocks.append(Block(title, figure, caption(now), weighed(rows), tuple(sentences)))
    return blocks


def main_week(rows: pd.DataFrame) -> float:
    """Give back week 72, as verdicts are given for, or the last week there is."""
    weeks = rows["week"].unique()
    return 72.0 if 72.0 in weeks else float(max(weeks))


def caption(now: pd.DataFrame) -> str:
    """Give back what the two panels show."""
    first = now[now["quantity"] == "proportion"].iloc[0]
    band = interval_words(first["level"], first["kind"])
    return (
        f"Week {first['week']:.0f}. Above: what is kept against injections a year; bars: {band}."
        " Below: how sure that enough is kept; full marks posterior, hollow marks prior alone,"
        " dashed line the probability asked for."
    )


def weighed(rows: pd.DataFrame) -> Table:
    """Give back the table of one question: a group a week, a row a regimen."""
    limits = {name: at(rows, name)["margin"].iloc[0] for name in (KEPT, WITHIN)}
    columns = [
        "Regimen",
        "#Injections a year",
        "#Still responding, %",
        f"#P(loss within {number(100 * limits[WITHIN])} points)",
        f"#P(keeps {number(100 * limits[KEPT])} %)",
        "#Loss per patient-year",
        "#P(least loss)",
        "#Prior / likelihood sensitivity",
    ]
    groups = [
        Group(f"Week {week:.0f}", tuple(line(some, label) for label in labels(some)))
        for week, some in rows.groupby("week")
    ]
    note = "Sensitivity of the ratio to power-scaling (Kallioinen 2024); above 0.05 it matters."
    return table("Intervals weighed against one another", columns, groups, notes=[note])


def at(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Give back the rows of one quantity."""
    return rows[rows["quantity"] == quantity]


def labels(rows: pd.DataFrame) -> list[str]:
    """Give back the regimens, shortest interval first."""
    return list(dict.fromkeys(at(rows, "proportion")["regimen"]))


def line(rows: pd.DataFrame, label: str) -> tuple[Cell, ...]:
    """Give back one regimen's cells."""
    own = by_quantity(rows, label)
    share, lost, ratio = (own[q] for q in ("proportion", "expected_loss", "kept_ratio"))
    words = interval_words(share["level"], share["kind"])
    return (
        Cell(label),
        Cell(number(own["injections_per_year"]["value"])),
        Cell(percent(share["value"]), ends(share, percent), words),
        chance(own[WITHIN]),
        chance(own[KEPT]),
        Cell(loss_words(lost["value"]), ends(lost, loss_words), words),
        Cell(probability(own["prob_least_loss"]["value"])),
        Cell(" / ".join(number(ratio[f"{name}_sensitivity"], 2) for name in COMPONENTS)),
    )


def loss_words(value: float) -> str:
    """Give back a loss to three decimals, so that regimens line up."""
    return f"{value:.3f}"


def ends(row: dict[str, Any], written: Callable[[float], str]) -> str:
    """Give back an interval's ends."""
    return span(written(row["lower"]), written(row["upper"]))


def chance(row: dict[str, Any]) -> Cell:
    """Give back a probability, and the prior's own beside it."""
    prior = row["prior_value"]
    said = f" (prior\N{NO-BREAK SPACE}{probability(prior)})" if math.isfinite(prior) else ""
    return Cell(probability(row["value"]) + said)
