"""The verbs on the folder of a joint fit that differ from those of arms alone: fit, diagnose."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr

from pkpd.arm_level.held import held_dataset
from pkpd.arm_level.planned import planned
from pkpd.arm_level.problem import Likelihood
from pkpd.checkpoint import checkpoint
from pkpd.diagnosis.checks import Check, Diagnosis, coverage_check, sampling_checks, solver_check
from pkpd.diagnosis.individual import individuals, prove_mesh
from pkpd.diagnosis.solver import prove
from pkpd.diagnosis.summary import summary
from pkpd.files import replacing
from pkpd.fit_folder import update_card, write_card
from pkpd.individual.solve import finer
from pkpd.individual_folder import centring_told
from pkpd.joint.checks import ENOUGH, few_patients
from pkpd.joint.mesh import with_mesh
from pkpd.joint.problem import JointLikelihood, joint_likelihood
from pkpd.joint.start import JointStart, find_start
from pkpd.joint_folder import JointFit, joint_hashes, open_joint, told
from pkpd.joint_sampling import sample
from pkpd.posterior import Posterior
from pkpd.prediction.individual_seen import error_table, fresh, goodness_table, visual_table
from pkpd.prediction.predictive import predictive
from pkpd.provenance import provenance
from pkpd.reporting.folder import AFTER, COLUMNS
from pkpd.reporting.joint import OWN
from pkpd.variation.standard import prior_draws

Progress = Callable[[str, float], None]
Draws = dict[str, np.ndarray]
PROOF, ROWS, SEEN = 100, 400, 300
"""Draws re-solved on finer meshes, behind the posted rows' predictions, and behind gof.csv."""


def fit(folder: Path, *, progress: Progress) -> Posterior:
    """Sample the joint posterior; once it is there, the results of the run before go."""
    opened, began = open_joint(folder), time.perf_counter()
    progress("planning the mesh", 0.0)
    problem = opened.problem
    arms, error = planned(problem.settings, problem.data, problem.disease, problem.pk)
    likelihood = joined(opened, arms)
    progress("planning the mesh", 1.0)
    plan = time.perf_counter() - began
    origin = {**provenance(problem), "hashes": joint_hashes(opened)}
    kept = checkpoint(folder, origin)
    start = find_start(likelihood, progress, kept)
    seconds = {"plan mesh": plan, "find start": time.perf_counter() - began - plan}
    drawn = sample(start, opened.settings.sampler, progress, kept)
    record = {
        **origin,
        "mesh": [float(day) for day in arms.lanes.mesh],
        "mesh_error": error,
        "seconds": seconds | drawn.seconds,
        "resumed": drawn.resumed,
        "reference": [float(value) for value in drawn.start.arms.reference],
        "centring": centring_told(likelihood.individual, drawn.start.shrinkage),
    }
    posterior = _kept(drawn.tree, drawn.start, record)
    for name in ("card.json", "report.html", *OWN, *COLUMNS, *AFTER):
        (folder / name).unlink(missing_ok=True)
    posterior.save(folder / "draws.nc")
    kept.clear()
    return posterior


def joined(opened: JointFit, arms: Likelihood) -> JointLikelihood:
    """The joint likelihood with these arms; plans the individuals' mesh."""
    part, bare = opened.settings.individual, opened.individual.bare
    return with_mesh(joint_likelihood(arms, bare, drug=part.drug, study=part.study))


def _kept(tree: Any, start: JointStart, record: dict[str, Any]) -> Posterior:
    """The posterior with the covariances that it was made under."""
    assert start.likelihood.arms.frozen is not None
    tree = tree.copy()
    tree["held"] = xr.DataTree(held_dataset(start.likelihood.arms.frozen))
    return Posterior(tree, record)


def diagnose(
    folder: Path, arms: Likelihood, posterior: Posterior, *, progress: Progress
) -> Diagnosis:
    """Check the posterior; writes summary.csv, ppc.csv, the individuals' tables and the card.

    `arms` is the likelihood that the draws were made under.
    """
    opened = open_joint(folder)
    likelihood, demands = joined(opened, arms), opened.settings.demands
    level = opened.settings.predictions.level
    seen = _arms_seen(arms, posterior, progress)
    own, lost = _own_seen(likelihood, posterior, progress)
    space = likelihood.population
    table = summary(space, posterior.tree, prior_draws(space, 4000, 1), level=level)
    fitted = seen[seen["fitted"].astype(bool)]
    diagnosis = Diagnosis(
        (
            *sampling_checks(posterior.tree, demands, opened.settings.sampler.max_treedepth),
            *_solver_checks(likelihood, posterior.draws(PROOF), progress),
            _patients_check(opened),
            coverage_check(float(fitted["inside"].mean()), demands, level),
            _of_individuals(
                coverage_check(float(own["gof.csv"]["covered"].mean()), demands, level)
            ),
        )
    )
    for name, each in {"summary.csv": table, "ppc.csv": seen, **own}.items():
        with replacing(folder / name) as partial:
            each.to_csv(partial, index=False)
    write_card(folder, opened.settings, posterior, diagnosis, arms.data)
    update_card(
        folder,
        {
            "kind": "joint",
            "individual": told(opened),
            "centring": posterior.provenance["centring"],
            "replicates_lost": lost,
            "time_unit": opened.individual.model.units["time"],
        },
    )
    return diagnosis


def _patients_check(opened: JointFit) -> Check:
    """Whether arms have virtual patients enough for spreads between patients to be the data's."""
    advice, count = few_patients(opened.settings), opened.settings.patients.count
    return Check("virtual patients an arm", count, f">= {ENOUGH}", not advice, advice)


def _of_individuals(check: Check) -> Check:
    return replace(check, check=f"individuals: {check.check}")


def _solver_checks(likelihood: JointLikelihood, draws: Draws, progress: Progress) -> list[Check]:
    """The proofs of both meshes."""
    demands, individual = likelihood.arms.settings.demands, likelihood.individual
    arms = prove(likelihood.arms, draws, lambda share: progress("proving the mesh", share))
    found = [solver_check(arms.pareto_k, demands, arms.shift)]
    if individual.solver.cut is not None:
        tight = replace(individual, solver=finer(individual.solver, 4))
        own = prove_mesh(
            individual.walked(),
            tight,
            translated_draws(likelihood, draws),
            lambda share: progress("proving the individuals' mesh", share),
        )
        found.append(_of_individuals(solver_check(own.pareto_k, demands, own.shift)))
    return found


def _arms_seen(arms: Likelihood, posterior: Posterior, progress: Progress) -> pd.DataFrame:
    """ppc.csv: each posted number against what the fit would have posted."""
    settings = arms.settings
    progress("predictive check", 0.0)
    level, seed = settings.predictions.level, settings.sampler.seed
    seen = predictive(arms, posterior.draws(ROWS), level=level, seed=seed)
    progress("predictive check", 1.0)
    return seen


def translated_draws(likelihood: JointLikelihood, draws: Draws) -> Draws:
    """Draws of the joint fit as draws of the individual level's numbers, by name."""
    found = jax.vmap(likelihood.links.translated)(jax.tree.map(jnp.asarray, draws))
    return {name: np.asarray(value) for name, value in found.items()}


def _own_seen(
    likelihood: JointLikelihood, posterior: Posterior, progress: Progress
) -> tuple[dict[str, pd.DataFrame], int]:
    """The individuals' tables, by file: as an individual-level fit writes them; replicates lost."""
    individual = likelihood.individual
    asked = individual.settings.predictions
    draws = translated_draws(likelihood, posterior.draws(SEEN))
    replicates = translated_draws(likelihood, posterior.draws(asked.replicates))
    gof = goodness_table(
        individual, draws, lambda share: progress("the individuals' predictive check", share)
    )
    new = fresh(
        individual, replicates, lambda share: progress("the individuals' visual check", share)
    )
    kept = {n: each["shrinkage"] for n, each in posterior.provenance["centring"].items()}
    own = individuals(individual, draws, kept, level=asked.level)
    tables = {
        "gof.csv": gof,
        "vpc.csv": visual_table(individual, new, gof),
        "npde.csv": error_table(individual, new, gof),
        "individuals.csv": own,
    }
    return tables, new.lost
