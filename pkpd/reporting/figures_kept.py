"""Efficacy kept, by regimen over time: one panel a drug and induction."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pkpd.reporting.drawing import STYLES, canvas, svg
from pkpd.reporting.words import interval_words, percent, regimen_rank

BARS = (52.0, 72.0, 104.0)  # weeks whose intervals are drawn, as in the tables
APART = 1.4  # weeks between intervals that stand side by side


def kept_figure(rows: pd.DataFrame, *, name: str, title: str) -> str:
    """Give back one panel as SVG: share still responding against week, a line a regimen.

    `rows` are predictions of one drug, induction, endpoint and estimand.
    """
    figure, axes = canvas(460, 372)
    axis = axes[0, 0]
    regimens = sorted(rows["regimen"].unique(), key=regimen_rank)
    ends = []
    for place, regimen in enumerate(regimens):
        line = rows[rows["regimen"] == regimen].sort_values("week")
        shift = APART * (place - (len(regimens) - 1) / 2)
        draw_line(axis, line, STYLES[place % len(STYLES)], shift)
        ends.append((float(line["mean"].iloc[-1]), place, regimen))
    label_ends(axis, ends, float(rows["week"].max()) + 1.5)
    finish(axis, rows)
    return svg(figure, name=name, alt=f"{title}. {alt_words(rows, regimens)}")


def draw_line(axis: Axes, line: pd.DataFrame, style: tuple, shift: float) -> None:
    """Draw one regimen, with its intervals at the weeks of the tables.

    Intervals of one week stand side by side, each moved along its own line by `shift`
    weeks; those of the last week all stand before it.
    """
    colour, dashes, mark = style
    axis.plot(line["week"], line["mean"], color=colour, linestyle=dashes, linewidth=1.8)
    at = line[line["week"].isin(BARS)]
    week = at["week"] + shift - APART * 2 * (at["week"] == line["week"].max())
    mean = np.interp(week, line["week"], line["mean"])
    low, high = mean - at["mean"] + at["lower"], mean - at["mean"] + at["upper"]
    axis.vlines(week, low, high, color=colour, linewidth=1.8)
    axis.plot(week, mean, color=colour, marker=mark, linestyle="", markersize=5.5)


def label_ends(axis: Axes, ends: list[tuple[float, int, str]], week: float) -> None:
    """Write each regimen's name beside its line's end, moved apart where they would touch."""
    ends = sorted(end for end in ends if math.isfinite(end[0]))
    gap, heights = 0.058, []
    for height, _, _ in ends:
        heights.append(max(height, heights[-1] + gap) if heights else height)
    over = max(0.0, heights[-1] - 1.0) if heights else 0.0
    for index in range(len(heights) - 1, -1, -1):
        ceiling = heights[index + 1] - gap if index + 1 < len(heights) else heights[index] - over
        heights[index] = min(heights[index], ceiling)
    for height, (_, place, regimen) in zip(heights, ends, strict=True):
        colour = STYLES[place % len(STYLES)][0]
        axis.text(week, height, regimen, color=colour, va="center", weight="bold", clip_on=False)


def finish(axis: Axes, rows: pd.DataFrame) -> None:
    """Set the axes: weeks across, 0 to 100 % up."""
    axis.set_ylim(0, 1.03)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    axis.set_ylabel("Still responding, % of week-24 responders")
    axis.set_xlabel("Week")
    shown = [rows["week"].min(), *BARS, rows["week"].max()]
    axis.set_xticks(sorted({week for week in shown if week <= rows["week"].max()}))
    axis.grid(axis="y", color="#e3e8ed", linewidth=0.7)
    axis.set_axisbelow(True)


def alt_words(rows: pd.DataFrame, regimens: list[str]) -> str:
    """Give back the last week's numbers in words, for those who cannot see the lines."""
    last = rows[rows["week"] == rows["week"].max()].set_index("regimen")
    said = [
        f"{regimen} {percent(row['mean'])} % ({percent(row['lower'])} to {percent(row['upper'])} %,"
        f" {interval_words(row['level'], row['kind'])})"
        for regimen in regimens
        if regimen in last.index
        for row in [last.loc[regimen]]
    ]
    return f"At week {rows['week'].max():.0f}: {'; '.join(said)}."
