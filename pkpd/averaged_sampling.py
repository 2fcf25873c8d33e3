"""From an individual-level likelihood to draws, effects averaged out at every draw (`averaged`).

Rounds of clouds bring the proposals where the posterior is; then clouds are made in blocks, each
kept beside the draws as it ends: a run killed later goes on from there, with the same draws.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from pkpd.averaged.chain import BURN, tail_of, walked
from pkpd.averaged.clouds import INNER, Proposed, clouds
from pkpd.averaged.places import Places
from pkpd.averaged.population import Population
from pkpd.averaged.programs import Programs
from pkpd.averaged.rounds import BLOCK, adapted, enough
from pkpd.checkpoint import Checkpoint
from pkpd.individual.kept_mesh import replanned
from pkpd.individual.modes import effects_of
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual_sampling import Drawn, remembered_start
from pkpd.points.mixture import Mixture
from pkpd.points_search import remember
from pkpd.variation import standard

Progress = Callable[[str, float], None]

PICKS = 8
"""What is told of a cloud: so many times an inner draw and a point of every subject; the last of
these again where a chain stands on it longer."""

Told = dict[str, np.ndarray]


def draw(likelihood: IndividualLikelihood, kept: Checkpoint, progress: Progress) -> Drawn:
    """Draws of the posterior; `kept` is what runs before have done."""
    seconds: dict[str, float] = {}
    began, chosen = time.perf_counter(), likelihood.settings.sampler

    def lap(stage: str) -> None:
        seconds[stage] = time.perf_counter() - began - sum(seconds.values())

    programs = Programs(replanned(remembered_start(likelihood, kept, progress)))
    lap("find start")
    now, placed = _placed(programs, kept, lambda share: progress("placing points", share))
    lap("place points")
    total, done, known = chosen.chains * (BURN + chosen.draws), [], 0
    for block in range(-(-total // BLOCK)):
        progress("averaging effects", block * BLOCK / total)
        path = kept.path(f"clouds-{block}.npz")
        known += path.is_file()
        done.append(_read(path) or _block(programs, now, int(placed["points"]), block, path))
    progress("averaging effects", 1.0)
    told = {name: np.concatenate([part[name] for part in done])[:total] for name in done[0]}
    tree = _tree(likelihood, told)
    tree["averaged"] = xr.DataTree(xr.Dataset(attrs={
        "points": int(placed["points"]), "noise": float(placed["noise"]),
        "accepted": float(tree["sample_stats"]["accepted"].mean()),
        "pareto_k": tail_of(told["log_weights"]),
    }))  # fmt: skip
    lap("average effects")
    return Drawn(tree, programs.start, seconds, {"averaging effects": BLOCK * known})


def _placed(
    programs: Programs, kept: Checkpoint, progress: Callable[[float], None]
) -> tuple[Proposed, Told]:
    """Proposals where the posterior is, and how many points they ask for."""
    path, start = kept.path("placed.npz"), programs.start
    seed, outer = start.likelihood.settings.sampler.seed, programs.split.others
    told = _read(path)
    if told is None:
        now, worth = adapted(programs, seed, progress)
        count, noise = enough(programs, now, seed)
        parts, population = now.places.parts, now.population
        told = {
            "mean": population.mean, "covariance": population.covariance,
            "share": parts.share, "middle": parts.mean, "spread": parts.covariance,
            "slope": now.places.slope, "points": np.array(count), "noise": np.array(noise),
            "worth": np.array(worth),
        }  # fmt: skip
        remember(path, told)
        progress(1.0)
    places = Places(Mixture(told["share"], told["middle"], told["spread"]), told["slope"])
    about = Population(start.population, start.covariance, outer)
    return Proposed(Population(told["mean"], told["covariance"], outer), about, places), told


def _block(programs: Programs, now: Proposed, count: int, block: int, path: Path) -> Told:
    """The weights of a block's clouds, and what is told of each; kept as it ends."""
    rng = np.random.default_rng([programs.start.likelihood.settings.sampler.seed, 7, block])
    made = clouds(programs, now, now.population.drawn(BLOCK, INNER, rng), count, rng)
    numbers, effects = made.picked(programs, PICKS, rng)
    log_weights = np.logaddexp.reduce(made.log_weights, axis=1)
    told = {"log_weights": log_weights, "numbers": numbers, "effects": effects}
    remember(path, told)
    return told


def _tree(likelihood: IndividualLikelihood, told: Told) -> Any:
    """The chains' draws on the natural scale, and what the chains did."""
    chosen = likelihood.settings.sampler
    rng, weights = np.random.default_rng([chosen.seed, 8]), told["log_weights"]
    each = weights.reshape(chosen.chains, -1)
    steps = [walked(own, rng) for own in each]
    on = np.stack([k * each.shape[1] + step[0] for k, step in enumerate(steps)])[:, BURN:]
    stood = np.stack([step[1] for step in steps])[:, BURN:]
    pick = np.minimum(stood, PICKS - 1)
    posterior = _natural(likelihood, told["numbers"][on, pick], told["effects"][on, pick])
    stats = {"accepted": stood == 0, "log_weight": weights[on]}
    sampled = xr.Dataset({name: (("chain", "draw"), each) for name, each in stats.items()})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": sampled})


def _natural(
    likelihood: IndividualLikelihood, numbers: np.ndarray, effects: np.ndarray
) -> xr.Dataset:
    """Named natural values of standardised numbers (chains, draws, P) and effects (.., E, N)."""
    space, whole = population_space(likelihood), likelihood.space
    own = effects_of(likelihood)

    def one(z: jax.Array, matrix: jax.Array) -> dict[str, jax.Array]:
        return {**space.unpack(standard.to_natural(space, z)), **own.values(matrix)}

    found = jax.jit(jax.vmap(jax.vmap(one)))(jnp.asarray(numbers), jnp.asarray(effects))
    used = {v.dim for v in whole.variables if v.dim is not None}
    return xr.Dataset(
        {
            v.name: (("chain", "draw", *([v.dim] if v.dim else [])), np.asarray(found[v.name]))
            for v in whole.variables
        },
        coords={dim: list(whole.coords[dim]) for dim in used},
    )


def _read(path: Path) -> Told | None:
    if not path.is_file():
        return None
    with np.load(path) as file:
        return dict(file)
