"""The figures of docs/calibration.md, from the CSVs beside it.

python tests/calibration/draw_figures.py
"""

from __future__ import annotations

import math
from pathlib import Path

import decisions_figure
import decisions_told
import matplotlib
import numpy as np
import pandas as pd
import sbc
from matplotlib.figure import Figure

from pkpd.diagnosis.calibration import Bands, bands, ecdf

INK, GREY, PALE, ORANGE = "#1f2933", "#52606d", "#dde3e9", "#b34700"
SETTINGS = {"font.size": 9}
BANDS = 0.95


def ranks_of(path: Path) -> pd.DataFrame:
    """The columns of ranks of a file of simulations."""
    return pd.read_csv(path).drop(columns=list(sbc.NOT_RANKS))


def _panel(axes, limits: Bands, lines: dict[str, np.ndarray]) -> list[str]:
    """ECDF minus the diagonal within its limits; names of the lines that leave these."""
    z = limits.z
    axes.fill_between(z, limits.lower - z, limits.upper - z, color=PALE, lw=0)
    axes.axhline(0, color=GREY, lw=0.6)
    outside = []
    for name, line in lines.items():
        out = bool(((line < limits.lower) | (line > limits.upper)).any())
        axes.plot(z, line - z, color=ORANGE if out else INK, lw=1.2 if out else 0.6)
        outside += [name] * out
    axes.set_xlim(0, 1)
    most = 1.6 * float(np.max(limits.upper - z))
    axes.set_ylim(-most, most)
    return outside


def _lines(found: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: ecdf(column.to_numpy(), sbc.KEEP) for name, column in found.items()}


def panels(path: Path) -> Figure:
    """One panel a quantity."""
    found = ranks_of(path)
    limits = bands(len(found), sbc.KEEP, level=BANDS, seed=sbc.SEED)
    rows = math.ceil(len(found.columns) / 3)
    figure = Figure(figsize=(7.5, 1.7 * rows), layout="constrained")
    grid = figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False)
    for axes, (name, line) in zip(grid.flat, _lines(found).items(), strict=False):
        _panel(axes, limits, {name: line})
        axes.set_title(name, fontsize=9, loc="left")
    for axes in grid.flat[len(found.columns) :]:
        axes.set_axis_off()
    figure.supxlabel("rank of the truth / 100")
    figure.supylabel("ECDF minus uniform")
    return figure


def overlaid(paths: dict[str, Path]) -> Figure:
    """All quantities of a file over one another, a panel a file."""
    figure = Figure(figsize=(7.0, 2.8), layout="constrained")
    grid = figure.subplots(1, len(paths), sharex=True, sharey=False, squeeze=False)
    for axes, (title, path) in zip(grid.flat, paths.items(), strict=True):
        found = ranks_of(path)
        limits = bands(len(found), sbc.KEEP, level=BANDS, seed=sbc.SEED)
        outside = _panel(axes, limits, _lines(found))
        told = f"{title}, {len(found)} data sets"
        axes.set_title(told + (f"\noutside: {', '.join(outside)}" if outside else ""), fontsize=8)
    figure.supxlabel("rank of the truth / 100")
    figure.supylabel("ECDF minus uniform")
    return figure


def recovery(path: Path) -> Figure:
    """Intervals of each number about its truth, in its posterior's own SD (90 % over 3.29)."""
    found = pd.read_csv(path)
    unit = (found["upper_90"] - found["lower_90"]) / 3.29
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes, place = figure.subplots(), np.arange(len(found))[::-1]

    def from_truth(column: str) -> pd.Series:
        return (found[column] - found["truth"]) / unit

    color = [INK if inside else ORANGE for inside in found["inside_90"]]
    axes.hlines(place, from_truth("lower_99"), from_truth("upper_99"), color=color, lw=0.8)
    axes.hlines(place, from_truth("lower_90"), from_truth("upper_90"), color=color, lw=2.6)
    axes.scatter(from_truth("median"), place, c=color, s=14, zorder=3)
    axes.axvline(0, color=GREY, lw=0.8)
    axes.set_yticks(place, found["parameter"])
    axes.set_xlabel("posterior minus truth, in posterior SDs; thick 90 %, thin 99 %")
    return figure


def main() -> None:
    """Draw those whose CSV is there."""
    docs = sbc.DOCS
    arms = {
        title: path
        for title, path in (
            ("from the likelihood", docs / "calibration-arms-normal.csv"),
            ("patients one by one", docs / "calibration-arms-patients.csv"),
        )
        if path.is_file()
    }
    made = {"calibration-individual": panels(docs / "calibration-individual.csv")}
    if arms:
        made["calibration-arms"] = overlaid(arms)
    if (docs / "calibration-recovery.csv").is_file():
        made["calibration-recovery"] = recovery(docs / "calibration-recovery.csv")
    if decisions_told.PATH.is_file():
        made["calibration-decisions"] = decisions_figure.figure(decisions_told.PATH)
    with matplotlib.rc_context(SETTINGS):
        for name, figure in made.items():
            figure.savefig(docs / f"{name}.png", dpi=75, metadata={"Software": None})


if __name__ == "__main__":
    main()
