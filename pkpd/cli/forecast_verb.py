"""The verb forecast: new patients of a fit, from a few records of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pkpd.cli.folders import fit_folder
from pkpd.cli.options import Fit, Json, Quiet
from pkpd.cli.printing import rows_of, say, say_json, say_rows
from pkpd.cli.progress import shown_progress

if TYPE_CHECKING:  # brings jax and pandas, seconds that `pkpd --help` need not wait for
    from pkpd.individual_forecast import Forecast

Records = Annotated[
    Path, typer.Option(help="CSV of one or more patients' records, NONMEM columns and covariates.")
]
Words = Annotated[
    list[str] | None,
    typer.Option(help="A regimen to come, as '300 mg every 8 weeks'; may be given again."),
]
Pair = Annotated[
    tuple[str, str] | None,
    typer.Option(metavar="REFERENCE OTHER", help="Two regimens to come, held side by side."),
]
Times = Annotated[str, typer.Option(help="Weeks to come, as 4,8,12: they count from the start.")]
Named = Annotated[
    list[str] | None, typer.Option(help="EASI50, EASI75, IGA01 ..; may be given again.")
]
Visits = Annotated[
    str | None, typer.Option(help="With --compare, weeks at which a visit might tell most.")
]
Start = Annotated[
    float | None,
    typer.Option(metavar="WEEK", help="Week of the records' clock at which it begins: the last."),
]
Drug = Annotated[str | None, typer.Option(help="The drug of the regimens: checked.")]
Draws = Annotated[int, typer.Option(help="Draws of the population.")]
Level = Annotated[float | None, typer.Option(help="Probability inside the equal-tailed intervals.")]
Seed = Annotated[int, typer.Option(help="Seed of the draws.")]
_SHOWN = {
    "effects": ("id", "parameter", "map", "map_se", "map_value", "typical", "mean", "lower",
                "upper", "shrinkage"),
    "forecast": ("id", "regimen", "week", "quantity", "statistic", "layer", "mean", "lower",
                 "upper", "mcse", "map"),
    "compare": ("id", "regimen", "week", "response", "statistic", "mean", "lower", "upper", "mcse"),
    "visits": ("id", "response", "regimen", "week", "observation", "probability", "reduction",
               "share_learnt", "mcse", "behind_best", "behind_mcse"),
}  # fmt: skip


def forecast(
    fit: Fit,
    *,
    events: Records,
    regimen: Words = None,
    compare: Pair = None,
    times: Times = "4,8,12,16,20,24",
    response: Named = None,
    visits: Visits = None,
    start: Start = None,
    drug: Drug = None,
    draws: Draws = 200,
    level: Level = None,
    seed: Seed = 1,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Forecast new patients of a fit from their records, under regimens of their own."""
    folder = fit_folder(fit)
    weeks, looks = _numbers("--times", times), _numbers("--visits", visits)
    if compare is None and visits is not None:
        raise typer.BadParameter("--visits goes with --compare.")
    from pkpd.individual_forecast import forecast as forecast_of

    with shown_progress(hidden=quiet or as_json) as progress:
        found = forecast_of(
            folder, events, progress=progress, regimens=regimen or (), compare=compare,
            times=weeks, responses=response or (), visits=looks, start=start, drug=drug,
            draws=draws, level=level, seed=seed,
        )  # fmt: skip
    if as_json:
        say_json(found.to_dict())
    else:
        _say(found)
    if not found.passed:
        raise typer.Exit(1)


def _say(found: Forecast) -> None:
    """Tables one after the other, each with what it is of; then the answer and how sure it is."""
    level = f"{found.forecast['level'].iloc[0]:.0%} equal-tailed intervals"
    heads = {
        "effects": f"Effects on the parameters' own scales: MAP, posterior, {level}",
        "forecast": f"To come, weeks from the start, {level}",
        "compare": f"Reference and other regimen with the same luck, {level}",
        "visits": "What a visit would tell: expected fall of the variance of the response",
    }
    for name, head in heads.items():
        table = getattr(found, name)
        if not table.empty:
            say(f"{head}\n")
            say_rows(rows_of(table[list(_SHOWN[name])]))
            say("")
    for sentence in found.sentences():
        say(sentence)


def _numbers(option: str, text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise typer.BadParameter(f"{option} '{text}' is not numbers with commas, as 4,8.") from None
