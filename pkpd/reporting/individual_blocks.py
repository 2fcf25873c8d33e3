"""Figures of an individual-level page with their words, a list for each section."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from pkpd.reporting import individual_fits, individual_vpc
from pkpd.reporting.blocks import Block, bands
from pkpd.reporting.figures_arm import is_true
from pkpd.reporting.individual_axes import MOST_POINTS
from pkpd.reporting.individual_fits import chosen, fits_figure, sheets
from pkpd.reporting.individual_gof import gof_figure
from pkpd.reporting.individual_predicted import predicted_figure
from pkpd.reporting.individual_vpc import vpc_figure
from pkpd.reporting.words import LAYERS, listing, number, span


def vpc_blocks(vpc: pd.DataFrame, unit: str) -> list[Block]:
    """Give back one sheet an output and arm, the prediction-corrected ones after the plain."""
    corrected = is_true(vpc["corrected"])
    log = {str(name): individual_vpc.output_log(rows) for name, rows in vpc.groupby("output")}
    blocks = []
    for part, after in ((vpc[~corrected], ""), (vpc[corrected], ", prediction-corrected")):
        for (output, arm), rows in part.groupby(["output", "arm"], sort=False):
            title = ", ".join(str(each) for each in (output, arm) if each) + after
            name = f"vpc-{len(blocks)}"
            drawn = vpc_figure(rows, name=name, title=title, unit=unit, log=log[str(output)])
            caption = f"{bin_words(rows)}. Bands: {bands(rows)}."
            blocks.append(Block(title, Markup(drawn), caption))
    return blocks


def bin_words(rows: pd.DataFrame) -> str:
    """Give back how many bins there are, and of how many observations where that is stated."""
    bins = rows.drop_duplicates("bin")
    low, high = number(bins["n"].min()), number(bins["n"].max())
    many = low if low == high else span(low, high)
    words = f" of {many} observation{'' if many == '1' else 's'}" if span(low, high) else ""
    return f"{len(bins)} bin{'' if len(bins) == 1 else 's'}{words}"


def fit_blocks(gof: pd.DataFrame, unit: str) -> list[Block]:
    """Give back sheets of a few subjects each, output by output."""
    blocks = []
    for output, rows in gof.groupby("output", sort=False):
        log = individual_fits.output_log(rows)
        for some in sheets(chosen(rows)):
            own = rows[rows["subject"].isin(some)]
            title = f"{output}: subjects {some[0]} to {some[-1]}" if len(some) > 1 else str(output)
            name = f"fits-{len(blocks)}"
            drawn = fits_figure(own, name=name, title=title, unit=unit, log=log)
            blocks.append(Block(title, Markup(drawn), ""))
    return blocks


def drawn_sentence(gof: pd.DataFrame) -> str:
    """Give back how many subjects are drawn, and where the rest stand."""
    said = []
    for output, rows in gof.groupby("output", sort=False):
        count, shown = rows["subject"].nunique(), len(chosen(rows))
        if shown < count:
            said.append(f"{output}: {shown} of {count}")
    if not said:
        return "Every subject is drawn."
    return (
        f"Subjects drawn, evenly spaced in the order of the data: {listing(said)}. Those not drawn"
        " stand in gof.csv."
    )


def gof_blocks(gof: pd.DataFrame, unit: str) -> list[Block]:
    """Give back one sheet an output."""
    blocks = []
    for output, rows in gof.groupby("output", sort=False):
        drawn = gof_figure(rows, name=f"gof-{len(blocks)}", title=str(output), unit=unit)
        few = f"{MOST_POINTS} of {len(rows)} points are drawn, evenly spaced."
        blocks.append(Block(str(output), Markup(drawn), few if len(rows) > MOST_POINTS else ""))
    return blocks


def predicted_blocks(predictions: pd.DataFrame, gof: pd.DataFrame, unit: str) -> list[Block]:
    """Give back one figure an output, statistic and layer; one time alone is not drawn.

    An output that was seen at 0, as scores and counts are, has no log axis.
    """
    blocks, zero = [], {*gof.loc[gof["observed"] <= 0, "output"]} if len(gof) else {*()}
    keys = ["drug", "endpoint", "estimand", "statistic", "layer"]
    for (drug, *asked, layer), rows in predictions.groupby(keys, sort=False):
        if rows["week"].nunique() < 2:
            continue
        parts = (drug, *(str(each).replace("_", " ") for each in asked))
        spread = LAYERS.get(str(layer), str(layer))
        title = f"{', '.join(str(part) for part in parts if part)}: {spread}"
        name = f"predicted-{len(blocks)}"
        plain = asked[0] in zero
        drawn = predicted_figure(rows, name=name, title=title, unit=unit, plain=plain)
        caption = f"Lines: mean. Bands: {bands(rows)}, {spread}."
        blocks.append(Block(title, Markup(drawn), caption))
    return blocks
