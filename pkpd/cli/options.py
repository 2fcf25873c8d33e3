"""Words that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

from pkpd.responses import RESPONSES

Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Fit = Annotated[str, typer.Argument(metavar="FIT", help="A fit's folder, or its name in fits/.")]
Name = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name: see pkpd models.")]
Endpoint = Annotated[str | None, typer.Option(help=f"One of {', '.join(RESPONSES)}.")]
ESTIMANDS = "hypothetical, NRI, treatment-policy, observed or while-on-treatment."
Drugs = Annotated[
    list[str] | None, typer.Option("--drug", help="A drug of the fit; again for more. All if none.")
]
Level = Annotated[float | None, typer.Option(help="Probability inside the intervals.")]
Draws = Annotated[int | None, typer.Option(help="Posterior draws at most, as 1000.")]
Patients = Annotated[int | None, typer.Option(help="Virtual patients a regimen.")]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Processes to share the work; needs Dask.")
]
Cluster = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler's address, for its workers.")
]
