"""The verbs on the folder of an individual-level fit: check, fit, diagnose, predict, report."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from pkpd.averaged_sampling import draw as draw_averaged
from pkpd.checkpoint import checkpoint
from pkpd.diagnosis.checks import (
    Check,
    Diagnosis,
    averaged_check,
    coverage_check,
    points_check,
    sampling_checks,
    solver_check,
)
from pkpd.diagnosis.individual import individuals, prove_mesh
from pkpd.diagnosis.summary import summary
from pkpd.errors import DataError, Fault
from pkpd.files import replacing
from pkpd.fit_folder import note_asked, update_card
from pkpd.individual.kept_mesh import mesh_dataset, on_mesh
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual.solve import finer
from pkpd.individual_folder import (
    IndividualFit,
    centring_told,
    counts,
    excluded,
    individual_provenance,
    open_individual,
)
from pkpd.individual_sampling import Drawn, draw
from pkpd.points_sampling import draw as draw_by_points
from pkpd.posterior import Posterior, load_posterior
from pkpd.prediction.courses_store import NAME
from pkpd.prediction.individual_seen import error_table, fresh, goodness_table, visual_table
from pkpd.prediction.new_subjects import new_subjects
from pkpd.provenance import file_hash
from pkpd.statement import statement
from pkpd.variation.standard import prior_draws

Progress = Callable[[str, float], None]
PROOF = 400
"""Draws re-solved on a finer mesh."""

SEEN = 300
"""Draws behind the fit of each row."""

WAYS = {"walked": draw, "integrated": draw_by_points, "averaged": draw_averaged}
"""What draws, by what becomes of the subjects' effects."""

TOLD = ("points", "averaged")
"""What a way of drawing says of itself, a group of the tree."""

TABLES = (
    "summary.csv", "gof.csv", "vpc.csv", "npde.csv", "individuals.csv", "predictions.csv",
)  # fmt: skip


def fit(folder: Path, *, progress: Progress) -> Posterior:
    """Sample the posterior; a run that was killed goes on where it was."""
    opened = open_individual(folder)
    record = individual_provenance(opened)
    progress("planning the mesh", 0.0)
    likelihood = opened.likelihood
    progress("planning the mesh", 1.0)
    kept = checkpoint(folder, record)
    effects = likelihood.settings.sampler.effects
    found = WAYS[effects](likelihood, kept, progress)
    record |= {
        "seconds": found.seconds,
        "resumed": found.resumed,
        f"{'points' if effects == 'integrated' else 'laplace'}_log_marginal": found.start.marginal,
        "centring": centring_told(
            likelihood, found.start.shrinkage, "by subject" if effects == "walked" else effects
        ),
    }
    record |= {n: dict(found.tree[n].attrs) for n in TOLD if n in found.tree.children}
    posterior = Posterior(_with_mesh(found), record)
    for name in ("card.json", "report.html", *TABLES):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / NAME, ignore_errors=True)
    posterior.save(folder / "draws.nc")
    kept.clear()
    return posterior


def _with_mesh(found: Drawn) -> Any:
    """The draws, the mesh they were made on beside them."""
    tree, mesh = found.tree.copy(), mesh_dataset(found.start.likelihood)
    if mesh is not None:
        tree["mesh"] = xr.DataTree(mesh)
    return tree


def _sampled(opened: IndividualFit, posterior: Posterior) -> IndividualLikelihood:
    """The likelihood that was sampled, on its mesh."""
    if "mesh" not in posterior.tree.children:
        return opened.likelihood
    return on_mesh(opened.likelihood, posterior.tree["mesh"].to_dataset())


def with_draws(folder: Path) -> tuple[IndividualFit, Posterior]:
    """The fit and its posterior; `DataError` where the draws are of other input than today's."""
    opened = open_individual(folder)
    posterior = load_posterior(folder / "draws.nc")
    if posterior.provenance["hashes"] != individual_provenance(opened)["hashes"]:
        raise DataError(
            [
                Fault(
                    str(folder),
                    "fit.toml, the data or a model changed since the draws were made",
                    f"Run `pkpd fit {folder}` again",
                )
            ]
        )
    return opened, posterior


def diagnose(folder: Path, *, progress: Progress) -> Diagnosis:
    """Check the posterior; writes its tables (all but predictions.csv) and the card."""
    opened, posterior = with_draws(folder)
    likelihood, settings = _sampled(opened, posterior), opened.settings
    level = settings.predictions.level
    checks = sampling_checks(posterior.tree, settings.demands, settings.sampler.max_treedepth)
    checks += _solver_checks(likelihood, posterior, progress)
    if "points" in posterior.provenance:
        checks.append(points_check(posterior.provenance["points"], settings.demands))
    if "averaged" in posterior.provenance:
        checks.append(averaged_check(posterior.provenance["averaged"], settings.demands))
    gof = goodness_table(
        likelihood, posterior.draws(SEEN), lambda share: progress("predictive check", share)
    )
    checks.append(coverage_check(float(gof["covered"].mean()), settings.demands, level))
    space = population_space(likelihood)
    table = summary(space, posterior.tree, prior_draws(space, 4000, 1), level=level)
    shrinkage = {n: each["shrinkage"] for n, each in posterior.provenance["centring"].items()}
    _table(table, folder / "summary.csv")
    _table(gof, folder / "gof.csv")
    replicates = posterior.draws(settings.predictions.replicates)
    new = fresh(likelihood, replicates, lambda share: progress("visual check", share))
    _table(visual_table(likelihood, new, gof), folder / "vpc.csv")
    _table(error_table(likelihood, new, gof), folder / "npde.csv")
    _table(individuals(likelihood, posterior.draws(SEEN), shrinkage, level=level),
           folder / "individuals.csv")  # fmt: skip
    diagnosis = Diagnosis(tuple(checks))
    _write_card(opened, posterior, diagnosis, table)
    update_card(folder, {"replicates_lost": new.lost})
    return diagnosis


def _solver_checks(
    likelihood: IndividualLikelihood, posterior: Posterior, progress: Progress
) -> list[Check]:
    """The proof of the mesh; none for a closed form, which has no error."""
    if likelihood.solver.cut is None and posterior.walked() is None:
        return []
    tight = replace(likelihood, solver=finer(likelihood.solver, 4))
    proof = prove_mesh(
        likelihood.walked(),
        tight,
        posterior.draws(PROOF),
        lambda share: progress("proving the mesh", share),
        posterior.walked(PROOF),
    )
    return [solver_check(proof.pareto_k, likelihood.settings.demands, proof.shift)]


def _write_card(
    opened: IndividualFit, posterior: Posterior, diagnosis: Diagnosis, table: pd.DataFrame
) -> None:
    record, solver = posterior.provenance, _sampled(opened, posterior).solver
    update_card(
        opened.folder,
        {
            "kind": "individual",
            "name": opened.settings.name,
            "title": opened.settings.title,
            "passed": diagnosis.passed,
            "diagnostics": diagnosis.rows,
            **{key: record[key] for key in ("versions", "hashes", "seconds")},
            **note_asked(opened.folder, "diagnose", opened.settings),
            "resumed": record.get("resumed", {}),  # draws of before have none
            "centring": record["centring"],
            **{key: record[key] for key in record if key.endswith("_log_marginal")},
            **{name: record.get(name) for name in TOLD},
            "solver": "closed form" if solver.cut is None else solver.method,
            "mesh": {"steps": 0 if solver.cut is None else int(solver.cut.step.size)},
            "data": counts(opened),
            "time_unit": opened.model.units["time"],
            "excluded": excluded(opened),
            "warnings": [opened.model.warning] if opened.model.warning else [],
            "published": [each.model_dump() for each in opened.settings.published],
            "model_statement": statement(opened.model),
            "sentence": _sentence(opened, table),
        },
    )


def _sentence(opened: IndividualFit, table: pd.DataFrame) -> str:
    """The first parameters of the model in words."""
    names = [p.name for p in opened.model.parameters]
    rows = table[table["parameter"].isin(names)].head(4)
    told = [
        f"{row['parameter']} {row['median']:.3g} {row['unit']} ({row['lower']:.3g} to "
        f"{row['upper']:.3g})"
        for _, row in rows.iterrows()
    ]
    level = f"{table['level'].iloc[0]:.0%}"
    return f"Typical values, posterior median and {level} equal-tailed interval: {', '.join(told)}."


def predict(folder: Path, *, progress: Progress) -> pd.DataFrame:
    """New subjects under the regimens of fit.toml; writes predictions.csv."""
    opened, posterior = with_draws(folder)
    asked = opened.settings.predictions
    table = new_subjects(
        opened.settings, opened.model, opened.data.events.table, posterior.draws(asked.draws),
        lambda share: progress("predicting", share),
    )  # fmt: skip
    _table(table, folder / "predictions.csv")
    told = note_asked(folder, "predict", opened.settings)
    update_card(folder, {"predicted": file_hash(folder / "predictions.csv"), **told})
    return table


def _table(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, index=False)
