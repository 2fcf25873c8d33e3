"""The fixed-mesh solver for turnover models: exponential midpoint rule, stable for any rate.

Each state is x' = a - b x, with production a and loss b that may depend on time, inputs and the
other states. Over a step of size h

    x(h / 2) = x0 exp(-b0 h / 2) + a0 (h / 2) phi(b0 h / 2),      phi(y) = (1 - exp(-y)) / y
    x(h)     = x0 exp(-bm h)     + am h phi(bm h),                am, bm at the midpoint.

Order two, exact for constant a and b. A fast state follows its quasi-steady state however wide the
step, where an explicit rule turns unstable beyond b h = 2.8 and puts a cliff into the posterior.
exp(-y) is its (2, 3) Pade fraction, whose error is below 1e-3 to y = 2 and which falls off like
3 / y beyond: divisions only, cheaper than exponentials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import dynamic_index_in_dim, dynamic_update_index_in_dim
from jaxtyping import Array, Float

State = dict[str, Array]
Turnover = Callable[
    [Array, State, Mapping[str, Array], Mapping[str, Array]], dict[str, tuple[Array, Array]]
]


def _relaxed(x: Array, flows: tuple[Array, Array], h: Array) -> Array:
    """x after h under constant production and loss."""
    production, loss = flows
    y = loss * h
    bottom = 1.0 + y * (0.6 + y * (0.15 + y / 60.0))
    top = 1.0 + y * (-0.4 + y * 0.05)
    phi = (1.0 + y * (0.1 + y / 60.0)) / bottom
    return x * (top / bottom) + production * h * phi


def midpoint(turnover: Turnover, p: Mapping[str, Array]) -> Callable:
    """One step: (state, (t, h, inputs at start, inputs at middle)) -> state."""

    def step(state: State, x: tuple) -> State:
        t, h, start, middle = x
        flows = turnover(t, state, p, start)
        half = {name: _relaxed(state[name], flows[name], h / 2) for name in state}
        flows = turnover(t + h / 2, half, p, middle)
        return {name: _relaxed(state[name], flows[name], h) for name in state}

    return step


def solve(
    turnover: Turnover,
    initial: State,
    mesh: np.ndarray,
    inputs: Mapping[str, Float[Array, "nodes lanes"]],
    p: Mapping[str, Array],
) -> dict[str, Float[Array, "steps_and_one lanes"]]:
    """Levels of all states at every mesh day; `inputs` at `mesh.nodes(mesh)`.

    Checkpointed by step, as `fixed.solve`. No error control: the mesh is planned beforehand.
    """
    step = jax.checkpoint(midpoint(turnover, p))

    def advance(state: State, x: tuple) -> tuple[State, State]:
        after = step(state, x)
        return after, after

    starts = {name: value[0:-1:2] for name, value in inputs.items()}
    middles = {name: value[1::2] for name, value in inputs.items()}
    days = (jnp.asarray(mesh[:-1]), jnp.asarray(np.diff(mesh)))
    _, path = jax.lax.scan(advance, initial, (*days, starts, middles))
    return {name: jnp.concatenate([initial[name][None], path[name]]) for name in initial}


def seen(
    turnover: Turnover,
    initial: State,
    mesh: np.ndarray,
    inputs: Mapping[str, Float[Array, "nodes lanes"]],
    p: Mapping[str, Array],
    at: np.ndarray,
) -> dict[str, Float[Array, "places lanes"]]:
    """Levels of all states at places `at` of the mesh, increasing, alone: what `solve` has there.

    For going forward only. Nothing is written but what is asked for, so that a step's numbers stay
    in the processor's cache: 12 ms for 22 (five states, 3,072 lanes, 21 of 161 places).
    """
    step, size = midpoint(turnover, p), jnp.asarray(np.diff(mesh))
    days = jnp.asarray(mesh)
    place = jnp.asarray(np.minimum(np.searchsorted(at, np.arange(mesh.size)), at.size - 1))

    def node(k: Array) -> dict[str, Array]:
        return {name: dynamic_index_in_dim(x, k, keepdims=False) for name, x in inputs.items()}

    def advance(k: Array, carried: tuple[State, State]) -> tuple[State, State]:
        state, kept = carried
        after = step(state, (days[k], size[k], node(2 * k), node(2 * k + 1)))
        put = partial(dynamic_update_index_in_dim, index=place[k + 1], axis=0)
        return after, {name: put(kept[name], after[name]) for name in after}

    kept = {name: jnp.broadcast_to(x, (at.size, *x.shape)) for name, x in initial.items()}
    return jax.lax.fori_loop(0, int(at[-1]), advance, (initial, kept))[1]
