"""Benchmarks: our solver and density beside rivals at equal accuracy, CPU seconds a call.

`python tests/benchmarks/run.py` prints a table, with `--json` a list of rows; `--quick` takes two
virtual patients. Compilation is not counted. Read ratios, not seconds: they were measured in turns
on one machine.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from density_gradient import density_gradient
from fit import course, opened
from reading import reading
from rich.console import Console
from rich.table import Table
from solving import QUICK_TOLERANCES, TOLERANCES, solving
from timing import Row

TUNED = 3e-4
"""The rival's tolerance for the density: at least as near the tight value as ours."""


def measured(quick: bool) -> list[Row]:
    """All rows."""
    repeats = 2 if quick else 15
    fit = opened(quick)
    rows = solving(fit.disease, course(fit), repeats, QUICK_TOLERANCES if quick else TOLERANCES)
    if not quick:
        rows.append(density_gradient(fit, repeats, TUNED))
        rows.append(reading(3))
    return rows


def table(rows: list[Row]) -> Table:
    """The rows to look at."""
    made = Table(title="CPU seconds a call; ratio = rival / ours", show_lines=True)
    for column in ("name", "ours", "rival", "ratio", "rival_name", "accuracy", "note"):
        made.add_column(column.replace("_", " "))
    for row in rows:
        numbers = f"{row.ours:.3g}", f"{row.rival:.3g}", f"{row.ratio:.1f}"
        made.add_row(row.name, *numbers, row.rival_name, row.accuracy, row.note)
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--quick", action="store_true", help="two patients, few repeats")
    chosen = parser.parse_args()
    rows = measured(chosen.quick)
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console().print(table(rows))


if __name__ == "__main__":
    main()
