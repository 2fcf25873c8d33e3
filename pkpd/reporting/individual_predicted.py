"""What is predicted for new subjects: one panel an output and spread, a line a regimen."""

from __future__ import annotations

import pandas as pd

from pkpd.reporting.drawing import STYLES, canvas, svg
from pkpd.reporting.individual_axes import ends, logarithmic, set_scale, tidy, time_label
from pkpd.reporting.words import interval_words, number


def predicted_figure(
    rows: pd.DataFrame, *, name: str, title: str, unit: str, plain: bool = False
) -> str:
    """Give back one panel as SVG: means as lines, intervals as bands.

    `rows` are predictions of one output, statistic and layer; `plain` keeps its axis linear.
    """
    figure, axes = canvas(380, 240)
    axis = axes[0, 0]
    tidy(axis)
    shown = rows[["mean", "lower", "upper"]]
    log = not plain and logarithmic(shown)
    regimens = list(rows.groupby("regimen", sort=False))
    for place, (regimen, some) in enumerate(regimens):
        colour, dash, mark = STYLES[place % len(STYLES)]
        some = some.sort_values("week")
        axis.fill_between(
            some["week"], some["lower"], some["upper"], color=colour, alpha=0.13, linewidth=0
        )
        (line,) = axis.plot(some["week"], some["mean"], color=colour, label=str(regimen))
        line.set(linestyle=dash, linewidth=1.4, marker=mark, markersize=3)
    set_scale(axis, "y", ends(shown, log=log), log=log)
    set_scale(axis, "x", ends(rows["week"], log=False), log=False)
    axis.set_xlabel(time_label(unit), fontsize=9)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8, borderpad=0)
    return svg(figure, name=name, alt=f"{title}. {alt_words(rows)}")


def alt_words(rows: pd.DataFrame) -> str:
    """Give back the last prediction of each regimen in words."""
    last = rows.sort_values("week").groupby("regimen", sort=False).tail(1)
    return " ".join(
        f"{row['regimen']}: {number(row['mean'])} at time {number(row['week'])}"
        f" ({number(row['lower'])} to {number(row['upper'])},"
        f" {interval_words(row['level'], row['kind'])})."
        for _, row in last.iterrows()
    )
