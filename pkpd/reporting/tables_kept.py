"""The tables that answer: what each regimen keeps, how it compares, and how sure we are."""

from __future__ import annotations

import math
import re

import pandas as pd

from pkpd.decision.groups import ALL
from pkpd.reporting.table import Cell, Group, Table, table
from pkpd.reporting.words import (
    LAYERS,
    endpoint_words,
    interval_words,
    number,
    percent,
    probability,
    regimen_rank,
    span,
)

WEEKS = (52.0, 72.0, 104.0)
STATISTICS = ("proportion", "kept_ratio", "difference")
LOSS, LONGEST = "prob_loss_within_margin", "longest_interval"
MARKS = "abcdefghijklmnop"


def kept_table(predictions: pd.DataFrame, decisions: pd.DataFrame, *, caption: str) -> Table:
    """Give back the table of one drug, induction, endpoint and estimand.

    A group a week, a row a regimen: share still responding, ratio and difference to Q4W,
    probability that the loss is within the margin, extrapolation marks.
    """
    regimens = sorted(predictions["regimen"].unique(), key=regimen_rank)
    flags = flag_marks(decisions)
    margins = sorted(decisions[decisions["quantity"] == LOSS]["margin"].dropna().unique())
    columns = ["Regimen", "#Still responding, %", "#Ratio to Q4W, %", "#Difference, points"]
    columns += [f"#P(loss within {percent(margin)} points)" for margin in margins]
    groups = []
    for week in WEEKS:
        rows = predictions[predictions["week"] == week]
        asked = decisions[decisions["week"] == week]
        made = [
            (
                Cell(regimen + marks_of(asked, regimen, flags)),
                *(estimate(rows, regimen, statistic) for statistic in STATISTICS),
                *(loss(asked, regimen, margin) for margin in margins),
            )
            for regimen in regimens
            if len(rows)
        ]
        groups.append(Group(f"Week {week:.0f}", tuple(made)))
    return table(caption, columns, groups, notes=[f"{mark} {flag}" for flag, mark in flags.items()])


def estimate(rows: pd.DataFrame, regimen: str, statistic: str) -> Cell:
    """Give back the mean and interval of one regimen's statistic, in per cent or points."""
    some = rows[(rows["regimen"] == regimen) & (rows["statistic"] == statistic)]
    if some.empty or (statistic != "proportion" and regimen == "Q4W"):
        return Cell("ref." if regimen == "Q4W" and statistic != "proportion" else "–")
    return estimate_cell(some.iloc[0])


def estimate_cell(row: pd.Series, *, layer: bool = True) -> Cell:
    """Give back one prediction as a cell, in its statistic's unit; `layer` names the spread."""
    written = percent if row["statistic"] in STATISTICS else number
    interval = span(written(row["lower"]), written(row["upper"]))
    words = interval_words(row["level"], row["kind"])
    said = f"{words}, {LAYERS.get(row['layer'], row['layer'])}" if layer else words
    return Cell(written(row["mean"]), interval, said)


def loss(asked: pd.DataFrame, regimen: str, margin: float) -> Cell:
    """Give back the probability that the loss is within the margin, and the prior's own."""
    some = asked[
        (asked["quantity"] == LOSS) & (asked["regimen"] == regimen) & (asked["margin"] == margin)
    ]
    if some.empty or regimen == "Q4W":
        return Cell("ref." if regimen == "Q4W" else "–")
    row = some.iloc[0]
    prior = row["prior_value"]
    said = f" (prior\N{NO-BREAK SPACE}{probability(prior)})" if math.isfinite(prior) else ""
    return Cell(probability(row["value"]) + said)


def flag_marks(decisions: pd.DataFrame) -> dict[str, str]:
    """Give back each distinct sentence of the extrapolation flags with its footnote mark."""
    flags = dict.fromkeys(said for flag in decisions["flag"] for said in sentences(flag))
    return {flag: f"[{MARKS[i % len(MARKS)]}]" for i, flag in enumerate(flags)}


def sentences(flag: str) -> list[str]:
    """Give back a flag's sentences, each ending in its full stop."""
    return [said for said in re.split(r"(?<=\.) ", flag) if said]


def marks_of(asked: pd.DataFrame, regimen: str, flags: dict[str, str]) -> str:
    """Give back the footnote marks that apply to a regimen in a week."""
    own = asked[(asked["regimen"] == regimen) & (asked["flag"] != "")]["flag"]
    said = dict.fromkeys(said for flag in own for said in sentences(flag))
    marks = "".join(flags[each] for each in said)
    return f" {marks}" if marks else ""


def longest_sentences(decisions: pd.DataFrame) -> list[str]:
    """Give back the longest interval that keeps enough, as one sentence a question asked."""
    said = []
    for _, row in decisions[decisions["quantity"] == LONGEST].iterrows():
        by = f" at week {row['week']:.0f}" if math.isfinite(row["week"]) else ""
        prior = row["prior_value"]
        said.append(
            f"Longest interval that keeps at least {percent(row['margin'])} % of the response{by}"
            f" with probability at least {number(row['probability'])}: {weeks(row['value'])}."
            f" The prior alone says: {weeks(prior)}." + (f" {row['flag']}" if row["flag"] else "")
        )
    return said


def weeks(value: float) -> str:
    """Give back an interval in words; no end to it means stopping."""
    if value == math.inf:
        return "no further dose at all"
    return f"every {value:.0f} weeks" if math.isfinite(value) else "none of those asked about"


def longest_table(decisions: pd.DataFrame) -> Table | None:
    """Give back the longest interval that keeps enough: estimands down, endpoints across."""
    rows = own_answers(decisions)
    rows = rows[rows["quantity"] == LONGEST]
    rows = rows[rows["week"] == rows["week"].max()]
    if rows.empty:
        return None
    row, heads = rows.iloc[0], list(dict.fromkeys(rows["endpoint"]))
    groups = []
    for (drug, induction), some in rows.groupby(["drug", "induction"], sort=False):
        said = {(r["estimand"], r["endpoint"]): weeks(r["value"]) for _, r in some.iterrows()}
        names = dict.fromkeys(some["estimand"])
        made = [(Cell(n), *(Cell(said.get((n, e), "–")) for e in heads)) for n in names]
        groups.append(Group(f"{drug}, {induction}", tuple(made)))
    caption = (
        f"Longest interval that keeps at least {percent(row['margin'])} % of the response at week"
        f" {row['week']:.0f} with probability at least {number(row['probability'])}"
    )
    return table(caption, ["Estimand", *(f"#{endpoint_words(e)}" for e in heads)], groups)


def own_answers(decisions: pd.DataFrame) -> pd.DataFrame:
    """Give back the rows of the fit's own model, which comes first, for all patients."""
    own = decisions["model"] == (decisions["model"].iloc[0] if len(decisions) else "")
    return decisions[own & (decisions["subgroup"] == ALL)]


def across_table(rows: pd.DataFrame, *, by: str, caption: str) -> Table | None:
    """Give back regimens down and `by` (endpoint, layer or week) across, a group an induction."""
    if rows.empty:
        return None
    heads = list(dict.fromkeys(rows[by]))
    groups = []
    for (drug, induction), some in rows.groupby(["drug", "induction"], sort=False):
        made = []
        for regimen in sorted(some["regimen"].unique(), key=regimen_rank):
            own = some[some["regimen"] == regimen].drop_duplicates(by).set_index(by, drop=False)
            cells = [
                estimate_cell(own.loc[head], layer=by != "layer")
                if head in own.index
                else Cell("–")
                for head in heads
            ]
            made.append((Cell(regimen), *cells))
        groups.append(Group(f"{drug}, {induction}", tuple(made)))
    return table(caption, ["Regimen", *(f"#{head_words(head, by)}" for head in heads)], groups)


def head_words(head: object, by: str) -> str:
    """Give back a column's heading."""
    if by == "week":
        return f"Week {head:.0f}"
    return endpoint_words(str(head)) if by == "endpoint" else LAYERS.get(str(head), str(head))
