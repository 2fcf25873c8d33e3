"""Closed form for linear models: the matrix exponential of the rate matrix, exact at any step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax.scipy.linalg import expm
from jaxtyping import Array, Float

from pkpd.mechanism.timeline import Timeline


def rate_matrix(
    rates: Callable, states: tuple[str, ...], p: Mapping[str, Array]
) -> Float[Array, "states states"]:
    """A of x' = A x."""

    def derivative(x: Array) -> Array:
        named = rates(0.0, dict(zip(states, x, strict=True)), p, {})
        return jnp.stack([jnp.asarray(named[name], float) for name in states])

    return jax.jacfwd(derivative)(jnp.zeros(len(states)))


def _transition(matrix: Array, flow: Array, duration: Array) -> tuple[Array, Array]:
    """What remains of a state over the step, and what the infusion leaves at its end.

    x(t) = exp(A t) x(0) + r integral_0^t exp(A s) ds, both read from exp([[A, r], [0, 0]] t);
    r is scaled to at most one so that a fast infusion costs no accuracy.
    """
    size = len(flow)
    most = jnp.maximum(flow.max(), 1e-300)
    wide = jnp.zeros((size + 1, size + 1)).at[:size, :size].set(matrix)
    wide = wide.at[:size, size].set(flow / most)
    power = expm(wide * duration, max_squarings=48)
    return power[:size, :size], power[:size, size] * most


def advance_linear(matrix: Array, x: Array, duration: Array, flow: Array) -> Array:
    """A state after some time under a constant infusion."""
    remains, gained = _transition(matrix, flow, duration)
    return remains @ x + gained


def solve_linear(
    initial: Float[Array, " states"],
    line: Timeline,
    matrices: Float[Array, "records states states"],
) -> Float[Array, "steps states"]:
    """The state after each step, x' = A x + flow with the matrix of the record that governs."""
    remains, gained = jax.vmap(_transition)(
        matrices[line.governs], line.flow, line.end - line.start
    )

    def advance(x: Array, step: tuple) -> tuple[Array, Array]:
        remain, gain, keep, given = step
        after = keep * (remain @ x + gain) + given
        return after, after

    return jax.lax.scan(advance, initial, (remains, gained, line.keep, line.given))[1]
