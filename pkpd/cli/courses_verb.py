"""The verb courses: new patients under every draw and regimen, streamed to disk."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pkpd.cli.folders import fit_folder
from pkpd.cli.options import Cluster, Draws, Fit, Json, Quiet, Workers
from pkpd.cli.printing import say, say_json
from pkpd.cli.progress import shown_progress

DIMS = ("draw", "patient", "time")
Patients = Annotated[int | None, typer.Option(help="New patients; without: as fit.toml says.")]


def courses(
    fit: Fit,
    *,
    patients: Patients = None,
    draws: Draws = None,
    workers: Workers = None,
    cluster: Cluster = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Follow new patients under every draw and every regimen of fit.toml; write courses.zarr."""
    folder = fit_folder(fit)
    import pkpd

    with shown_progress(hidden=quiet or as_json) as progress:
        path = pkpd.courses(
            folder, patients=patients, draws=draws, count=workers, cluster=cluster,
            progress=progress,
        )  # fmt: skip
    tree = pkpd.open_courses(path)
    groups = {name: {dim: tree[name].sizes[dim] for dim in DIMS} for name in sorted(tree, key=int)}
    demands = tree.attrs["demands"]
    if as_json:
        say_json({"path": str(path), "demands": demands, "regimens": [
            {"regimen": tree[n].attrs["regimen"], **sizes} for n, sizes in groups.items()
        ], "mesh_errors": [tree[n]["mesh"].attrs["residual"] for n in groups]})  # fmt: skip
    else:
        for name, sizes in groups.items():
            told = f"{sizes['draw']} draws, {sizes['patient']} patients, {sizes['time']} times"
            say(f"{name}  {tree[name].attrs['regimen']}: {told}; {_solved(tree[name]['mesh'])}")
        say(f"The posterior's demands: {demands}.")
        say(f"Written: {path}. Next: pkpd.open_courses('{path}')")
    if demands != "met":
        raise typer.Exit(1)


def _solved(mesh: Any) -> str:
    """How a regimen's courses were solved, and how far off that was."""
    method = mesh.attrs["method"]
    if "step" not in mesh.attrs:
        return method
    return (
        f"{len(mesh.attrs['step'])} parts ({method}), off by {mesh.attrs['residual']:.1e} at most"
    )
