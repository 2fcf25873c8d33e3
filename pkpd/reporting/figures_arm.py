"""Fit against data: one small sheet an arm, a panel an endpoint."""

from __future__ import annotations

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, MultipleLocator

from pkpd.reporting.drawing import BLUE, GREY, INK, ORANGE, canvas, svg, week_axis
from pkpd.reporting.words import endpoint_key, endpoint_words
from pkpd.responses import RESPONSES

DRAWN = ("EASI_PCHG", *RESPONSES, "CONC")
UNITS = {"EASI_PCHG": "% change from baseline", "CONC": "mg/L"}


def arm_figure(rows: pd.DataFrame, *, name: str, title: str) -> str:
    """Give back the arm's sheet as SVG: observed points on their predictive band.

    `rows` are posterior predictive checks of one study and arm.
    """
    panels = list(panels_of(rows))
    if not panels:
        return ""
    deep = -(-len(panels) // 2)
    figure, axes = canvas(380, 132 * deep + 12, rows=deep, columns=2)
    for axis, (words, key, panel) in zip(axes.flat, panels, strict=False):
        draw_panel(axis, panel, key)
        axis.set_title(words, fontsize=10, loc="left", color=INK, weight="bold")
        week_axis(axis, list(rows["week"]), most=6)
        low, high = rows["week"].min(), rows["week"].max()
        axis.set_xlim(low - 0.03 * (high - low) - 0.5, high + 0.03 * (high - low) + 0.5)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("Week", fontsize=9)
    return svg(figure, name=name, alt=f"{title}. {alt_words(rows)}")


def panels_of(rows: pd.DataFrame):
    """Yield each drawn endpoint and estimand: its words, key and rows in week order."""
    keys = rows["endpoint"].map(endpoint_key)
    for key in DRAWN:
        endpoint = rows[keys == key]
        estimands = list(endpoint["estimand"].unique())
        for estimand in estimands:
            panel = endpoint[endpoint["estimand"] == estimand].sort_values("week")
            words = endpoint_words(key) + (f", {estimand}" if len(estimands) > 1 else "")
            unit = UNITS.get(key, "%")
            yield f"{words}, {'%' if key == 'EASI_PCHG' else unit}", key, panel


def draw_panel(axis: Axes, panel: pd.DataFrame, key: str) -> None:
    """Draw the band, its median and the points; a proportion is drawn in per cent."""
    scale = 1.0 if key in UNITS else 100.0
    week = panel["week"]
    if len(panel) > 1:
        axis.fill_between(
            week, scale * panel["lower"], scale * panel["upper"], color=BLUE, alpha=0.2, linewidth=0
        )
        axis.plot(week, scale * panel["median"], color=BLUE, linewidth=1.2)
    else:
        axis.vlines(week, scale * panel["lower"], scale * panel["upper"], color=BLUE, alpha=0.35)
    inside, fitted = is_true(panel["inside"]), is_true(panel["fitted"])
    for within, used in product((True, False), repeat=2):
        some = panel[(inside == within) & (fitted == used)]
        if len(some):
            draw_points(axis, some["week"], scale * some["observed"], within=within, used=used)
    limits(axis, panel, key)


def draw_points(
    axis: Axes, week: pd.Series, observed: pd.Series, *, within: bool, used: bool
) -> None:
    """Draw observed points: a dot inside the interval, a diamond outside, hollow if held out."""
    colour, mark, size = (INK, "o", 3.4) if within else (ORANGE, "D", 4.6)
    (line,) = axis.plot(week, observed, color=colour, linestyle="", marker=mark, markersize=size)
    line.set(markerfacecolor=colour if used else "white", clip_on=False, zorder=3)


def limits(axis: Axes, panel: pd.DataFrame, key: str) -> None:
    """Give like panels like axes, so that arms can be compared by eye."""
    axis.tick_params(labelsize=9, length=2.5, pad=2)
    axis.grid(axis="y", color="#e9edf1", linewidth=0.6)
    axis.set_axisbelow(True)
    if key == "EASI_PCHG":
        top = max(10.0, float(panel[["upper", "observed"]].max().max()))
        axis.set_ylim(-100, top)
        axis.axhline(0, color=GREY, linewidth=0.6)
        axis.yaxis.set_major_locator(MultipleLocator(50))
    elif key == "CONC":
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_locator(MaxNLocator(4))
    else:
        axis.set_ylim(0, 100)
        axis.set_yticks([0, 50, 100])


def is_true(column: pd.Series) -> pd.Series:
    """Give back a flag column as booleans, whichever way the file wrote them."""
    return column.astype(str).str.strip().str.lower().isin(["true", "1", "1.0", "yes"])


def alt_words(rows: pd.DataFrame) -> str:
    """Give back how many observed points lie within their interval, for each endpoint."""
    said = [
        f"{words}: {int(is_true(panel['inside']).sum())} of {len(panel)} points inside"
        for words, _, panel in panels_of(rows)
    ]
    return f"{'; '.join(said)}."
