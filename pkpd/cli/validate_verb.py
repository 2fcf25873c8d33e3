"""The verb validate: leave a part out, predict it from the rest, score the forecasts."""

from __future__ import annotations

from typing import Annotated

import typer

from pkpd.cli.folders import fit_folder
from pkpd.cli.options import Cluster, Fit, Json, Quiet, Workers
from pkpd.cli.printing import rows_of, say, say_json, say_rows
from pkpd.cli.progress import shown_progress

Leave = Annotated[
    list[str] | None,
    typer.Option(
        "--leave",
        metavar="PART",
        help="trial, later, arm, off-drug, a trial's name, or an arm's; repeatable. Without: all.",
    ),
]
SHOWN = (
    "left_out", "part", "endpoint", "unit", "forecaster", "rows", "coverage", "level", "width",
    "log_score", "crps", "log_score_diff", "diff_se", "crps_ratio", "passed",
)  # fmt: skip


def validate(
    fit: Fit,
    *,
    leave: Leave = None,
    workers: Workers = None,
    cluster: Cluster = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Leave out trials, arms and the off-drug phase; predict and score each against rivals."""
    folder = fit_folder(fit)
    import pkpd

    with shown_progress(hidden=quiet or as_json) as progress:
        found = pkpd.validate(
            folder, leave or (), count=workers, cluster=cluster, progress=progress
        )
    if as_json:
        say_json({"passed": found.passed, "missed": found.missed, "scores": rows_of(found.shown)})
    else:
        say_rows(rows_of(found.shown[list(SHOWN)]))
        say(
            "Coverage and width of equal-tailed intervals; log_score_diff below 0: worse than ours."
        )
        for where, missed in found.missed.items():
            say(f"MISSED  {where}: {'; '.join(missed)}")
    if not found.passed:
        raise typer.Exit(1)
