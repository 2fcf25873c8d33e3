"""The log-likelihood and its gradient, compiled once for covariances held anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level.frozen import Frozen
from pkpd.arm_level.problem import Likelihood

Held = tuple[Frozen, ...] | None
ValueAndGradient = Callable[[Float[np.ndarray, " size"]], tuple[float, np.ndarray]]


def value_and_gradient(likelihood: Likelihood) -> ValueAndGradient:
    """Compiled: flat natural-scale vector -> (log-likelihood, gradient), as NumPy."""
    return compiled(likelihood)(likelihood.frozen)


def compiled(likelihood: Likelihood) -> Callable[[Held], ValueAndGradient]:
    """One program, for any covariances held in the way `likelihood.frozen` holds them."""

    def density(flat: Array, held: Held) -> Array:
        return replace(likelihood, frozen=held).log_likelihood(flat)

    first = likelihood.space.medians()
    program = jax.jit(jax.value_and_grad(density)).lower(first, likelihood.frozen).compile()

    def at(held: Held) -> ValueAndGradient:
        placed = jax.tree.map(jnp.asarray, held)

        def call(flat: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = program(jnp.asarray(flat), placed)
            return float(value), np.asarray(slope)

        return call

    return at
