"""The verb predict: the questions of fit.toml, or a regimen of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pkpd.cli.folders import fit_folder
from pkpd.cli.options import ESTIMANDS, Fit, Json, Quiet
from pkpd.cli.printing import rows_of, say, say_json, say_rows
from pkpd.cli.progress import shown_progress
from pkpd.cli.reading import numbers
from pkpd.prediction.asked import Asked
from pkpd.responses import RESPONSES

if TYPE_CHECKING:  # pandas takes 0.4 s, which `pkpd --help` need not wait for
    from pandas import DataFrame

Drug = Annotated[str | None, typer.Option(help="Drug, for a regimen of your own.")]
Words = Annotated[
    str | None,
    typer.Option(help="For example '300 mg every 8 weeks, miss dose 3'; see docs/regimens.md."),
]
Weeks = Annotated[str | None, typer.Option(help="Weeks to predict, as 24,52.")]
Endpoint = Annotated[
    str, typer.Option(help=f"{', '.join(RESPONSES)}, DOSES, EASI50_RECAPTURED ...")
]
Estimand = Annotated[str, typer.Option(help=ESTIMANDS)]
NewTrial = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Predict a new trial with N patients an arm.")
]
Level = Annotated[float, typer.Option(help="Probability inside the intervals, within 0 and 1.")]
Seed = Annotated[int, typer.Option(help="Seed of the draws.")]


def predict(
    fit: Fit,
    *,
    drug: Drug = None,
    regimen: Words = None,
    weeks: Weeks = None,
    endpoint: Endpoint = "EASI75",
    estimand: Estimand = "NRI",
    new_trial: NewTrial = None,
    level: Level = 0.9,
    seed: Seed = 1,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Predict the questions of fit.toml, or with --drug --regimen --weeks one of your own."""
    folder = fit_folder(fit)
    if drug is regimen is weeks is None:
        table = _questions(folder, hidden=quiet or as_json)
    elif drug is None or regimen is None or weeks is None:
        raise typer.BadParameter("give --drug, --regimen and --weeks together, or none of them.")
    elif not 0 < level < 1:
        raise typer.BadParameter(f"--level {level:g} is not within 0 and 1.")
    else:
        from pkpd import workflow

        asked = Asked(drug, regimen, numbers("--weeks", weeks), endpoint, estimand, new_trial)
        table = workflow.predict_regimen(folder, asked, level=level, seed=seed)
    if as_json:
        say_json(rows_of(table))
        return
    say_rows(rows_of(table))
    say(f"Next: pkpd report {fit}")


def _questions(folder: Path, *, hidden: bool) -> DataFrame:
    from pkpd import workflow  # brings jax and pymc, seconds that --help need not wait

    with shown_progress(hidden=hidden) as progress:
        return workflow.predict(folder, progress=progress)
