"""Verbs that take a fit: check, fit, diagnose, report, run.

`pkpd.workflow` is imported inside the verbs: with it come jax and pymc, seconds that
`pkpd --help` and a mistyped verb need not wait for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pkpd.cli.folders import fit_folder
from pkpd.cli.options import Fit, Json, Quiet
from pkpd.cli.printing import rows_of, say, say_json
from pkpd.cli.progress import shown_progress

Prior = Annotated[
    bool, typer.Option("--prior", help="Also simulate data sets from the prior: prior.csv.")
]
Look = Annotated[
    str | None,
    typer.Option(
        "--quick",
        metavar="KIND",
        help="map, laplace, pathfinder, points: a quick look, no posterior; writes quick-KIND.csv.",
    ),
]


def check(fit: Fit, *, prior: Prior = False, quiet: Quiet = False, as_json: Json = False) -> None:
    """Read a fit's settings, models and data, and list every fault."""
    folder = fit_folder(fit)
    from pkpd import workflow

    checked = workflow.check(folder)
    seen = None
    if prior:
        with shown_progress(hidden=quiet or as_json) as progress:
            seen = workflow.prior_predictive(folder, progress=progress)
    if as_json:
        say_json({**checked.to_dict(), **({"prior": seen.to_dict()} if seen else {})})
        return
    say(checked)
    if seen:
        say(f"\n{seen}")


def fit(fit: Fit, *, quick: Look = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Draw from the posterior, and keep the draws in the fit's folder.

    A run that was killed goes on where it was.
    """
    folder = fit_folder(fit)
    if quick is not None:
        _quick(folder, quick, quiet=quiet, as_json=as_json)
        return
    from pkpd import workflow

    with shown_progress(hidden=quiet or as_json) as progress:
        posterior = workflow.fit(folder, progress=progress)
    if as_json:
        say_json({"folder": str(folder), "draws": str(folder / "draws.nc")})
    else:
        say(f"{posterior}. Not judged yet. Next: pkpd diagnose {fit}")


def _quick(folder: Path, kind: str, *, quiet: bool, as_json: bool) -> None:
    from pkpd import workflow

    with shown_progress(hidden=quiet or as_json) as progress:
        look = workflow.quick(folder, kind, progress=progress)
    if as_json:
        say_json({"quick": look.kind, "note": look.told, "rows": rows_of(look.table)})
    else:
        say(look)


def diagnose(fit: Fit, *, quiet: Quiet = False, as_json: Json = False) -> None:
    """Check a posterior against the demands of its fit.toml."""
    folder = fit_folder(fit)
    from pkpd import workflow

    with shown_progress(hidden=quiet or as_json) as progress:
        diagnosis = workflow.diagnose(folder, progress=progress)
    if as_json:
        say_json({"passed": diagnosis.passed, "diagnostics": list(diagnosis.rows)})
    else:
        say(diagnosis)
    _exit(passed=diagnosis.passed)


def report(fit: Fit, *, as_json: Json = False) -> None:
    """Write report.html from the tables in the fit's folder."""
    folder = fit_folder(fit)
    from pkpd import workflow

    page = workflow.report(folder)
    if as_json:
        say_json({"report": str(page)})
    else:
        say(f"Written: {page}")


def run(fit: Fit, *, quiet: Quiet = False, as_json: Json = False) -> None:
    """Do all of it: check, fit, diagnose, predict, report."""
    folder = fit_folder(fit)
    from pkpd import workflow

    with shown_progress(hidden=quiet or as_json) as progress:
        passed = workflow.run(folder, progress=progress)
    page = str(folder / "report.html")
    if as_json:
        say_json({"folder": str(folder), "passed": passed, "report": page})
    else:
        say("Every demand is met." if passed else "A demand is missed: see the report's checks.")
        say(f"Next: open {page}")
    _exit(passed=passed)


def _exit(*, passed: bool) -> None:
    if not passed:
        raise typer.Exit(1)
