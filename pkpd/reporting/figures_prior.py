"""Prior beside posterior for every population parameter, least learnt first."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pkpd.reporting.drawing import BLUE, GREY, INK, ORANGE, PALE, canvas, svg
from pkpd.reporting.words import number

MOSTLY_PRIOR = 0.7
FAR = 300.0  # the log axis stops here on either side of the prior median


def prior_figure(summary: pd.DataFrame, *, name: str) -> str:
    """Give back the figure as SVG; empty when no row has a prior to compare with.

    Positive parameters stand on a log axis as multiples of their prior median; those
    that may be negative stand below, in halves of their prior interval's width.
    """
    rows = summary.sort_values("contraction", ascending=False, na_position="last")
    rows = rows[rows[["prior_median", "prior_lower", "prior_upper"]].notna().all(axis=1)]
    signed = (rows[["prior_lower", "lower", "prior_median"]] <= 0).any(axis=1)
    blocks = [(block, log) for block, log in ((rows[~signed], True), (rows[signed], False))]
    blocks = [(block, log) for block, log in blocks if len(block)]
    if not blocks:
        return ""
    heights = [len(block) + 3.0 for block, _ in blocks]
    figure, axes = canvas(500, 19 * sum(heights) + 10, rows=len(blocks))
    axes[0, 0].get_gridspec().set_height_ratios(heights)
    for axis, (block, log) in zip(axes[:, 0], blocks, strict=True):
        draw_block(axis, block, log=log)
    axes[0, 0].text(1.03, 1.0, "Contraction", transform=axes[0, 0].transAxes, va="bottom")
    return svg(figure, name=name, alt=alt_words(rows))


def draw_block(axis: Axes, block: pd.DataFrame, *, log: bool) -> None:
    """Draw one axis: a pale bar for the prior, a dark line and dot for the posterior."""
    for place, (_, row) in enumerate(block.iterrows()):
        low, middle, high = (place_of(row, column, log) for column in ("lower", "median", "upper"))
        prior = [place_of(row, column, log) for column in ("prior_lower", "prior_upper")]
        axis.plot(prior, [place, place], color=PALE, linewidth=9, solid_capstyle="butt")
        axis.plot([low, high], [place, place], color=BLUE, linewidth=2.4, solid_capstyle="butt")
        axis.plot([middle], [place], color=BLUE, marker="o", markersize=5)
        weak = row["contraction"] > MOSTLY_PRIOR
        note = axis.text(1.03, place, number(row["contraction"], 2), va="center")
        note.set(transform=axis.get_yaxis_transform(), color=ORANGE if weak else INK)
        note.set_fontweight("bold" if weak else "normal")
    axis.set_yticks(range(len(block)), [shortened(name) for name in block["parameter"]])
    axis.set_ylim(len(block) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.axvline(1.0 if log else 0.0, color=GREY, linewidth=0.8, linestyle=":")
    scale(axis, log=log)


def scale(axis: Axes, *, log: bool) -> None:
    """Set the axis and say what it measures."""
    if not log:
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.set_xlabel("Half-widths of the prior interval from its median")
        return
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    decades = [10.0**power for power in range(-4, 5)]
    steps = (1, 2, 5) if high / low < 300 else (1,)
    ticks = [step * ten for ten in decades for step in steps if low <= step * ten <= high]
    axis.set_xticks(ticks, [f"{100 * tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel("% of the prior median (log scale)")


def place_of(row: pd.Series, column: str, log: bool) -> float:
    """Give back where a value stands: as a multiple of the prior median, or centred on it."""
    if log:
        return min(max(row[column] / row["prior_median"], 1 / FAR), FAR)
    width = (row["prior_upper"] - row["prior_lower"]) / 2
    return (row[column] - row["prior_median"]) / width if width else math.nan


def shortened(name: str) -> str:
    """Give back a name that fits the margin; the table beside holds it whole."""
    return name if len(name) <= 26 else f"{name[:25]}…"


def alt_words(rows: pd.DataFrame) -> str:
    """Give back what the figure shows in words; the table gives every number."""
    weak = rows[rows["contraction"] > MOSTLY_PRIOR]["parameter"]
    return (
        f"Prior and posterior intervals of {len(rows)} parameters, sorted by contraction. "
        f"Above {MOSTLY_PRIOR}, mostly the prior: {', '.join(weak) or 'none'}. "
        "The table below gives every number."
    )
