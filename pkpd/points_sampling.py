"""From an individual-level likelihood to draws, the effects integrated over points (`points`).

Rounds of few points find the population's mode and where each subject's points belong; then many
are solved once, NUTS walks the population's numbers alone, and each draw picks one point of each
subject. Each stage is kept beside the draws as it ends: a run killed later goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from pkpd import pymc_bridge
from pkpd.checkpoint import Checkpoint
from pkpd.individual.kept_mesh import replanned
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual_sampling import Drawn
from pkpd.points.error import quadrature_error
from pkpd.points.gathering import Gathered, gathered, remembered_points
from pkpd.points.heights import Heights
from pkpd.points.picked import with_effects
from pkpd.points.rounds import covariance, worth
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted
from pkpd.points.walls import Walls
from pkpd.points_scoring import scored_by
from pkpd.points_search import (
    labels,
    mode_of,
    remember,
    remembered,
    searched,
    some_draws,
    start_of,
    told_of,
)
from pkpd.variation import standard

Progress = Callable[[str, float], None]


def draw(likelihood: IndividualLikelihood, kept: Checkpoint, progress: Progress) -> Drawn:
    """Draws of the posterior; `kept` is what runs before have done."""
    seconds: dict[str, float] = {}
    began, chosen = time.perf_counter(), likelihood.settings.sampler

    def lap(stage: str) -> None:
        seconds[stage] = time.perf_counter() - began - sum(seconds.values())

    now = searched(likelihood, kept, progress)
    lap("find start")
    start = replanned(start_of(likelihood, now, None), some_draws(likelihood, now, chosen.seed))
    heights = Heights(start.likelihood)
    lap("plan the mesh")
    found = _gathered(heights, now, kept, progress)
    lap("solve points")
    scored = scored_by(heights, found, kept, progress)
    cloud, now = scored.tilting(found.cloud) if scored else found.cloud, found.now
    lap("score points")
    mode = mode_of(cloud, now)
    spread = covariance(cloud, mode)
    space = population_space(likelihood)
    with kept.evaluations("sampling") as known:
        program = _program(cloud, mode, spread, known)
        lap("compile")
        tree = pymc_bridge.run_chains(program, chosen, lambda share: progress("sampling", share))
    lap("sample")
    whole = _with_effects(tree, cloud, chosen.seed)
    error = quadrature_error(cloud, mode, spread, scored)
    told = {
        "count": cloud.points.shape[1],
        "scored": chosen.score_points,
        "least_worth": float(worth(cloud, mode).min()),
        "error": float(error.max()),
        "worst": labels(space)[int(error.argmax())],
    }
    whole["points"] = xr.DataTree(xr.Dataset(attrs=told))
    lap("pick effects")
    return Drawn(
        whole, start_of(start.likelihood, now, cloud), seconds, {"sampling": known.replayed}
    )


def _gathered(heights: Heights, now: Standing, kept: Checkpoint, progress: Progress) -> Gathered:
    """Many points about the mode; those that a run before has solved are not solved again."""
    path, chosen = kept.path("points.npz"), heights.likelihood.settings.sampler
    if path.is_file():
        now, found = remembered(path)
        return remembered_points(heights, now, found, chosen.points, chosen.seed)
    found = gathered(heights, now, chosen.points, chosen.seed, partial(progress, "solving points"))
    remember(path, {**found.told(), **told_of(found.now)})
    progress("solving points", 1.0)
    return found


def _program(cloud: Tilted, mode: np.ndarray, spread: np.ndarray, known: Any) -> Any:
    """The marginal posterior for NUTS, in coordinates round about its mode."""
    space = population_space(cloud.split.effects.likelihood)
    values, vectors = np.linalg.eigh(spread)
    centre, factor = jnp.asarray(mode), jnp.asarray(vectors * np.sqrt(values))
    walls = Walls.about(cloud, spread)
    to_standard = jax.jit(lambda flat: standard.to_standard(space, flat))
    pulled = jax.jit(lambda flat, slope: jax.vjp(to_standard, flat)[1](slope)[0])

    def place(u: jax.Array) -> tuple[jax.Array, jax.Array]:
        away = factor @ u
        return centre + away, walls.fall(away)

    def likelihood(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = cloud.log_likelihood(to_standard(flat))
        return value, np.asarray(pulled(flat, slope))

    return pymc_bridge.walked_program(
        space, place, lambda flat: jnp.zeros(()), beside=likelihood, known=known
    )


def _with_effects(tree: Any, cloud: Tilted, seed: int) -> Any:
    """The tree with effects of each draw, and the log-likelihood that it was walked by."""
    likelihood = cloud.split.effects.likelihood
    space, effects = population_space(likelihood), cloud.split.effects
    posterior = tree["posterior"].dataset
    shape = posterior.sizes["chain"], posterior.sizes["draw"], -1
    flat = np.concatenate([posterior[v.name].values.reshape(shape) for v in space.variables], -1)
    chains, draws = flat.shape[:2]
    z = jax.vmap(lambda x: standard.to_standard(space, x))(
        jnp.asarray(flat.reshape(-1, space.size))
    )
    found, walked = with_effects(cloud, np.asarray(z), seed)
    coords = {name: list(labels) for name, labels in likelihood.space.coords.items()}
    made = {}
    named = [effects.values(jnp.asarray(each)) for each in found]
    for v in likelihood.space.variables:
        if v.dim is not None:
            value = np.stack([np.asarray(each[v.name]) for each in named])
            made[v.name] = (("chain", "draw", v.dim), value.reshape(chains, draws, -1))
    some = {v.dim for v in likelihood.space.variables if v.dim is not None}
    whole = posterior.assign(made).assign_coords({dim: coords[dim] for dim in some})
    told = xr.Dataset({"log_likelihood": (("chain", "draw"), walked.reshape(chains, draws))})
    return xr.DataTree.from_dict(
        {"posterior": whole, "sample_stats": tree["sample_stats"].dataset, "walked": told}
    )
