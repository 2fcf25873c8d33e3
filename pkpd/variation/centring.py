"""Centred coordinates: a trial's effect itself, not its ratio to the standard deviation.

The model's variables are the standardised effects e and their standard deviation s. Where the data
know the effect s e well, e and s lie along a bent ridge; the sampler walks in w = s e / m instead
(m the prior median of s), where the ridge is straight. All other coordinates are standardised ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.variation import standard
from pkpd.variation.space import Space, Variable


def _effects(space: Space) -> Iterator[tuple[Variable, slice, int]]:
    """(SD, where its effects lie, where it lies) for every trial-level effect."""
    place, at = {}, 0
    for variable in space.variables:
        place[variable.name] = (variable, slice(at, at + variable.size))
        at += variable.size
    for name, (spread, where) in place.items():
        if name.endswith("_trial_sd"):
            yield spread, place[name.removesuffix("_sd")][1], where.start


def to_standard(
    space: Space, c: Float[Array, " size"]
) -> tuple[Float[Array, " size"], Float[Array, ""]]:
    """Standardised coordinates of centred ones, and the log of the Jacobian's determinant."""
    z, log_jacobian = c, jnp.zeros(())
    for spread, effects, at in _effects(space):
        log_ratio = jnp.log(standard.natural(spread.prior, c[at]) / spread.prior.median)
        z = z.at[effects].multiply(jnp.exp(-log_ratio))
        log_jacobian = log_jacobian - (effects.stop - effects.start) * log_ratio
    return z, log_jacobian


def to_natural(space: Space, c: Float[Array, " size"]) -> Float[Array, " size"]:
    """The flat natural vector of centred coordinates."""
    return standard.to_natural(space, to_standard(space, c)[0])


def from_natural(space: Space, flat: Float[Array, " size"]) -> Float[Array, " size"]:
    """The centred coordinates of a flat natural vector; inverse of `to_natural`."""
    c = standard.to_standard(space, flat)
    for spread, effects, at in _effects(space):
        ratio = standard.natural(spread.prior, c[at]) / spread.prior.median
        c = c.at[effects].multiply(ratio)
    return c


def log_prior(space: Space, c: Float[Array, " size"]) -> Float[Array, ""]:
    """Log prior density of centred coordinates, up to a constant."""
    z, log_jacobian = to_standard(space, c)
    return standard.log_prior_standard(space, z) + log_jacobian
