"""Words that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Fit = Annotated[str, typer.Argument(metavar="FIT", help="A fit's folder, or its name in fits/.")]
Name = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name: see pkpd models.")]
