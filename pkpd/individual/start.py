"""Where sampling begins: the mode of the marginal posterior, and what the data know of each effect.

The joint mode of population and effects is useless (SDs of effects collapse there or run off); the
marginal one, effects integrated by Laplace, is not. It is a place to begin and a quick look, never
a result. From the curvature of each subject at its mode comes the choice of centring: `shrinkage`
is the mean posterior variance of an effect over its prior's, 1 minus it the share of centring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize

from pkpd.errors import FitError
from pkpd.individual.coordinates import Coordinates
from pkpd.individual.marginal import NOWHERE, Descent, descent
from pkpd.individual.modes import Effects, Modes, effects_of
from pkpd.individual.own import TO, between_sd, typical
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.variation import standard

LEAST = 0.1
"""A share of centring below this is none."""

MOST = 120
"""Evaluations of the search at most."""

PROBE = 0.01
"""Step of the differences that give the Hessian, in standardised coordinates."""

LOST = (
    "The likelihood is no number at the prior medians. Check the priors' medians against the data "
    "(volumes, rates), with `pkpd simulate` at those values."
)
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Start:
    """The marginal mode (flat, standardised), its covariance, the effects' modes and curvatures.

    `shrinkage` by parameter; `marginal` is the Laplace log-likelihood at the mode. `curvature` of
    each subject's effects there, and `drift`, the derivative of their modes with respect to the
    population, are what `whitened` is made of.
    """

    likelihood: IndividualLikelihood
    population: Float[np.ndarray, " P"]
    covariance: Float[np.ndarray, "P P"]
    effects: Float[np.ndarray, "E N"]
    variance: Float[np.ndarray, "E N"]
    shrinkage: Mapping[str, float]
    marginal: float
    curvature: Float[np.ndarray, "N E E"] | None = None
    drift: Float[np.ndarray, "E N P"] | None = None

    def values(self) -> dict[str, Array]:
        """Natural values of everything at the mode."""
        found = population_space(self.likelihood)
        flat = standard.to_natural(found, jnp.asarray(self.population))
        both = {
            **found.unpack(flat),
            **effects_of(self.likelihood).values(jnp.asarray(self.effects)),
        }
        return {name: jnp.asarray(value) for name, value in both.items()}


def find_start(likelihood: IndividualLikelihood, progress: Progress) -> Start:
    """The marginal mode from the prior medians, by L-BFGS on Laplace's approximation."""
    space, calls = population_space(likelihood), count(1)
    negative = descent(
        likelihood, lambda: progress("finding a start", min(0.9, next(calls) / MOST))
    )
    found = minimize(
        negative, np.zeros(space.size), jac=True, method="L-BFGS-B",
        options={"maxfun": MOST, "maxcor": 30, "ftol": 1e-10, "gtol": 1e-4},
    )  # fmt: skip
    if found.fun >= NOWHERE:
        raise FitError(LOST)
    start = described(likelihood, negative, found.x)
    progress("finding a start", 1.0)
    return start


def described(likelihood: IndividualLikelihood, negative: Descent, at: np.ndarray) -> Start:
    """What the sampler needs to know of a mode that a search has found."""
    value, _ = negative(at)
    assert negative.modes is not None
    bent, moved = negative.differences(at, PROBE)
    covariance, drift = inverse_of(bent), np.nan_to_num(np.moveaxis(moved, 0, 2))
    modes, variance = negative.modes, variance_of(negative.modes)
    return Start(
        likelihood, at, covariance, np.asarray(modes.at), variance,
        shrinkage_of(effects_of(likelihood), variance), -value, np.asarray(modes.curvature), drift,
    )  # fmt: skip


def inverse_of(rows: np.ndarray) -> Float[np.ndarray, "P P"]:
    """Inverse of a Hessian; curvatures held within 0.3 and 1e6."""
    values, vectors = np.linalg.eigh((rows + rows.T) / 2)
    return vectors / np.clip(values, 0.3, 1e6) @ vectors.T


def variance_of(modes: Modes) -> Float[np.ndarray, "E N"]:
    """Posterior variance of each effect about its mode, population held."""
    variance = np.asarray(jnp.diagonal(jnp.linalg.inv(modes.curvature), axis1=1, axis2=2).T)
    return np.clip(np.nan_to_num(variance, nan=1.0), 1e-4, 1.0)


def shrinkage_of(effects: Effects, variance: np.ndarray) -> dict[str, float]:
    """Mean posterior variance of each parameter's effects, 1 where data say nothing."""
    return {
        name.removesuffix("_eta"): float(variance[k].mean()) for k, name in enumerate(effects.names)
    }


def coordinates(start: Start) -> Coordinates:
    """The sampler's coordinates that a start suggests."""
    likelihood = start.likelihood
    values = start.values()
    made = {each.name: each for each in likelihood.made}
    frame = {
        name: (
            share,
            float(TO[made[name].parameter.scale](jnp.asarray(typical(made[name], values)))),
            float(between_sd(made[name], values)),
        )
        for name, share in centring(likelihood, start.shrinkage).items()
        if share > 0
    }
    eigen, vectors = np.linalg.eigh(start.covariance)
    spread, size = _spread(likelihood, start), likelihood.space.size
    bare = Coordinates(likelihood, frame, np.zeros(size), np.eye(eigen.size), np.ones(spread.size))
    centre = np.asarray(bare.inverse(values))
    return replace(bare, centre=centre, factor=vectors * np.sqrt(eigen), scale=spread)


def centring(likelihood: IndividualLikelihood, shrinkage: Mapping[str, float]) -> dict[str, float]:
    """The share of centring of each parameter that varies; correlated ones go together."""
    tied = [group.parameters for group in likelihood.tied]
    inside = {name for group in tied for name in group}
    groups = [*tied, *((name,) for name in shrinkage if name not in inside)]
    free = {e.name for e in likelihood.made if not isinstance(e.between, float)}
    found = {}
    for group in groups:
        share = 1 - float(np.mean([shrinkage[name] for name in group]))
        share = share if share >= LEAST and free.issuperset(group) else 0.0
        found |= dict.fromkeys(group, share)
    return found


def flat_effects(likelihood: IndividualLikelihood, values: Mapping) -> np.ndarray:
    """The effects among named values as they lie in the flat vector."""
    names = [v.name for v in likelihood.space.variables if v.dim is not None]
    return np.concatenate([np.zeros(0), *(np.asarray(values[name]) for name in names)])


def _spread(likelihood: IndividualLikelihood, start: Start) -> np.ndarray:
    sd = effects_of(likelihood).values(jnp.sqrt(jnp.asarray(start.variance)))
    return flat_effects(likelihood, sd)
