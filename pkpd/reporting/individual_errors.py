"""Normalised prediction distribution errors drawn: against time, prediction and the normal."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from pkpd.reporting.blocks import Block
from pkpd.reporting.drawing import canvas, svg
from pkpd.reporting.individual_axes import MOST_POINTS, logarithmic, thinned, time_label
from pkpd.reporting.individual_gof import BOUND, draw_normal, draw_residuals
from pkpd.reporting.table import Table, plain
from pkpd.reporting.words import number, percent


def known(errors: pd.DataFrame) -> pd.DataFrame:
    """Give back the rows that have an error, it under the name that panels of residuals read."""
    return errors[errors["npde"].notna()].rename(columns={"npde": "residual"})


def error_blocks(errors: pd.DataFrame, unit: str) -> list[Block]:
    """Give back one sheet an output that has errors."""
    blocks = []
    for output, rows in known(errors).groupby("output", sort=False):
        title = f"{output}: npde"
        drawn = errors_figure(rows, name=f"npde-{len(blocks)}", title=title, unit=unit)
        few = f"{MOST_POINTS} of {len(rows)} points are drawn, evenly spaced."
        blocks.append(Block(title, Markup(drawn), few if len(rows) > MOST_POINTS else ""))
    return blocks


def errors_figure(rows: pd.DataFrame, *, name: str, title: str, unit: str) -> str:
    """Give back three panels as SVG for the errors of one output."""
    figure, axes = canvas(840, 270, columns=3)
    drawn, label = thinned(rows), "npde"
    draw_residuals(axes[0, 0], drawn, rows, "time", (time_label(unit), label))
    log = logarithmic(rows["pred"])
    draw_residuals(axes[0, 1], drawn, rows, "pred", ("Typical prediction", label), log=log)
    draw_normal(axes[0, 2], rows["residual"], label)
    found = rows["residual"]
    alt = (
        f"{title}. {len(rows)} prediction errors have mean {number(found.mean(), 2)} and SD "
        f"{number(found.std(), 2)}, where 0 and 1 are expected."
    )
    return svg(figure, name=name, alt=alt)


def errors_table(errors: pd.DataFrame) -> Table:
    """Give back, by output: how many errors, how many rows have none, and what they are."""
    made = []
    for output, rows in errors.groupby("output", sort=False):
        found = rows["npde"].dropna()
        beyond = percent(float((found.abs() > BOUND).mean())) if len(found) else "–"
        made.append(
            (
                str(output), str(len(found)), str(len(rows) - len(found)),
                number(found.mean(), 2), number(found.std(), 3), beyond,
            )
        )  # fmt: skip
    columns = ["Output", "#Errors", "#Rows without", "#Mean", "#SD", "#Beyond ±1.96, %"]
    caption = "Prediction errors npde (expected: mean 0, SD 1, 5 % beyond ±1.96)"
    return plain(caption, columns, made)
