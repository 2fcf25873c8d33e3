"""Quick looks at fits of arms and at joint fits: mode, Gaussian or Pathfinder; no posterior.

The density is the one that a run would sample, in the coordinates c that its search for a start
walks in (`variation.centring`, `joint.coordinates`): log, logit or the number itself over its
prior's SD, and the trials' effects themselves. Arms' covariances are held about the mode. Subjects
of a joint fit are integrated by Laplace's approximation; effects of trials are not: they stand
among the numbers, so at a mode their SDs are biased, mostly low.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float
from scipy.special import ndtri

from pkpd import search
from pkpd.checkpoint import checkpoint
from pkpd.errors import FitError
from pkpd.fit_folder import open_fit
from pkpd.fitting import planned_arms
from pkpd.individual.marginal import NOWHERE
from pkpd.individual.modes import effects_of
from pkpd.individual.problem import population_space
from pkpd.joint import coordinates as walked
from pkpd.joint.marginal import arms_part, individuals_part, marginal
from pkpd.joint.start import JointStart, find_start
from pkpd.joint_folder import joint_hashes, open_joint
from pkpd.joint_workflow import joined
from pkpd.provenance import provenance
from pkpd.quick_mode import Mode, Objective, look_table, settled
from pkpd.settings import Settings
from pkpd.settings_joint import is_joint
from pkpd.variation import centring, standard
from pkpd.variation.space import Space
from pkpd.variation.standard import Frame

DRAWS = 20_000
"""Draws of the Gaussian behind the interval of a number that is not told by one coordinate."""

Progress = Callable[[str, float], None]

EFFECTS = (
    "Effects of trials are at their mode like the rest: SDs between trials (x_trial_sd) are "
    "biased, mostly low. "
)


@dataclass(frozen=True)
class Ground:
    """A density over coordinates c, up to a constant: for searches, and traceable.

    `negative` is minus the log-density with its gradient, NumPy; `density` the log-density and
    `place` the flat natural values, JAX. `around` is where a search ended and a frame there.
    """

    space: Space
    negative: Objective
    density: Callable[[Array], Array]
    place: Callable[[Array], Array]
    around: Frame
    told: str


def population_look(folder: Path, kind: str, progress: Progress) -> tuple[pd.DataFrame, str]:
    """The table of a quick look at a fit of arms or a joint fit, and what to say with it."""
    ground, settings = _ground(folder, progress)
    return look(ground, kind, settings, progress)


def look(
    ground: Ground, kind: str, settings: Settings, progress: Progress
) -> tuple[pd.DataFrame, str]:
    """The table of a look at a density; level and seed are those of predictions and sampler."""
    level = settings.predictions.level
    if kind == "pathfinder":
        return _pathfinder(ground, level, settings.sampler.seed, progress)
    progress("finding the mode", 0.0)
    mode = mode_of(ground)
    progress("finding the mode", 1.0)
    told = f"{ground.told}Mode at log-density {mode.log_density:.6g}. {EFFECTS}"
    if kind == "map":
        estimate = np.asarray(ground.place(jnp.asarray(mode.at)))
        return look_table(ground.space, estimate, None, "mode", level), told + "It has no interval."
    seed = settings.predictions.seed
    found = quantiles(ground, mode, [(1 - level) / 2, 0.5, (1 + level) / 2], seed)
    table = look_table(ground.space, found[1], found[[0, 2]], "laplace eti", level)
    return table, f"{told}Intervals are of the Gaussian about it; seed {seed}."


def mode_of(ground: Ground) -> Mode:
    """The mode by Newton's steps from where the search ended; `FitError` where there is none."""
    mode = settled(ground.negative, ground.around.centre)
    if mode is None:
        raise FitError(
            "No mode of the posterior was found from the start that a run would sample from: the "
            "density still rises, or is not curved as at a mode. Draw from the posterior with "
            "`pkpd fit`."
        )
    return mode


def quantiles(
    ground: Ground, mode: Mode, shares: list[float], seed: int
) -> Float[np.ndarray, "shares P"]:
    """Quantiles of every natural number under the Gaussian about a mode.

    Exact where a number is a monotone function of its own coordinate; else (a trial's effect in
    units of its SD) of draws with this seed.
    """
    random, place = np.random.default_rng(seed), jax.jit(jax.vmap(ground.place))
    sd = np.sqrt(np.diag(mode.covariance))
    draws = random.multivariate_normal(mode.at, mode.covariance, size=DRAWS, method="cholesky")
    found = np.quantile(np.asarray(place(jnp.asarray(draws))), shares, axis=0)
    slopes = np.asarray(jax.jacfwd(ground.place)(jnp.asarray(draws[0])))
    alone = (slopes != 0).sum(axis=1) == 1
    ends = mode.at + ndtri(np.array(shares))[:, None] * sd
    exact = np.asarray(place(jnp.asarray(ends)))
    return np.where(alone, exact, found)


def _pathfinder(
    ground: Ground, level: float, seed: int, progress: Progress
) -> tuple[pd.DataFrame, str]:
    pathfinder = importlib.import_module("pkpd.quick_pathfinder")  # brings blackjax, an extra
    centre, factor = jnp.asarray(ground.around.centre), jnp.asarray(ground.around.factor)

    def placed(u: Array) -> Array:
        return centre + factor @ u

    found = pathfinder.climbed(
        lambda u: ground.density(placed(u)),
        lambda u: ground.place(placed(u)),
        centre.size,
        seed,
        progress,
    )
    table = look_table(ground.space, found.median, found.interval(level), "pathfinder eti", level)
    return table, ground.told + found.told


def _ground(folder: Path, progress: Progress) -> tuple[Ground, Settings]:
    """The density of a folder's fit; the search's evaluations are kept for a run to take up."""
    if is_joint(folder / "fit.toml"):
        opened = open_joint(folder)
        likelihood = joined(opened, planned_arms(opened.problem, progress))
        kept = checkpoint(folder, {**provenance(opened.problem), "hashes": joint_hashes(opened)})
        return joint_ground(find_start(likelihood, progress, kept)), opened.settings
    problem = open_fit(folder)
    kept = checkpoint(folder, provenance(problem))
    start = search.find_mode(planned_arms(problem, progress), progress, kept)
    return arms_ground(start), problem.settings


def arms_ground(start: search.Start) -> Ground:
    """The density of a fit of arms, about the start of its sampling."""
    likelihood, space = start.likelihood, start.likelihood.space
    scaled = search.objective(likelihood, start.call)

    def negative(c: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = scaled(c)
        return search.SCALE * value, search.SCALE * slope

    def place(c: Array) -> Array:
        return centring.to_natural(space, c)

    def density(c: Array) -> Array:
        return likelihood.log_likelihood(place(c)) + centring.log_prior(space, c)

    told = "Posterior of arms, their covariances held. "
    return Ground(space, negative, density, place, start.around, told)


def joint_ground(start: JointStart) -> Ground:
    """The density of a joint fit's population, about the start of its sampling."""
    likelihood = start.likelihood
    found = marginal(likelihood)
    arms, individuals = arms_part(likelihood, start.arms.call), individuals_part(found)

    def negative(c: np.ndarray) -> tuple[float, np.ndarray]:
        (value, slope), (more, tilt) = arms(c), individuals(c)
        if not (np.isfinite(value + more) and np.isfinite(slope + tilt).all()):
            return NOWHERE, np.zeros_like(c)
        return -(value + more), -(slope + tilt)

    def place(c: Array) -> Array:
        return walked.to_natural(likelihood, c)

    told = "Posterior of arms, their covariances held, and subjects, integrated by Laplace. "
    around = Frame(start.walk.centre, start.walk.factor)
    return Ground(likelihood.population, negative, _joint_density(start), place, around, told)


def _joint_density(start: JointStart) -> Callable[[Array], Array]:
    """The same log-density as one JAX function, subjects' modes sought from none."""
    likelihood, individual = start.likelihood, start.likelihood.individual
    effects, population = effects_of(individual), population_space(individual)
    translated, size = walked.of_individuals(likelihood), likelihood.arms.space.size
    blank = jnp.zeros((effects.rows, individual.solver.design.count))

    def density(c: Array) -> Array:
        flat = walked.to_natural(likelihood, c)
        q = translated(flat)
        values = population.unpack(standard.to_natural(population, q))
        subjects, _ = effects.laplace(values, blank)
        arms = likelihood.arms.log_likelihood(flat[:size])
        return arms + subjects.sum() + walked.log_prior(likelihood, c)

    return density
