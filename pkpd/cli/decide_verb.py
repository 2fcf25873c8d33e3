"""The verb decide: how far the interval can go, how surely, and at which loss."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pkpd.cli.answers import say_answer
from pkpd.cli.folders import fit_folder
from pkpd.cli.options import ESTIMANDS, Draws, Drugs, Endpoint, Fit, Json, Level, Patients, Quiet
from pkpd.cli.progress import shown_progress
from pkpd.cli.reading import named_value, numbers, words

Margin = Annotated[float | None, typer.Option(help="Loss of response tolerated, as 0.1.")]
KeptShare = Annotated[
    float | None, typer.Option(help="Share of the reference's response to be kept, as 0.8.")
]
Probability = Annotated[float | None, typer.Option(help="How surely, as 0.8.")]
Losses = Annotated[
    list[str] | None,
    typer.Option(
        "--loss", metavar="NAME=VALUE", help="kept, lost (a patient-year) or injection (each)."
    ),
]
Intervals = Annotated[str | None, typer.Option(help="Weeks between doses, as 4,8,12,16.")]
Weeks = Annotated[str | None, typer.Option(help="Weeks to decide at, as 52,72,104.")]
Estimand = Annotated[str | None, typer.Option(help=ESTIMANDS)]
Beside = Annotated[
    str | None, typer.Option(help="Other endpoints to answer in brief, as EASI50,IGA01.")
]
WeightCut = Annotated[
    float | None, typer.Option(help="kg at which subgroups split; the median if not given.")
]
EasiCut = Annotated[
    float | None, typer.Option(help="Baseline EASI at which subgroups split; the median if not.")
]
Seed = Annotated[int | None, typer.Option(help="Seed of virtual patients and prior draws.")]


def decide(
    fit: Fit,
    *,
    margin: Margin = None,
    kept_share: KeptShare = None,
    probability: Probability = None,
    loss: Losses = None,
    intervals: Intervals = None,
    weeks: Weeks = None,
    endpoint: Endpoint = None,
    estimand: Estimand = None,
    beside: Beside = None,
    drug: Drugs = None,
    weight_cut: WeightCut = None,
    easi_cut: EasiCut = None,
    level: Level = None,
    draws: Draws = None,
    patients: Patients = None,
    seed: Seed = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Weigh dosing intervals from a stored posterior: what they keep, how surely, at which loss.

    Numbers not given are those of fit.toml. Writes decisions.csv.
    """
    options: dict[str, Any] = {
        "margin": margin,
        "kept_share": kept_share,
        "probability": probability,
        "loss": dict(named_value("--loss", text, "injection=0.02") for text in loss or []) or None,
        "intervals": numbers("--intervals", intervals) if intervals is not None else None,
        "weeks": numbers("--weeks", weeks) if weeks is not None else None,
        "endpoint": endpoint,
        "estimand": estimand,
        "beside": words(beside),
        "drugs": tuple(drug) if drug else None,
        "weight_cut": weight_cut,
        "easi_cut": easi_cut,
        "level": level,
        "draws": draws,
        "patients": patients,
        "seed": seed,
    }
    _decided(fit, options, quiet=quiet, as_json=as_json)


def _decided(fit: str, options: dict[str, Any], *, quiet: bool, as_json: bool) -> None:
    folder = fit_folder(fit)
    from pkpd import decision_workflow  # brings jax and pymc, seconds that --help need not wait
    from pkpd.decision.told import told

    with shown_progress(hidden=quiet or as_json) as progress:
        made = decision_workflow.decide(folder, progress=progress, **options)
    said = [(each.heading, each.rows, each.sentences) for each in told(made.table)]
    say_answer(made, said, next_step=f"Next: pkpd report {fit}", as_json=as_json)
