"""Standardised coordinates: one unbounded number a free variable, about N(0, 1) under its prior.

Normal: (x - mean) / sd. LogNormal: (log x - log median) / sd. LogitNormal: the same on the logit.
HalfNormal: log(x / sd) + 1/2. Partial: logit((x + 1) / 2) over its SD. They serve the search for a
start, the prior's own draws and the contraction of each posterior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_sigmoid
from jax.scipy.special import expit, logit
from jaxtyping import Array, Float
from scipy.special import ndtr, polygamma
from scipy.stats import beta

from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal, Partial, Prior
from pkpd.variation.space import Space


@dataclass(frozen=True)
class Frame:
    """Coordinates u in which a density is nearly round: z = centre + factor u."""

    centre: Float[np.ndarray, " size"]
    factor: Float[np.ndarray, "size size"]


def frame(centre: Float[np.ndarray, " size"], hessian: Float[np.ndarray, "size size"]) -> Frame:
    """The frame of a mode and the Hessian of the negative log-density there.

    Curvatures are held within 0.3 to 1e4: a prior alone has about 1.
    """
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    return Frame(centre, vectors / np.sqrt(np.clip(np.abs(values), 0.3, 1e4)))


def natural(prior: Prior, z: Array) -> Array:
    """The natural value of a standardised coordinate."""
    match prior:
        case Normal(mean, sd):
            return mean + sd * z
        case LogNormal(median, sd):
            return median * jnp.exp(sd * z)
        case LogitNormal(median, sd):
            return expit(math.log(median / (1 - median)) + sd * z)
        case HalfNormal(sd):
            return sd * jnp.exp(z - 0.5)
        case Partial(shape):
            return 2 * expit(logit_sd(shape) * z) - 1


def standard(prior: Prior, x: Array) -> Array:
    """The standardised coordinate of a natural value; inverse of `natural`."""
    match prior:
        case Normal(mean, sd):
            return (x - mean) / sd
        case LogNormal(median, sd):
            return (jnp.log(x) - math.log(median)) / sd
        case LogitNormal(median, sd):
            return (logit(x) - math.log(median / (1 - median))) / sd
        case HalfNormal(sd):
            return jnp.log(x / sd) + 0.5
        case Partial(shape):
            return logit((x + 1) / 2) / logit_sd(shape)


def logit_sd(shape: float) -> float:
    """The SD of the logit of a beta(shape, shape)."""
    return math.sqrt(2 * polygamma(1, shape))


def _each(space: Space, flat: Array, change) -> Array:
    parts, at = [], 0
    for variable in space.variables:
        parts.append(change(variable.prior, flat[at : at + variable.size]))
        at += variable.size
    return jnp.concatenate(parts)


def to_natural(space: Space, z: Float[Array, " size"]) -> Float[Array, " size"]:
    """The flat natural vector of flat standardised coordinates."""
    return _each(space, z, natural)


def to_standard(space: Space, flat: Float[Array, " size"]) -> Float[Array, " size"]:
    """The flat standardised coordinates of a flat natural vector."""
    return _each(space, flat, standard)


def log_prior_standard(space: Space, z: Float[Array, " size"]) -> Float[Array, ""]:
    """Log prior density in standardised coordinates, up to a constant."""

    def part(prior: Prior, z: Array) -> Array:
        if isinstance(prior, HalfNormal):
            return z - 0.5 * jnp.exp(2 * z - 1)
        if isinstance(prior, Partial):
            share = logit_sd(prior.shape) * z
            return prior.shape * (log_sigmoid(share) + log_sigmoid(-share))
        return -0.5 * z * z

    return _each(space, z, part).sum()


def prior_draws(space: Space, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Draws of the prior by variable, shape (draws,) or (draws, size)."""
    z = jax.random.normal(jax.random.key(seed), (draws, space.size))

    def drawn(prior: Prior, z: Array) -> Array:
        if isinstance(prior, Partial):
            return 2 * jnp.asarray(beta(prior.shape, prior.shape).ppf(ndtr(z))) - 1
        return prior.sd * jnp.abs(z) if isinstance(prior, HalfNormal) else natural(prior, z)

    flat = _each(space, z.T, drawn).T
    return {name: np.asarray(value) for name, value in jax.vmap(space.unpack)(flat).items()}
