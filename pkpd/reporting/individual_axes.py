"""Axes of individual-level figures: their scales, their points, and how many points are drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from pkpd.reporting.drawing import BLUE, INK, ORANGE
from pkpd.reporting.figures_arm import is_true

MOST_POINTS = 1500
WIDE = 30.0  # highest over lowest value from which an axis is logarithmic


def logarithmic(values: pd.DataFrame | pd.Series) -> bool:
    """Whether the numbers are all positive and span more than `WIDE`."""
    found = np.asarray(values, float)
    found = found[np.isfinite(found)]
    return bool(found.size and found.min() > 0 and found.max() > WIDE * found.min())


def ends(values: pd.DataFrame | pd.Series, *, log: bool) -> tuple[float, float]:
    """Give back limits of an axis that hold all the numbers, with a little room."""
    found = np.asarray(values, float)
    found = found[np.isfinite(found) & ((found > 0) | (not log))]
    if not found.size:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(found.min()), float(found.max())
    if log:
        return low / 1.3, high * 1.3
    room = 0.06 * (high - low) or 0.5
    return (0.0 if 0 <= low < 0.25 * high else low - room), high + room


def set_scale(axis: Axes, which: str, limits: tuple[float, float], *, log: bool) -> None:
    """Set the scale, limits and ticks of the x or the y axis."""
    one = axis.xaxis if which == "x" else axis.yaxis
    if log:
        axis.set(**{f"{which}scale": "log"})
        decades = np.log10(limits[1] / limits[0])
        one.set_major_locator(LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0)))
        one.set_minor_locator(NullLocator())
        one.set_minor_formatter(NullFormatter())
        one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        one.set_major_locator(MaxNLocator(4))
    axis.set(**{f"{which}lim": limits})


def tidy(axis: Axes) -> None:
    """Give the axis small ticks and a pale grid."""
    axis.tick_params(labelsize=9, length=2.5, pad=2)
    axis.grid(axis="y", color="#e9edf1", linewidth=0.6)
    axis.set_axisbelow(True)


def draw_band(axis: Axes, time: pd.Series, low: pd.Series, high: pd.Series, shade: float) -> None:
    """Fill the band, or draw a bar where there is one time alone."""
    if len(time) > 1:
        axis.fill_between(time, low, high, color=BLUE, alpha=shade, linewidth=0)
    else:
        axis.vlines(time, low, high, color=BLUE, alpha=min(1.0, 2 * shade), linewidth=4)


def draw_observed(axis: Axes, rows: pd.DataFrame, across: str, *, size: float) -> None:
    """Draw observed values: a dot inside the interval, a diamond outside, a triangle if censored.

    The triangle points to where the value lies, below its limit or above it.
    """
    inside = is_true(rows["inside"])
    kinds = (
        (rows[inside & (rows["censored"] == 0)], INK, "o", INK),
        (rows[~inside & (rows["censored"] == 0)], ORANGE, "D", ORANGE),
        (rows[rows["censored"] > 0], INK, "v", "white"),
        (rows[rows["censored"] < 0], INK, "^", "white"),
    )
    for some, colour, mark, face in kinds:
        if some.empty:
            continue
        (line,) = axis.plot(some[across], some["observed"], color=colour, marker=mark, linestyle="")
        line.set(markersize=size, markerfacecolor=face, markeredgewidth=0.7, zorder=3)


def thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """Give back the rows, or `MOST_POINTS` of them evenly spaced."""
    if len(rows) <= MOST_POINTS:
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, MOST_POINTS).round().astype(int)]


def time_label(unit: str) -> str:
    """Give back the label of an axis of time."""
    return f"Time, {unit}" if unit else "Time"
