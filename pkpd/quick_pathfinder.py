"""Pathfinder for a quick look at a fit, by blackjax (the extra `quick`).

Several quasi-Newton paths climb the log marginal posterior of the population, its random effects
integrated by Laplace's approximation; of the Gaussians along each path that with the best evidence
bound is kept (Zhang, Carpenter, Gelman and Vehtari 2022, J Mach Learn Res 23:306). Draws of all of
them are weighed against that density by Pareto-smoothed importance sampling; its k says whether the
weights can make up for the Gaussians, and nothing of Laplace's own error. On the joint density of
population and effects (tens to hundreds of numbers) the Gaussians do not do: of a posterior that is
normal, nine effects and a mean, the weighed interval was 0.7 of what it should be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.vi.pathfinder import approximate, sample
from jaxtyping import Array, Float

from pkpd.diagnosis.leave_out import weighed
from pkpd.individual.marginal import log_marginal
from pkpd.individual.problem import population_space
from pkpd.individual.start import Start
from pkpd.variation import standard

PATHS, DRAWS = 4, 1000
"""Paths, and draws of each one's Gaussian."""

LONGEST, BOUND, MEMORY = 30, 15, 10
"""Steps of a path at most, draws behind each evidence bound, and steps that a Gaussian knows of."""

BATCH = 20
"""Draws whose density is computed at once."""

TRUSTED = 0.7
"""Pareto k above which weighed draws are not to be believed (Vehtari and others 2024)."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Found:
    """Natural values of the population's numbers by draw, their weights, and what to say."""

    values: Float[np.ndarray, "draws P"]
    weights: Float[np.ndarray, " draws"]
    pareto_k: float
    seed: int

    @property
    def median(self) -> Float[np.ndarray, " P"]:
        """Weighed medians."""
        return self._quantiles([0.5])[0]

    def interval(self, level: float) -> Float[np.ndarray, "2 P"]:
        """Weighed equal-tailed bounds."""
        return self._quantiles([(1 - level) / 2, (1 + level) / 2])

    def _quantiles(self, shares: list[float]) -> np.ndarray:
        weights = np.broadcast_to(self.weights[:, None], self.values.shape)
        return np.quantile(self.values, shares, axis=0, weights=weights, method="inverted_cdf")

    @property
    def worth(self) -> float:
        """How many independent draws the weights leave: 1 over the sum of their squares."""
        return float(1 / (self.weights**2).sum())

    @property
    def told(self) -> str:
        """How far it may be believed."""
        trusted = not self.pareto_k > TRUSTED  # NaN where all weights are the same
        verdict = (
            f"at most {TRUSTED}, so the weighed draws may stand for the posterior's roughly"
            if trusted
            else f"above {TRUSTED}: the intervals are not to be believed, mostly too narrow"
        )
        return (
            f"Pathfinder, {PATHS} paths of {DRAWS} draws, seed {self.seed}; weighed, they are "
            f"worth {self.worth:.0f} independent ones. Pareto k {self.pareto_k:.2f}, {verdict}."
        )


def pathfinder(start: Start, progress: Progress) -> Found:
    """An individual-level fit's, by paths that begin about a start; the seed is the sampler's."""
    likelihood, seed = start.likelihood, start.likelihood.settings.sampler.seed
    space, marginal = population_space(likelihood), log_marginal(likelihood)
    eigen, vectors = np.linalg.eigh(start.covariance)
    factor, begin = jnp.asarray(vectors * np.sqrt(eigen)), jnp.asarray(start.effects)

    def placed(u: Array) -> Array:
        return jnp.asarray(start.population) + factor @ u

    return climbed(
        lambda u: marginal(placed(u), begin)[0],
        lambda u: standard.to_natural(space, placed(u)),
        space.size,
        seed,
        progress,
    )


def climbed(
    density: Callable[[Array], Array],
    natural: Callable[[Array], Array],
    size: int,
    seed: int,
    progress: Progress,
) -> Found:
    """Weighed draws of a log-density of `size` coordinates in which it is nearly round."""
    progress("pathfinder", 0.0)
    points, log_ratios = paths(density, size, seed, lambda done: progress("pathfinder", done))
    weights, pareto_k = weighed(log_ratios)
    return Found(np.asarray(jax.vmap(natural)(jnp.asarray(points))), weights, pareto_k, seed)


def paths(
    density: Callable[[Array], Array], size: int, seed: int, heard: Callable[[float], None]
) -> tuple[Float[np.ndarray, "draws size"], Float[np.ndarray, " draws"]]:
    """Draws of all paths' Gaussians, and the log of the density over theirs."""

    @jax.jit
    def climb(key: Array) -> tuple[Array, Array]:
        begin, path, some = jax.random.split(key, 3)
        at = jax.random.normal(begin, (size,))
        state, _ = approximate(
            path, density, at, BOUND, maxiter=LONGEST, maxcor=MEMORY, ftol=1e-6, maxls=20
        )
        points, log_own = cast(tuple[Array, Array], sample(some, state, DRAWS))
        found = jax.lax.map(density, points, batch_size=BATCH)
        return points, jnp.where(jnp.isfinite(found), found, -jnp.inf) - log_own

    found = []
    for number, key in enumerate(jax.random.split(jax.random.key(seed), PATHS)):
        found.append([np.asarray(part) for part in climb(key)])
        heard((number + 1) / PATHS)
    points, log_ratios = zip(*found, strict=True)
    return np.concatenate(points), np.concatenate(log_ratios)
