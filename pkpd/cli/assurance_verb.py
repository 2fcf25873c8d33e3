"""The verb assurance: would a planned re-randomised trial succeed, and with how many patients."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pkpd.cli.answers import say_answer
from pkpd.cli.folders import fit_folder
from pkpd.cli.options import Draws, Drugs, Endpoint, Fit, Json, Level, Patients, Quiet
from pkpd.cli.progress import shown_progress
from pkpd.cli.reading import numbers, words

Arms = Annotated[str | None, typer.Option(help="Arms, the reference first, as Q4W,Q8W,Q12W,stop.")]
Sizes = Annotated[
    str | None, typer.Option("--n", metavar="N", help="Patients an arm; several as 100,200.")
]
Wanted = Annotated[
    float | None, typer.Option(help="Assurance whose number of patients is searched, as 0.8.")
]
Margin = Annotated[float | None, typer.Option(help="Non-inferiority margin, as 0.1.")]
OneSided = Annotated[
    float | None, typer.Option("--one-sided-level", help="Level of the test, as 0.025.")
]
Test = Annotated[str | None, typer.Option(help="miettinen-nurminen or farrington-manning.")]
Week = Annotated[float | None, typer.Option(help="Week at which arms are compared, as 72.")]
Estimand = Annotated[str | None, typer.Option(help="NRI, treatment-policy or while-on-treatment.")]
Seed = Annotated[int | None, typer.Option(help="Seed of virtual patients and new trials.")]


def assurance(
    fit: Fit,
    *,
    arms: Arms = None,
    n: Sizes = None,
    wanted: Wanted = None,
    margin: Margin = None,
    one_sided_level: OneSided = None,
    test: Test = None,
    week: Week = None,
    endpoint: Endpoint = None,
    estimand: Estimand = None,
    drug: Drugs = None,
    level: Level = None,
    draws: Draws = None,
    patients: Patients = None,
    seed: Seed = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say how likely a planned re-randomised trial succeeds; with --wanted, how many it needs.

    Responders of each induction of fit.toml are re-randomised to --arms, --n patients each.
    Writes assurance.csv.
    """
    options: dict[str, Any] = {
        "arms": words(arms),
        "sizes": numbers("--n", n) if n is not None else None,
        "wanted": wanted,
        "margin": margin,
        "one_sided_level": one_sided_level,
        "test": test,
        "week": week,
        "endpoint": endpoint,
        "estimand": estimand,
        "drugs": tuple(drug) if drug else None,
        "level": level,
        "draws": draws,
        "patients": patients,
        "seed": seed,
    }
    _planned(fit, options, quiet=quiet, as_json=as_json)


def _planned(fit: str, options: dict[str, Any], *, quiet: bool, as_json: bool) -> None:
    folder = fit_folder(fit)
    from pkpd import assurance_workflow  # brings jax and pymc, seconds that --help need not wait
    from pkpd.decision.assurance import told

    with shown_progress(hidden=quiet or as_json) as progress:
        made = assurance_workflow.assurance(folder, progress=progress, **options)
    said = told(made.table)
    say_answer(made, said, next_step=f"Written: {folder}/assurance.csv", as_json=as_json)
