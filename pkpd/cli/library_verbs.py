"""Verbs that look at what there is: models, show, fits, doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from pkpd.cli.folders import fit_folders, fits_root
from pkpd.cli.options import Json, Name
from pkpd.cli.printing import rows_of, say, say_json, say_rows
from pkpd.doctor import examine
from pkpd.library import load
from pkpd.library import models as model_files
from pkpd.settings_joint import read_any_settings
from pkpd.statement import described, statement


def models(*, as_json: Json = False) -> None:
    """List the models: name, kind, drug and title."""
    found = [load(name) for name in model_files()]
    rows = [{"name": m.name, "kind": m.kind, "drug": m.drug, "title": m.title} for m in found]
    if as_json:
        say_json(rows)
        return
    say_rows(rows)
    say("Next: pkpd show MODEL")


def show(model: Name, *, as_json: Json = False) -> None:
    """Print a model in full: equations, numbers with sources, assumptions, warnings."""
    if as_json:
        say_json(described(load(model)))
    else:
        say(statement(load(model)))


def fits(
    *,
    stale: Annotated[
        bool, typer.Option("--stale", help="Compare the hashes of results, and sample nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the fits; with --stale, say whose results are older than their input."""
    if stale:
        from pkpd import workflow  # brings jax and pymc, seconds that --help need not wait

        rows = rows_of(workflow.stale(fits_root()))
    else:
        found = [(f.name, read_any_settings(f / "fit.toml")) for f in fit_folders(fits_root())]
        rows = [{"name": n, "title": s.title, "model": s.model, "data": s.data} for n, s in found]
    if as_json:
        say_json(rows)
        return
    say_rows(rows)
    say("Next: pkpd run FIT" if stale else "Next: pkpd check FIT")


def doctor(*, as_json: Json = False) -> None:
    """Say whether this installation can work: versions, float64, cores."""
    found = examine()
    if as_json:
        say_json(found.to_dict())
    else:
        say(found)
    if not found.fine:
        raise typer.Exit(1)
