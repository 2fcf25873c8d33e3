"""Fits of individuals: small panels of observed values on each subject's own course."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pkpd.reporting.drawing import BLUE, GREY, INK, canvas, svg
from pkpd.reporting.figures_arm import is_true
from pkpd.reporting.individual_axes import (
    draw_band,
    draw_observed,
    ends,
    logarithmic,
    set_scale,
    tidy,
    time_label,
)

MOST_SUBJECTS = 24
ON_A_SHEET = 8


def chosen(gof: pd.DataFrame) -> list[str]:
    """Give back the subjects that are drawn: all, or `MOST_SUBJECTS` evenly spaced."""
    subjects = list(dict.fromkeys(gof["subject"]))
    if len(subjects) <= MOST_SUBJECTS:
        return subjects
    places = np.linspace(0, len(subjects) - 1, MOST_SUBJECTS).round().astype(int)
    return [subjects[place] for place in places]


def sheets(subjects: list[str]) -> list[list[str]]:
    """Give back the subjects of each sheet."""
    return [subjects[at : at + ON_A_SHEET] for at in range(0, len(subjects), ON_A_SHEET)]


def fits_figure(rows: pd.DataFrame, *, name: str, title: str, unit: str, log: bool) -> str:
    """Give back one sheet as SVG, a panel a subject.

    `rows` are those of one output and few subjects; `log` says that all panels of the output are.
    """
    subjects = list(dict.fromkeys(rows["subject"]))
    deep = -(-len(subjects) // 2)
    figure, axes = canvas(380, 112 * deep + 16, rows=deep, columns=2)
    for axis, subject in zip(axes.flat, subjects, strict=False):
        draw_subject(axis, rows[rows["subject"] == subject].sort_values("time"), log=log)
        axis.set_title(f"Subject {subject}", fontsize=9, loc="left", color=INK, weight="bold")
        set_scale(axis, "x", ends(rows["time"], log=False), log=False)
    for axis in axes.flat[len(subjects) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel(time_label(unit), fontsize=9)
    return svg(figure, name=name, alt=f"{title}. {alt_words(rows)}")


def draw_subject(axis: Axes, rows: pd.DataFrame, *, log: bool) -> None:
    """Draw a subject: predictive band, band and line of the own course, typical course, points."""
    tidy(axis)
    shown = rows[["observed", "ipred", "pred", "lower", "upper"]]
    limits = ends(rows[["observed", "ipred", "pred"]] if log else shown, log=log)
    set_scale(axis, "y", limits, log=log)
    for low, high, shade in (("lower", "upper", 0.14), ("ipred_lower", "ipred_upper", 0.3)):
        known = rows[rows[[low, high]].notna().all(axis=1)]
        ends_of = known[low].clip(*limits), known[high].clip(*limits)
        draw_band(axis, known["time"], *ends_of, shade)
    axis.plot(rows["time"], rows["pred"], color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
    axis.plot(rows["time"], rows["ipred"], color=BLUE, linewidth=1.2)
    draw_observed(axis, rows, "time", size=3.2)


def output_log(rows: pd.DataFrame) -> bool:
    """Whether the panels of an output are logarithmic."""
    return logarithmic(rows[["observed", "ipred"]])


def alt_words(rows: pd.DataFrame) -> str:
    """Give back how many of each subject's observed values lie in the predictive interval."""
    said = [
        f"subject {subject} {int(is_true(some['inside']).sum())} of {len(some)}"
        for subject, some in rows.groupby("subject", sort=False)
    ]
    return f"Observed values inside the predictive interval: {', '.join(said)}."
