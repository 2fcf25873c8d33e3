"""Visual predictive checks: quantiles of the data on the interval the model gives them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pkpd.reporting.drawing import BLUE, INK, ORANGE, canvas, svg
from pkpd.reporting.individual_axes import (
    draw_band,
    ends,
    logarithmic,
    set_scale,
    tidy,
    time_label,
)

BELOW = "blq"
BOUNDS = ["observed", "lower", "upper"]


def is_share(quantile: str) -> bool:
    """Whether the row is a share (below the limit, in a category) and not a quantile."""
    return quantile == BELOW or quantile.startswith("category")


def output_log(rows: pd.DataFrame) -> bool:
    """Whether the quantiles of an output, all its arms together, stand on a log axis."""
    return logarithmic(rows[~rows["quantile"].map(is_share).astype(bool)][BOUNDS])


def within(rows: pd.DataFrame) -> pd.Series:
    """Whether each observed quantile lies in its interval; an end among the censored is open."""
    low, high = rows["lower"].fillna(-np.inf), rows["upper"].fillna(np.inf)
    return rows["observed"].between(low, high)


def vpc_figure(rows: pd.DataFrame, *, name: str, title: str, unit: str, log: bool) -> str:
    """Give back one sheet as SVG: the quantiles in one panel, each share in its own.

    `rows` are the checks of one output and arm, corrected or not; `unit` is that of time, and `log`
    says that all quantiles of the output stand on a log axis.
    """
    share = rows["quantile"].map(is_share)
    shares = list(rows[share].groupby("quantile", sort=True))
    has_quantiles = bool((~share).any())
    deep = has_quantiles + len(shares)
    heights = [210.0] * has_quantiles + [105.0] * len(shares)
    figure, axes = canvas(380, sum(heights) + 24, rows=deep)
    axes[0, 0].get_gridspec().set_height_ratios(heights)
    if has_quantiles:
        draw_quantiles(axes[0, 0], rows[~share], log=log)
    for axis, (label, some) in zip(axes[has_quantiles:, 0], shares, strict=True):
        draw_share(axis, some, str(label))
    for axis in axes[:, 0]:
        set_scale(axis, "x", ends(rows["time"], log=False), log=False)
    axes[-1, 0].set_xlabel(time_label(unit), fontsize=9)
    return svg(figure, name=name, alt=f"{title}. {alt_words(rows)}")


def draw_quantiles(axis: Axes, rows: pd.DataFrame, *, log: bool) -> None:
    """Draw each quantile's band, the observed line on it, and the quantile's name at its end."""
    tidy(axis)
    limits = ends(rows[BOUNDS], log=log)
    set_scale(axis, "y", limits, log=log)
    names = sorted(rows["quantile"].unique(), key=float)
    for quantile in names:
        some = rows[rows["quantile"] == quantile].sort_values("time")
        middle = quantile == names[len(names) // 2]
        draw_line(axis, some, limits, shade=0.38 if middle else 0.18, dashed=not middle)
        seen = some[some["observed"].notna()]
        if len(seen):
            at = (seen["time"].iloc[-1], seen["observed"].iloc[-1])
            said = f"{100 * float(quantile):g}\N{NO-BREAK SPACE}%"
            axis.annotate(said, at, (6, 0), textcoords="offset points", va="center", fontsize=8)
    axis.set_title("Quantiles", fontsize=10, loc="left", color=INK, weight="bold")


def draw_share(axis: Axes, rows: pd.DataFrame, label: str) -> None:
    """Draw one share over time, in per cent."""
    tidy(axis)
    rows = rows.sort_values("time").copy()
    rows[["observed", "lower", "median", "upper"]] *= 100.0
    top = min(100.0, max(10.0, 1.15 * float(rows[["observed", "upper"]].max().max())))
    limits = (0.0, top)
    set_scale(axis, "y", limits, log=False)
    draw_line(axis, rows, limits, shade=0.25, dashed=False)
    words = "Below the limit" if label == BELOW else label.capitalize()
    axis.set_title(f"{words}, %", fontsize=10, loc="left", color=INK, weight="bold")


def draw_line(
    axis: Axes, rows: pd.DataFrame, limits: tuple[float, float], *, shade: float, dashed: bool
) -> None:
    """Draw a band with its median, and what was observed: diamonds where outside.

    An end of the interval that lies among the censored is drawn at the edge of the panel.
    """
    known = rows[["lower", "median", "upper"]].notna().any(axis=1)
    band = rows[known]
    low, high = band["lower"].fillna(limits[0]), band["upper"].fillna(limits[1])
    draw_band(axis, band["time"], low.clip(*limits), high.clip(*limits), shade)
    axis.plot(band["time"], band["median"], color=BLUE, linewidth=0.8)
    axis.plot(rows["time"], rows["observed"], color=INK, linewidth=1.1, zorder=3,
              linestyle="--" if dashed else "-")  # fmt: skip
    inside = within(rows)
    for some, colour, mark in ((rows[inside], INK, "o"), (rows[~inside], ORANGE, "D")):
        # An empty line that is not clipped would stand at the figure's corner for the layout.
        at = some[some["observed"].notna()]
        if at.empty:
            continue
        (line,) = axis.plot(at["time"], at["observed"], color=colour, marker=mark, linestyle="")
        line.set(markersize=3.4 if mark == "o" else 4.6, zorder=4, clip_on=False)


def alt_words(rows: pd.DataFrame) -> str:
    """Give back how many observed quantiles and shares lie within their interval."""
    said = []
    for label, some in rows[rows["observed"].notna()].groupby("quantile", sort=True):
        words = f"Quantile {label}" if not is_share(str(label)) else f"Share {label}"
        said.append(f"{words}: {int(within(some).sum())} of {len(some)} bins inside")
    return f"{'; '.join(said) or 'Nothing observed above the limit'}."
