"""The decision drawn: what is kept against injections a year, and how sure that it is enough."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from pkpd.reporting.drawing import BLUE, GREY, ORANGE, STYLES, canvas, svg
from pkpd.reporting.words import number, percent, probability

CHANCES = (("prob_kept_share", BLUE, "o", "-"), ("prob_loss_within_margin", ORANGE, "s", "--"))


def decided_figure(rows: pd.DataFrame, *, name: str, title: str) -> str:
    """Give back two panels as SVG, of one question at one week: own model, all patients."""
    figure, axes = canvas(460, 560, rows=2)
    frontier(axes[0, 0], rows)
    chances(axes[1, 0], rows)
    return svg(figure, name=name, alt=f"{title}. {alt_words(rows)}")


def frontier(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw the share responding against injections a year, a mark a regimen."""
    share = rows[rows["quantity"] == "proportion"].set_index("regimen")
    burden = rows[rows["quantity"] == "injections_per_year"].set_index("regimen")["value"]
    axis.plot(burden[share.index], share["value"], color=GREY, linewidth=1.2, zorder=1)
    for place, regimen in enumerate(share.index):
        row, (colour, _, mark) = (
            by_quantity(rows, regimen)["proportion"],
            STYLES[place % len(STYLES)],
        )
        at = by_quantity(rows, regimen)["injections_per_year"]["value"]
        axis.vlines(at, row["lower"], row["upper"], color=colour, linewidth=1.8)
        axis.plot(at, row["value"], color=colour, marker=mark, markersize=6, linestyle="")
        above = place % 2 == 1
        axis.annotate(
            str(regimen), (at, row["upper"] if above else row["lower"]), (0, 5 if above else -5),
            textcoords="offset points", color=colour, ha="center", weight="bold",
            va="bottom" if above else "top",
        )  # fmt: skip
    axis.set_ylim(min(0.0, float(share["lower"].min())), 1.12)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    axis.set_xlim(-0.06 * burden.max(), 1.06 * burden.max())
    axis.set_xlabel("Injections a year")
    axis.set_ylabel("Still responding, % of responders")
    axis.grid(axis="y", color="#e3e8ed", linewidth=0.7)


def chances(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw the probabilities that enough is kept, by regimen, with the prior's own."""
    labels = list(dict.fromkeys(rows[rows["quantity"] == "proportion"]["regimen"]))[1:]
    for quantity, colour, mark, dashes in CHANCES:
        own = rows[rows["quantity"] == quantity].set_index("regimen").loc[labels]
        axis.plot(labels, own["value"], color=colour, marker=mark, linestyle=dashes, linewidth=1.6,
                  label=words(quantity, float(own["margin"].iloc[0])))  # fmt: skip
        axis.plot(labels, own["prior_value"], color=colour, marker=mark, linestyle="",
                  markerfacecolor="white")  # fmt: skip
    wanted = rows[rows["quantity"] == "longest_interval"]["probability"]
    if len(wanted) and math.isfinite(wanted.iloc[0]):
        axis.axhline(wanted.iloc[0], color=GREY, linestyle=(0, (4, 3)), linewidth=1)
    axis.set_ylim(-0.03, 1.03)
    axis.margins(x=0.1)
    axis.set_ylabel("Probability")
    axis.grid(axis="y", color="#e3e8ed", linewidth=0.7)
    axis.legend(frameon=False, loc="lower left", fontsize=10)


def words(quantity: str, limit: float) -> str:
    """Give back what a probability is of."""
    if quantity == "prob_kept_share":
        return f"keeps {number(100 * limit)} % of the reference's response"
    return f"loses {number(100 * limit)} points at most"


def alt_words(rows: pd.DataFrame) -> str:
    """Give back the numbers drawn, in words."""
    said = []
    for regimen in dict.fromkeys(rows[rows["quantity"] == "proportion"]["regimen"]):
        own = by_quantity(rows, regimen)
        share, kept = own["proportion"], own["prob_kept_share"]
        said.append(
            f"{regimen}: {percent(share['value'])} % responding ({percent(share['lower'])} to "
            f"{percent(share['upper'])} %), {number(own['injections_per_year']['value'])} "
            f"injections a year, {words('prob_kept_share', kept['margin'])} with probability "
            f"{probability(kept['value'])}"
        )
    return f"{'; '.join(said)}."


def by_quantity(rows: pd.DataFrame, regimen: str) -> dict[str, dict[str, Any]]:
    """Give back one regimen's rows by quantity; a decision that names it is not among them."""
    own = rows[rows["regimen"] == regimen].to_dict("records")
    return {str(row["quantity"]): {str(k): v for k, v in row.items()} for row in own}
