"""States that only decay are solved exactly beside a Runge-Kutta step.

A depot empties at a rate of its own, x' = -k x + inflow, whatever the other states do. Where k is
large (a subject who absorbs fast), it alone makes an explicit step of h > 2.8 / k blow up, long
after the depot is empty. Its exact course, exp(-k h) x + inflow (1 - exp(-k h)) / k, needs no step
at all; the other states see it at the start, the middle and the end of theirs, which stays of order
four.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.mechanism.fixed import runge_kutta

Named = Mapping[str, Array]


TIMES, LEVELS = (np.nan, -30.0, 0.0, 1.0, 100.0, 1e4), (np.nan, 0.0, 1.0, 1e3)
"""Times, and levels of all other states, at which a rate is tried: none may change it."""

AMOUNTS = (1.0, 0.0, 2.0, 1024.0)
"""Of a state itself: its rate is a multiple of them."""


def decaying(slope: Callable, states: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """States whose rate, under parameters of these names, is a negative multiple of themselves.

    What else a rate looks at shows where that is not a number, or, behind a comparison, where it is
    another one. All trials of all states are one evaluation of the rates, (states, trials): asked
    one by one they took more time than everything else that is done before a step is compiled.
    """
    amount, t, level = (part.ravel() for part in np.meshgrid(AMOUNTS, TIMES, LEVELS, indexing="ij"))
    with jax.ensure_compile_time_eval():
        p = {name: jnp.asarray(0.5) for name in names}
        rows = np.arange(len(states))[:, None]
        x = {name: jnp.where(rows == k, amount, level) for k, name in enumerate(states)}
        found = slope(jnp.broadcast_to(t, (len(states), t.size)), x, p, {})
        tried = [
            np.broadcast_to(found[name], (rows.size, t.size))[k] for k, name in enumerate(states)
        ]
    return tuple(name for name, rate in zip(states, tried, strict=True) if _decays(rate, amount))


def _decays(rate: Float[np.ndarray, " trials"], amount: Float[np.ndarray, " trials"]) -> bool:
    """Whether a rate is -k times the amount throughout, k that of its first trial and above 0."""
    k = -rate[0]
    return bool(k > 0 and (rate == -k * amount).all())


def beside(slope: Callable, own: tuple[str, ...], q: Named, flow: Named) -> Callable:
    """One step of order four of (state, t, h), the states `own` by their exact course.

    `slope` leaves out what flows in; `flow` has it, of all states that are infused into.
    """

    def others(t: Array, x: Named, q: Named, known: Named) -> dict[str, Array]:
        found = slope(t, {**x, **known}, q, {})
        return {name: found[name] + flow.get(name, 0.0) for name in x}

    def step(x: Named, t: Array, h: Array) -> dict[str, Array]:
        rates = slope(t, {name: jnp.ones_like(x[name]) for name in x}, q, {})
        start = {name: x[name] for name in own}
        half = {n: _course(start[n], -rates[n], h / 2, flow.get(n)) for n in own}
        full = {n: _course(half[n], -rates[n], h / 2, flow.get(n)) for n in own}
        rest = {name: x[name] for name in x if name not in own}
        after = runge_kutta(others, q)(rest, (t, h, start, half, full)) | full
        return {name: after[name] for name in x}

    return step


def _course(x: Array, k: Array, h: Array, inflow: Array | None) -> Array:
    z = k * h
    if inflow is None:
        return jnp.exp(-z) * x
    gained = jnp.where(z > 0, -jnp.expm1(-z) / jnp.where(z > 0, z, 1.0), 1.0)
    return jnp.exp(-z) * x + inflow * h * gained
