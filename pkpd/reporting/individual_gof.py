"""Goodness of fit: observed against predicted, residuals against time and against the normal."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from pkpd.reporting.drawing import BLUE, GREY, INK, canvas, svg
from pkpd.reporting.individual_axes import (
    draw_observed,
    ends,
    logarithmic,
    set_scale,
    thinned,
    tidy,
    time_label,
)
from pkpd.reporting.words import number

QQ_LEVEL = 0.95
BOUND = 1.96  # holds 95 % of a standard normal
BINS = 8


def gof_figure(rows: pd.DataFrame, *, name: str, title: str, unit: str) -> str:
    """Give back four panels as SVG for the rows of one output."""
    figure, axes = canvas(560, 520, rows=2, columns=2)
    log = logarithmic(rows[["observed", "ipred", "pred"]])
    drawn = thinned(rows)
    draw_against(axes[0, 0], drawn, "ipred", "Subject's own prediction", log=log)
    draw_against(axes[0, 1], drawn, "pred", "Typical prediction", log=log)
    draw_residuals(axes[1, 0], drawn, rows, "time", (time_label(unit), "Residual"))
    draw_normal(axes[1, 1], rows["residual"])
    return svg(figure, name=name, alt=f"{title}. {alt_words(rows)}")


def draw_against(axis: Axes, rows: pd.DataFrame, across: str, label: str, *, log: bool) -> None:
    """Draw observed against predicted values with the line of identity."""
    tidy(axis)
    limits = ends(rows[["observed", "ipred", "pred"]], log=log)
    for which in ("x", "y"):
        set_scale(axis, which, limits, log=log)
    axis.plot(limits, limits, color=GREY, linewidth=0.9)
    draw_observed(axis, rows, across, size=2.8)
    axis.set_xlabel(label, fontsize=9)
    axis.set_ylabel("Observed", fontsize=9)


def draw_residuals(
    axis: Axes,
    drawn: pd.DataFrame,
    rows: pd.DataFrame,
    across: str,
    labels: tuple[str, str],
    *,
    log: bool = False,
) -> None:
    """Draw residuals against the column `across`, with normal 2.5 and 97.5 % points and medians.

    `labels` are those of both axes; `drawn` are the rows drawn, the medians are of all.
    """
    tidy(axis)
    axis.plot(drawn[across], drawn["residual"], color=INK, marker="o", markersize=2.6, linestyle="")
    axis.axhline(0, color=GREY, linewidth=0.9)
    for bound in (-BOUND, BOUND):
        axis.axhline(bound, color=GREY, linewidth=0.8, linestyle=":")
    middle = medians(rows, across)
    axis.plot(middle[across], middle["residual"], color=BLUE, linewidth=1.6)
    set_scale(axis, "x", ends(rows[across], log=log), log=log)
    axis.set_xlabel(labels[0], fontsize=9)
    axis.set_ylabel(labels[1], fontsize=9)


def medians(rows: pd.DataFrame, across: str) -> pd.DataFrame:
    """Give back median `across` and residual of up to `BINS` bins of about equal counts."""
    known = rows[rows[[across, "residual"]].notna().all(axis=1)]
    if known.empty:
        return known[[across, "residual"]]
    place = pd.qcut(known[across], BINS, labels=False, duplicates="drop")
    return known[[across, "residual"]].groupby(place).median()


def draw_normal(axis: Axes, residuals: pd.Series, label: str = "Residual") -> None:
    """Draw ordered residuals against standard normal quantiles, with a band.

    The band is the pointwise interval of order statistics of independent normals:
    the k-th of n uniforms is Beta(k, n - k + 1).
    """
    tidy(axis)
    ordered = np.sort(residuals.dropna().to_numpy())
    k, tail = np.arange(1, ordered.size + 1), (1 - QQ_LEVEL) / 2
    expected = stats.norm.ppf((k - 0.5) / max(ordered.size, 1))
    low, high = (
        stats.norm.ppf(stats.beta.ppf(p, k, ordered.size - k + 1)) for p in (tail, 1 - tail)
    )
    axis.plot([-3, 3], [-3, 3], color=GREY, linewidth=0.9)
    found = {"expected": expected, "residual": ordered, "low": low, "high": high}
    points = thinned(pd.DataFrame(found))
    axis.fill_between(
        points["expected"], points["low"], points["high"], color=BLUE, alpha=0.2, linewidth=0
    )
    axis.plot(points["expected"], points["residual"], color=INK, marker="o", markersize=2.6,
              linestyle="")  # fmt: skip
    axis.set_xlabel("Standard normal quantile", fontsize=9)
    axis.set_ylabel(label, fontsize=9)


def alt_words(rows: pd.DataFrame) -> str:
    """Give back the mean and SD of the residuals."""
    residual = rows["residual"]
    return (
        f"{len(rows)} observations; residuals have mean {number(residual.mean(), 2)} and SD"
        f" {number(residual.std(), 2)}, where 0 and 1 are expected."
    )
