"""Where the population's posterior lies, by points: rounds to its mode, each kept as it ends.

Of many subjects every tenth leads the first rounds, at a tenth of their price; then all go on from
where these have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.checkpoint import Checkpoint
from pkpd.errors import FitError
from pkpd.files import replacing
from pkpd.individual.modes import effects_of
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual.start import Start, shrinkage_of
from pkpd.points.fewer import fewer
from pkpd.points.heights import Heights
from pkpd.points.proposal import Proposal
from pkpd.points.rounds import MOST, beginning, highest, round_
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted
from pkpd.variation.space import Space

UNSETTLED = (
    f"After {MOST} rounds of points the population still moves: the data hardly know some number, "
    "or a prior is far from them. Hold it or give it a narrower prior, or walk the effects "
    '(`sampler.effects = "walked"`).'
)
"""Said where the search finds no mode."""

LED_AWAY = (
    "The points lead to a mode {far:.0f} SDs from where they were solved, along {names}: too far "
    "for what they tell of numbers that stand in the equations and do not vary. Hold one that the "
    "data hardly know (`fixed`), let it vary (`between`), or walk the effects "
    '(`sampler.effects = "walked"`).'
)
"""Said where the density is not to be believed at its own mode."""

Progress = Callable[[str, float], None]

SEEN = 6
"""Draws at which the mesh must hold."""

WALL, FAR = 7.0, 4.0
"""How far in SDs from where its points were solved the density's mode is looked for, and how far it
may lie."""


def searched(likelihood: IndividualLikelihood, kept: Checkpoint, progress: Progress) -> Standing:
    """The rounds' end; those that runs before have done are not done again."""
    path, heights = kept.path("rounds.npz"), Heights(likelihood)
    seed = likelihood.settings.sampler.seed
    now = remembered(path)[0] if path.is_file() else _first(likelihood, progress)
    while not now.settled and now.done < MOST:
        progress("finding a start", min(0.95, 0.3 + now.done / 20))
        now = round_(heights, now, seed)
        remember(path, told_of(now))
    if not now.settled:
        raise FitError(UNSETTLED)
    progress("finding a start", 1.0)
    return now


def _first(likelihood: IndividualLikelihood, progress: Progress) -> Standing:
    """Where the rounds begin: where a tenth of the subjects leads them, or the prior medians."""
    progress("finding a start", 0.0)
    heights, size = Heights(likelihood), population_space(likelihood).size
    part = fewer(likelihood)
    if part is None:
        return beginning(heights, np.zeros(size))
    few = Heights(part)
    now = beginning(few, np.zeros(size))
    while not now.settled and now.done < MOST:
        progress("finding a start", min(0.3, now.done / 60))
        now = round_(few, now, likelihood.settings.sampler.seed)
    return beginning(heights, now.centre, now.spread)


def told_of(now: Standing) -> dict[str, np.ndarray]:
    """A standing as arrays."""
    found = {"centre": now.centre, "spread": now.spread, "mean": now.proposal.mean,
             "covariance": now.proposal.covariance,
             "stands": np.array([now.done, now.free, now.moved])}  # fmt: skip
    return found if now.drift is None else {**found, "carried": now.drift}


def remember(path: Path, told: Mapping[str, np.ndarray]) -> None:
    """Write arrays under their names; the file is whole or not there."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **told)


def remembered(path: Path) -> tuple[Standing, dict[str, np.ndarray]]:
    """A standing, and what else lies in its file."""
    with np.load(path) as file:
        found = dict(file)
    done, free, moved = found["stands"]
    proposal = Proposal(found["mean"], found["covariance"])
    place, carried = (found["centre"], found["spread"], proposal), found.get("carried")
    return Standing(*place, int(done), bool(free), float(moved), carried), found


def mode_of(cloud: Tilted, now: Standing) -> Float[np.ndarray, " P"]:
    """The density's mode; `FitError` where it is too far from the points' population."""
    mode = highest(cloud, now.centre, WALL * now.sd)
    away = np.abs(mode - now.centre) / now.sd
    if away.max() > FAR:
        names_of = labels(population_space(cloud.split.effects.likelihood))
        names = ", ".join(f"`{names_of[k]}`" for k in np.argsort(-away) if away[k] > FAR)
        raise FitError(LED_AWAY.format(far=away.max(), names=names))
    return mode


def labels(space: Space) -> list[str]:
    """A name for each number of the flat vector."""
    return [v.name for v in space.variables for _ in range(v.size)]


def start_of(likelihood: IndividualLikelihood, now: Standing, cloud: Tilted | None) -> Start:
    """What is known of the mode, as other ways of sampling have it."""
    effects = effects_of(likelihood)
    law = Heights(likelihood).split.law(jnp.asarray(now.centre))
    back = np.linalg.inv(np.asarray(law[1]))
    z = (now.proposal.mean - np.asarray(law[0])) @ back.T
    spread = np.einsum("ei,nij,fj->nef", back, now.proposal.covariance, back)
    variance = np.clip(np.diagonal(spread, axis1=1, axis2=2).T, 1e-6, 1.0)
    marginal = cloud.density(now.centre)[0] if cloud else np.nan
    return Start(
        likelihood, now.centre, now.spread, z.T, variance,
        shrinkage_of(effects, variance), float(marginal),
    )  # fmt: skip


def some_draws(likelihood: IndividualLikelihood, now: Standing, seed: int) -> dict[str, np.ndarray]:
    """Effects of the subjects' proposals under the population found, at which a mesh must hold."""
    heights, rng = Heights(likelihood), np.random.default_rng(seed)
    law, effects = heights.split.law(jnp.asarray(now.centre)), heights.split.effects
    root = np.linalg.cholesky(now.proposal.covariance)
    rows = []
    for _ in range(SEEN):
        away = np.einsum("nij,nj->ni", root, rng.normal(size=now.proposal.mean.shape))
        z = (now.proposal.mean + away - np.asarray(law[0])) @ np.linalg.inv(np.asarray(law[1])).T
        values = {
            **heights.split.values(jnp.asarray(now.centre)),
            **effects.values(jnp.asarray(z.T)),
        }
        rows.append({name: np.asarray(value) for name, value in values.items()})
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
