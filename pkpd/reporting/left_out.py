"""What `pkpd validate` found: parts of the data predicted without them, beside what was posted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from pkpd.reporting.blocks import Block, bands
from pkpd.reporting.figures_arm import is_true
from pkpd.reporting.figures_left_out import left_out_figure
from pkpd.reporting.table import Cell, Group, Table, table
from pkpd.reporting.words import endpoint_words, interval_words, listing, number, percent

MAIN = ("all", "EASI_PCHG")
FORECASTERS = {"carry_forward": "last value carried forward", "logistic": "logistic curve in time"}
COLUMNS = (
    "Forecast by", "#Numbers", "#Inside, %", "#Mean width", "#Log score", "#Difference",
    "#SE of difference", "#CRPS", "#CRPS, ratio",
)  # fmt: skip
NOTES = (
    "Log score: mean log predictive density of a number on the fitted scale; higher is better.",
    "Difference: to the first line of its group, on the numbers that both foretold; below 0 is"
    " worse. Its standard error takes arms as independent.",
    "CRPS: mean continuous ranked probability score; lower is better, a ratio above 1 is worse.",
    "All endpoints together are scored on the fitted scale.",
)


@dataclass(frozen=True)
class LeftOutSection:
    """A sentence, demands missed, a table of the main scores, and a block a part left out."""

    sentence: str
    missed: tuple[str, ...]
    summary: Table
    blocks: tuple[Block, ...]


def left_out(scores: pd.DataFrame, forecasts: pd.DataFrame) -> LeftOutSection | None:
    """Give back the section, or nothing where nothing was left out."""
    if scores.empty:
        return None
    main = scores[scores["endpoint"].isin(MAIN)]
    caption = "What was left out, predicted from the rest"
    return LeftOutSection(
        sentence=f"Intervals: {bands(scores)}, posterior predictive: of what would be posted.",
        missed=missed(scores),
        summary=score_table(main, caption),
        blocks=tuple(
            part_block(scores, rows, name=f"left-out-{number}", title=str(title))
            for number, (title, rows) in enumerate(forecasts.groupby("left_out", sort=False))
        ),
    )


def part_block(scores: pd.DataFrame, rows: pd.DataFrame, *, name: str, title: str) -> Block:
    """Give back the figure of one part that was left out and the table of all its scores."""
    own = scores[scores["left_out"] == title]
    model, *others = dict.fromkeys(own["forecaster"])
    rival = next((who for who in others if who not in FORECASTERS), None)
    drawn = Markup(left_out_figure(rows, model=model, rival=rival, name=name, title=title))
    beside = f" Dashed: the interval of {rival}." if rival else ""
    caption = (
        f"Mean EASI change in %, without {title} in the fit. Line: mean. Band: {bands(rows)} of"
        f" {model}.{beside} Points: what was posted, diamonds outside the band."
    )
    return Block(f"Without {title}", drawn, caption, score_table(own, f"Every score, {title}"))


def missed(scores: pd.DataFrame) -> tuple[str, ...]:
    """Give back a sentence a fit of what stayed that missed a demand."""
    wrong = scores[~is_true(scores["passed"])]
    keys = wrong[["left_out", "forecaster", "missed"]].drop_duplicates()
    return tuple(
        f"the fit of {row['forecaster']} without {row['left_out']} missed {row['missed']}."
        for _, row in keys.iterrows()
    )


def score_table(scores: pd.DataFrame, caption: str) -> Table:
    """Give back a group a part and endpoint, a line a forecaster, the fit's own model first."""
    keys = ["left_out", "part", "endpoint", "unit"]
    groups = [
        Group(group_title(*map(str, key)), tuple(score_row(row) for _, row in rows.iterrows()))
        for key, rows in scores.groupby(keys, sort=False)
    ]
    kinds = scores[["level", "kind"]].drop_duplicates().itertuples(index=False)
    inside = f"Inside, width: {listing([interval_words(*kind) for kind in kinds])}."
    return table(caption, COLUMNS, groups, notes=[inside, *NOTES])


def group_title(left: str, part: str, endpoint: str, unit: str) -> str:
    """Give back what was left out, which of it, which endpoint and its unit."""
    which = "" if part == "all" else f", {part}"
    words = "all endpoints" if endpoint == "all" else endpoint_words(endpoint)
    return f"Without {left}{which}: {words} ({unit})"


def score_row(row: pd.Series) -> tuple[Cell, ...]:
    """Give back one forecaster's line; what missed its demands says so."""
    final = is_true(pd.Series([row["passed"]])).all()
    who = FORECASTERS.get(str(row["forecaster"]), str(row["forecaster"]))
    first = Cell(who if final else f"{who} (not final)", tone="" if final else "bad")
    own = row["log_score_diff"] == 0 and row["crps_ratio"] == 1
    apart = (math.nan, math.nan, math.nan) if own else (
        row["log_score_diff"], row["diff_se"], row["crps_ratio"]
    )  # fmt: skip
    texts = (
        str(int(row["rows"])), percent(row["coverage"]), number(row["width"]),
        number(row["log_score"]), number(apart[0]), number(apart[1], 2), number(row["crps"]),
        number(apart[2]),
    )  # fmt: skip
    return (first, *(Cell(text) for text in texts))
