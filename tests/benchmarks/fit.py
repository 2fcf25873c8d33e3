"""The fit that is timed: the real data and models, on its planned mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from pkpd.arm_level.planned import planned
from pkpd.arm_level.problem import Likelihood, likelihood
from pkpd.arm_level.trajectories import concentration, individuals
from pkpd.fit_folder import open_fit
from pkpd.mechanism import mesh

FOLDER = Path(__file__).parents[2] / "fits" / "ox40_extension"
QUICK_PATIENTS, QUICK_WIDTH = 2, 7.0
FINE = 16
"""How many times finer the mesh of the reference is."""


def opened(quick: bool) -> Likelihood:
    """The fit with its own number of virtual patients, or with two on a wide mesh."""
    problem = open_fit(FOLDER)
    settings, data, disease, pk = problem.settings, problem.data, problem.disease, problem.pk
    if not quick:
        return planned(settings, data, disease, pk)[0]
    patients = settings.patients.model_copy(update={"count": QUICK_PATIENTS})
    settings = settings.model_copy(update={"patients": patients})
    return likelihood(settings, data, disease, pk, QUICK_WIDTH)


@dataclass(frozen=True)
class Course:
    """What every solver is given: concentrations (nodes, lanes), parameters of each lane."""

    days: np.ndarray
    level: np.ndarray
    fine_days: np.ndarray
    fine_level: np.ndarray
    p: dict[str, np.ndarray]
    visits: np.ndarray


def course(fit: Likelihood) -> Course:
    """All runs and virtual patients of the fit, as flat lanes, at the prior medians."""
    values = fit.space.unpack(fit.space.medians())
    shape = fit.lanes.easi.shape
    fine_days = mesh.refined(fit.lanes.mesh, FINE)
    fine = fit.on_mesh(fine_days)
    p = {
        name: np.asarray(jnp.broadcast_to(value, shape)).ravel()
        for name, value in individuals(fit.disease, values, fit.lanes).items()
    }
    levels = [
        np.asarray(concentration(values, some.lanes)).reshape(-1, p["ks"].size)
        for some in (fit, fine)
    ]
    weeks = np.unique(np.concatenate([s.weeks for s in fit.studies]))
    return Course(fit.lanes.mesh, levels[0], fine_days, levels[1], p, weeks * 7.0)
