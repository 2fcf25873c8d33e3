"""A part that was left out: a panel an arm, its forecast band, and the points posted."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from pkpd.reporting.drawing import BLUE, INK, ORANGE, canvas, svg, week_axis
from pkpd.reporting.figures_arm import draw_points, is_true, limits

ENDPOINT = "EASI_PCHG"
ACROSS = 3


def left_out_figure(
    rows: pd.DataFrame, *, model: str, rival: str | None, name: str, title: str
) -> str:
    """Give back one panel an arm as SVG: mean EASI change in per cent, by week.

    `rows` are those of validation-rows.csv of one part that was left out.
    """
    rows = rows[rows["endpoint"] == ENDPOINT]
    ours = rows[rows["forecaster"] == model]
    if ours.empty:
        return ""
    arms = list(ours.groupby(["study", "arm"], sort=False))
    columns = min(ACROSS, len(arms))
    deep = -(-len(arms) // columns)
    figure, axes = canvas(270 * columns, 168 * deep + 14, rows=deep, columns=columns)
    for axis, ((study, arm), panel) in zip(axes.flat, arms, strict=False):
        alike = (rows["study"] == study) & (rows["arm"] == arm) & (rows["forecaster"] == rival)
        draw_arm(axis, panel.sort_values("week"), rows[alike].sort_values("week"))
        axis.set_title(str(arm), fontsize=9, loc="left", color=INK, weight="bold")
        week_axis(axis, list(ours["week"]), most=6)
    for axis in axes.flat[len(arms) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("Week", fontsize=9)
    inside = int(is_true(ours["inside"]).sum())
    alt = f"Without {title}: {inside} of {len(ours)} mean EASI changes inside their interval."
    return svg(figure, name=name, alt=alt)


def draw_arm(axis: Axes, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Draw the model's band and mean, the rival's ends, and the points."""
    week = ours["week"]
    if len(ours) > 1:
        axis.fill_between(week, ours["lower"], ours["upper"], color=BLUE, alpha=0.2, linewidth=0)
        axis.plot(week, ours["mean"], color=BLUE, linewidth=1.2)
    else:
        axis.vlines(week, ours["lower"], ours["upper"], color=BLUE, alpha=0.35)
    for end in ("lower", "upper"):
        axis.plot(theirs["week"], theirs[end], color=ORANGE, linewidth=1.0, linestyle="--")
    for within in (True, False):
        some = ours[is_true(ours["inside"]) == within]
        if len(some):
            draw_points(axis, some["week"], some["observed"], within=within, used=True)
    limits(axis, ours.assign(upper=ours["upper"].clip(upper=60)), ENDPOINT)
