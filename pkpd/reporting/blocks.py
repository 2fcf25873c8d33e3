"""A figure with its words and the table beside it: one a drug and induction, arm, or comparison."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from pkpd.reporting.figures_arm import DRAWN, arm_figure, panels_of
from pkpd.reporting.figures_compare import compare_figure
from pkpd.reporting.figures_kept import kept_figure
from pkpd.reporting.folder import FitFolder
from pkpd.reporting.table import Table
from pkpd.reporting.tables import by_question
from pkpd.reporting.tables_kept import kept_table, longest_sentences, own_answers
from pkpd.reporting.words import (
    ENDPOINT,
    ESTIMANDS,
    KEPT,
    PLAIN_LAYERS,
    endpoint_key,
    endpoint_words,
    interval_words,
    listing,
)

QUESTION = ["drug", "induction", "regimen", "week", "estimand", "statistic"]


@dataclass(frozen=True)
class Block:
    """A figure, what it shows, and the table that stands beside it."""

    title: str
    figure: Markup
    caption: str
    table: Table | None = None
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimand:
    """The answer under one estimand: a block a drug and induction."""

    name: str
    words: str
    blocks: tuple[Block, ...]


def headline(predictions: pd.DataFrame) -> pd.DataFrame:
    """Give back the main endpoint's predictions: parameter uncertainty alone, widest level."""
    layer = predictions["layer"].isin(PLAIN_LAYERS)
    rows = predictions[layer & (predictions["endpoint"].map(endpoint_key) == ENDPOINT)]
    rows = rows[rows["level"].isna() | (rows["level"] == rows["level"].max())]
    return rows.drop_duplicates(QUESTION)


def answers(fit: FitFolder, main: pd.DataFrame, estimand: str) -> list[Estimand]:
    """Give back the answer under one estimand; nothing when it was not predicted."""
    rows = main[main["estimand"] == estimand]
    known = own_answers(fit.decisions)
    ours = (known["endpoint"].map(endpoint_key) == ENDPOINT) & (known["estimand"] == estimand)
    asked = known[ours]
    blocks = []
    for number, ((drug, induction), some) in enumerate(
        rows.groupby(["drug", "induction"], sort=False)
    ):
        own = asked[(asked["drug"] == drug) & (asked["induction"] == induction)]
        blocks.append(
            answer_block(some, own, title=f"{drug}, {induction}", name=f"{estimand}-{number}")
        )
    words = ESTIMANDS.get(estimand, estimand)
    return [Estimand(estimand, words, tuple(blocks))] if blocks else []


def answer_block(rows: pd.DataFrame, decisions: pd.DataFrame, *, title: str, name: str) -> Block:
    """Give back the figure and table of one drug and induction."""
    lines = rows[rows["statistic"] == "proportion"]
    endpoint = endpoint_words(ENDPOINT)
    drawn = Markup(kept_figure(lines, name=name, title=title)) if len(lines) else Markup("")
    caption = (
        f"{endpoint} among week-24 responders. Lines: posterior mean. Bars, at weeks 52, 72 and"
        f" 104 and set side by side: {bands(lines)}, parameter uncertainty."
    )
    kept = kept_table(rows, decisions, caption=f"What each regimen keeps: {endpoint}")
    return Block(title, drawn, caption, kept, tuple(longest_sentences(decisions)))


def bands(rows: pd.DataFrame) -> str:
    """Give back the level and kind of the intervals in a table, all that occur."""
    kinds = rows[["level", "kind"]].drop_duplicates().itertuples(index=False)
    return listing([interval_words(level, kind) for level, kind in kinds] or ["no interval stated"])


def arm_blocks(ppc: pd.DataFrame) -> list[Block]:
    """Give back one sheet an arm."""
    blocks = []
    for number, ((study, arm), rows) in enumerate(ppc.groupby(["study", "arm"], sort=False)):
        title = f"{study}: {arm}"
        drawn = Markup(arm_figure(rows, name=f"arm-{number}", title=title))
        present = {key for _, key, _ in panels_of(rows)}
        lacking = [endpoint_words(key) for key in DRAWN if key not in present]
        caption = f"Not observed here: {listing(lacking)}." if lacking else ""
        blocks.append(Block(title, drawn, caption))
    return blocks


def undrawn(ppc: pd.DataFrame) -> list[str]:
    """Give back the endpoints that have checks but no panel."""
    return [
        endpoint_words(e) for e in dict.fromkeys(ppc["endpoint"]) if endpoint_key(e) not in DRAWN
    ]


def compare_blocks(compare: pd.DataFrame) -> list[Block]:
    """Give back one figure a question compared."""
    blocks = []
    for number, (title, rows) in enumerate(by_question(compare)):
        drawn = Markup(compare_figure(rows, name=f"compare-{number}", title=title))
        caption = f"Still responding, {KEPT}. Marks: posterior mean. Bars: {bands(rows)}."
        blocks.append(Block(title, drawn, caption))
    return blocks
