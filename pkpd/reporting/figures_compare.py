"""What each model says is kept on Q8W and after stopping."""

from __future__ import annotations

import pandas as pd

from pkpd.reporting.drawing import STYLES, canvas, svg
from pkpd.reporting.words import interval_words, number, percent

SHOWN = (("kept_q8w", "Q8W", STYLES[1]), ("kept_stop", "stop", STYLES[4]))


def compare_figure(rows: pd.DataFrame, *, name: str, title: str) -> str:
    """Give back one panel as SVG: a row a model, a mark and interval a regimen.

    `rows` are the comparisons of one drug, induction, endpoint, week and estimand.
    """
    figure, axes = canvas(460, 44 * len(rows) + 74)
    axis = axes[0, 0]
    for place, (_, row) in enumerate(rows.iterrows()):
        for side, (column, label, (colour, _, mark)) in zip((-1, 1), SHOWN, strict=True):
            high = place + 0.17 * side
            axis.hlines(
                high, 100 * row[f"{column}_lower"], 100 * row[f"{column}_upper"], color=colour,
                linewidth=1.8,
            )  # fmt: skip
            axis.plot(
                [100 * row[column]], [high], color=colour, marker=mark, markersize=6, linestyle="",
                label=label if place == 0 else None,
            )  # fmt: skip
    axis.set_yticks(range(len(rows)), [model.replace(" ", "\n", 1) for model in rows["model"]])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(0, 103)
    axis.set_xlabel("Still responding, of every 100 who would on every 4 weeks")
    axis.grid(axis="x", color="#e3e8ed", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderpad=0)
    return svg(figure, name=name, alt=f"{title}. {alt_words(rows)}")


def alt_words(rows: pd.DataFrame) -> str:
    """Give back every model's answers in words."""
    return " ".join(
        f"{row['model']}: {label} {percent(row[column])} "
        f"({percent(row[f'{column}_lower'])} to {percent(row[f'{column}_upper'])}, "
        f"{interval_words(row['level'], row['kind'])}), ELPD {number(row['elpd'], 5)}."
        for _, row in rows.iterrows()
        for column, label, _ in SHOWN
    )
