"""The figure of decisions in docs/calibration.md: reliability curves, and coverage by memory."""

from __future__ import annotations

from pathlib import Path

import decisions_told as told
import pandas as pd
from matplotlib.figure import Figure

INK, GREY, PALE, ORANGE = "#1f2933", "#52606d", "#dde3e9", "#b34700"
AIM = (0.85, 0.95)


def figure(path: Path) -> Figure:
    """Two reliability curves, and coverage of the share and the difference."""
    table = told.fitted(told.read(path))
    said, inside = told.statements(table), told.intervals(table)
    drawn = Figure(figsize=(9.0, 3.2), layout="constrained")
    panels = drawn.subplots(1, 3)
    for axes, (name, words) in zip(panels, told.CRITERIA.items(), strict=False):
        _reliability(axes, told.reliability(said[said["criterion"] == name]))
        axes.set_title(f"P({words})", fontsize=8, loc="left")
    _coverage(panels[2], inside)
    return drawn


def _reliability(axes, found: pd.DataFrame) -> None:
    """Share true against probability stated."""
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.6)
    off = [low > said or high < said for low, said, high in
           found[["low", "said", "high"]].itertuples(index=False)]  # fmt: skip
    color = [ORANGE if each else INK for each in off]
    axes.vlines(found["said"], found["low"], found["high"], color=color, lw=0.9)
    axes.scatter(found["said"], found["true"], c=color, s=12, zorder=3)
    for row in found.itertuples():
        axes.annotate(str(row.trials), (row.said, row.high), fontsize=6, ha="center", va="bottom",
                      xytext=(0, 1), textcoords="offset points", color=GREY)  # fmt: skip
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.09), xlabel="stated", ylabel="true")


def _coverage(axes, inside: pd.DataFrame) -> None:
    """Coverage of 90 % intervals, all and by true memory."""
    rows = pd.concat([
        told.coverage(inside.assign(memory="all"), ["quantity", "memory"]),
        told.coverage(inside, ["quantity", "memory"]),
    ])  # fmt: skip
    order = ["all", *told.GROUPS]
    axes.axvspan(*AIM, color=PALE, lw=0)
    axes.axvline(0.9, color=GREY, lw=0.6)
    for shift, (name, color) in zip((0.12, -0.12), {"share": INK, "difference": GREY}.items(),
                                    strict=True):  # fmt: skip
        own = rows[rows["quantity"] == name]
        place = [shift - order.index(each) for each in own["memory"]]
        axes.hlines(place, own["low"], own["high"], color=color, lw=0.9)
        axes.scatter(own["inside"], place, c=color, s=14, zorder=3, label=name)
    axes.set_yticks([-k for k in range(len(order))], order)
    axes.set(xlabel="90 % intervals that hold the truth", xlim=(0.7, 1.0))
    axes.set_title("by true memory", fontsize=8, loc="left")
    axes.legend(fontsize=7, frameon=False, loc="upper left")
