"""Benchmarks: our solvers and densities beside rivals at equal accuracy, CPU seconds a call.

`python tests/benchmarks/run.py` prints a table, with `--json` a list of rows; `--only NAME ..`
takes some parts, `--quick` takes few patients and leaves out what takes minutes. Compilation is not
counted. Read ratios, not seconds: they were measured in turns on one machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict

from cohort import cohort_rows
from density_gradient import density_gradient
from few import few_rows
from fit import course, opened
from geometry import geometry_rows
from individual_gradient import gradient_rows
from reading import reading
from rich.console import Console
from rich.table import Table
from scaling import chain_rows, compile_rows, scaling_rows
from sixty import simulated, sixty
from solving import QUICK_TOLERANCES, TOLERANCES, solving
from timing import Row

TUNED = 3e-4
"""The rival's tolerance for the density: at least as near the tight value as ours."""

COHORT = 3e-6
"""Tolerance of the cohort's mesh, chosen so that the largest error is below 1e-5."""

PATIENTS = (60, 300, 1_000, 3_000, 10_000)


def arms(quick: bool) -> list[Row]:
    """The arm-level fit."""
    repeats = 2 if quick else 15
    fit = opened(quick)
    rows = solving(fit.disease, course(fit), repeats, QUICK_TOLERANCES if quick else TOLERANCES)
    return rows if quick else [*rows, density_gradient(fit, repeats, TUNED)]


def individuals(quick: bool) -> list[Row]:
    """Gradient and log-density of sixty patients, quick: of four."""
    if quick:
        return gradient_rows(simulated(4), 2, slow=False)
    return gradient_rows(sixty(), 15, slow=True)


def cohorts(quick: bool) -> list[Row]:
    """A thousand patients over two years, quick: eight over eight weeks."""
    if quick:
        return cohort_rows(8, 8, COHORT, 2, slow=False)
    return cohort_rows(1_000, 104, COHORT, 7, slow=True)


def scales(quick: bool) -> list[Row]:
    """Patients, chains, compilation."""
    if quick:
        return scaling_rows((8, 104), 2)
    return [*scaling_rows(PATIENTS, 5), *chain_rows(sixty()), *compile_rows(60)]


def walks(quick: bool) -> list[Row]:
    """Sampling, for minutes."""
    return [] if quick else geometry_rows(sixty(), 500, 500)


def few_subjects(quick: bool) -> list[Row]:
    """Sampling where subjects are few, for two minutes."""
    return [] if quick else few_rows()


PARTS: dict[str, Callable[[bool], list[Row]]] = {
    "arms": arms,
    "reading": lambda quick: [] if quick else [reading(3)],
    "individuals": individuals,
    "cohort": cohorts,
    "scaling": scales,
    "geometry": walks,
    "few": few_subjects,
}


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
    parser.add_argument("--quick", action="store_true", help="few patients, few repeats")
    parser.add_argument("--only", nargs="+", choices=[*PARTS], help="parts; all, if not given")
    chosen = parser.parse_args()
    rows = [row for part in chosen.only or PARTS for row in PARTS[part](chosen.quick)]
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console().print(table(rows))


if __name__ == "__main__":
    main()
