"""The verb simulate: event records in, one row out for each record that is no dose."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pkpd.cli.options import Json, Name
from pkpd.cli.printing import rows_of, say, say_json
from pkpd.cli.reading import named_value

if TYPE_CHECKING:  # pandas takes 0.4 s, which `pkpd --help` need not wait for
    from pandas import DataFrame

Table = Annotated[Path, typer.Option(help="CSV of event records, NONMEM columns.")]
Individuals = Annotated[
    Path | None, typer.Option(help="CSV of ID and any parameters; typical values otherwise.")
]
Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One value for all.")
]
Solver = Annotated[str | None, typer.Option(help="closed, ode or stiff.")]
Words = Annotated[
    str | None,
    typer.Option(help="Doses for every subject, as '300 mg every 4 weeks', week 0 at TIME 0."),
]
Out = Annotated[Path | None, typer.Option(help="CSV to write; stdout if not given.")]


def simulate(
    model: Name,
    *,
    events: Table,
    parameters: Individuals = None,
    settings: Setting = None,
    solver: Solver = None,
    regimen: Words = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Run a model over event records."""
    values = dict(named_value("--set", text, "cl=0.2") for text in settings or [])
    if out is not None and not out.parent.is_dir():
        raise typer.BadParameter(f"--out {out}: there is no folder {out.parent}.")
    from pkpd.simulation import simulate as simulated  # brings jax and pandas: 1 s

    table = simulated(model, events, parameters, solver=solver, settings=values, regimen=regimen)
    if out is not None:
        _write(table, out)
    if as_json:
        say_json({"out": str(out), "rows": len(table)} if out else rows_of(table))
    elif out is not None:
        say(f"Written: {out}, {len(table)} rows.")
    else:
        say(table.to_csv(index=False).rstrip())


def _write(table: DataFrame, out: Path) -> None:
    """Write beside, then rename, so that a broken run leaves no half file."""
    part = out.with_name(f".partial-{out.name}")
    table.to_csv(part, index=False)
    os.replace(part, out)
