"""Quick looks at a fit: a mode, a Gaussian about it, Pathfinder, or points; no posterior.

Fits of arms and joint fits: `quick_population`. Of an individual-level fit the mode is that of the
marginal posterior: random effects are integrated by Laplace's approximation
(`individual.modes`), for the joint mode of population and effects collapses. It is sought in
standardised, unbounded coordinates z (log, logit or the number itself over its prior's SD), where
no SD can run off to zero; a mode depends on coordinates, and this one is told on the natural scale.
Laplace's Gaussian has the inverse Hessian there as its covariance. Each z is a number of its own,
monotone in the natural value, so its quantiles are exact. Pathfinder: `quick_pathfinder`; points
of each subject: `quick_points`.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import ndtri

from pkpd.checkpoint import checkpoint
from pkpd.errors import DataError, Fault, FitError
from pkpd.files import replacing
from pkpd.individual.marginal import Objective, descent
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual_folder import IndividualFit, individual_provenance, open_individual
from pkpd.individual_sampling import remembered_start
from pkpd.quick_mode import COLUMNS, Mode, look_table, settled
from pkpd.quick_points import points_mode
from pkpd.quick_population import population_look
from pkpd.settings_individual import is_individual
from pkpd.variation import standard
from pkpd.variation.space import Space

KINDS = ("map", "laplace", "pathfinder", "points")

__all__ = ["COLUMNS", "KINDS", "Mode", "QuickLook", "marginal_mode", "quick"]

MOST = 500
"""Evaluations of the first search at most; Newton's steps come after it."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class QuickLook:
    """The table of `quick-KIND.csv`, where it was written, and what must be said with it."""

    kind: str
    table: pd.DataFrame
    path: Path
    told: str

    def __str__(self) -> str:
        head = f"QUICK LOOK ({self.kind}), NOT A POSTERIOR"
        table = self.table.to_string(index=False, na_rep="", float_format="{:.4g}".format)
        written = f"Written: {self.path}. For a posterior: pkpd run {self.path.parent}"
        return "\n\n".join([head, table, f"{self.told}\n{written}"])


def quick(folder: Path, kind: str, *, progress: Progress) -> QuickLook:
    """A quick look at a fit; writes `quick-KIND.csv` and touches no result of a run."""
    individual = is_individual(folder / "fit.toml")
    _checked(kind, individual=individual)
    look = _individual_look if individual else population_look
    table, told = look(folder, kind, progress)
    path = folder / f"quick-{kind}.csv"
    with replacing(path) as partial:
        table.to_csv(partial, index=False)
    return QuickLook(kind, table, path, told)


def _individual_look(folder: Path, kind: str, progress: Progress) -> tuple[pd.DataFrame, str]:
    opened = open_individual(folder)
    progress("planning the mesh", 0.0)
    likelihood = opened.likelihood
    progress("planning the mesh", 1.0)
    level = likelihood.settings.predictions.level
    if kind == "pathfinder":
        return _pathfinder(opened, level, progress)
    if kind == "points":
        kept = checkpoint(opened.folder, individual_provenance(opened))
        mode, told = points_mode(likelihood, kept, progress)
        return _gaussian(population_space(likelihood), mode, "points eti", level, told)
    return _at_mode(likelihood, kind, level, progress)


def _checked(kind: str, *, individual: bool) -> None:
    """Nothing, if this kind of look is known, is one of such a fit, and its package is there."""
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise DataError([Fault("--quick", f"no quick look '{kind}'", f"Choose one of {known}")])
    if kind == "points" and not individual:
        remedy = "Choose map, laplace or pathfinder"
        raise DataError([Fault("--quick points", "the fit is not of individuals alone", remedy)])
    if kind == "pathfinder" and importlib.util.find_spec("blackjax") is None:
        remedy = "Run: pip install 'pkpd-ox40[quick]'"
        raise DataError([Fault("--quick pathfinder", "blackjax is not installed", remedy)])


def _at_mode(
    likelihood: IndividualLikelihood, kind: str, level: float, progress: Progress
) -> tuple[pd.DataFrame, str]:
    mode, space = marginal_mode(likelihood, progress), population_space(likelihood)
    if kind == "laplace":
        return _gaussian(space, mode, "laplace eti", level, "")
    value = np.asarray(standard.to_natural(space, jnp.asarray(mode.at)))
    return look_table(space, value, None, "mode", level), f"{_told(mode)}It has no interval."


def _gaussian(
    space: Space, mode: Mode, kind: str, level: float, told: str
) -> tuple[pd.DataFrame, str]:
    """The table of the Gaussian about a mode, and what to say with it."""
    sd = np.sqrt(np.diag(mode.covariance))
    z = mode.at + ndtri([[0.5], [(1 - level) / 2], [(1 + level) / 2]]) * sd
    values = np.array([np.asarray(standard.to_natural(space, jnp.asarray(each))) for each in z])
    table = look_table(space, values[0], values[1:], kind, level)
    return table, f"{told}{_told(mode)}Intervals are of the Gaussian about it."


def _told(mode: Mode) -> str:
    return f"Mode of the marginal posterior, log-density {mode.log_density:.6g}. "


def marginal_mode(likelihood: IndividualLikelihood, progress: Progress) -> Mode:
    """The mode from the prior medians, by L-BFGS and then Newton; `FitError` where it is none."""
    negative = _objective(likelihood, progress)
    size = population_space(likelihood).size
    found = minimize(negative, np.zeros(size), jac=True, method="L-BFGS-B",
                     options={"maxfun": MOST, "ftol": 1e-12, "gtol": 1e-5})  # fmt: skip
    mode = settled(negative, found.x)
    if mode is not None:
        progress("finding the mode", 1.0)
        return mode
    raise FitError(
        "No mode of the marginal posterior was found from the prior medians: the density still "
        "rises, or is no number there. Check the priors' medians against the data with "
        "`pkpd simulate`, or draw from the posterior with `pkpd fit`."
    )


def _objective(likelihood: IndividualLikelihood, progress: Progress) -> Objective:
    count = itertools.count(1)
    return descent(likelihood, lambda: progress("finding the mode", min(0.9, next(count) / MOST)))


def _pathfinder(
    opened: IndividualFit, level: float, progress: Progress
) -> tuple[pd.DataFrame, str]:
    likelihood = opened.likelihood
    kept = checkpoint(opened.folder, individual_provenance(opened))
    start = remembered_start(likelihood, kept, progress)
    pathfinder = importlib.import_module("pkpd.quick_pathfinder")  # brings blackjax, an extra
    found = pathfinder.pathfinder(start, progress)
    bounds = found.interval(level)
    table = look_table(population_space(likelihood), found.median, bounds, "pathfinder eti", level)
    return table, found.told
