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
from jaxtyping import Array

from pkpd.mechanism.fixed import runge_kutta

Named = Mapping[str, Array]


TIMES, LEVELS = (np.nan, -30.0, 0.0, 1.0, 100.0, 1e4), (np.nan, 0.0, 1.0, 1e3)
"""Times, and levels of all other states, at which a rate is tried: none may change it."""


def decaying(slope: Callable, states: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """States whose rate, under parameters of these names, is a negative multiple of themselves.

    What else a rate looks at shows where that is not a number, or, behind a comparison, where it is
    another one.
    """
    with jax.ensure_compile_time_eval():
        p = {name: jnp.asarray(0.5) for name in names}

        def rate(own: str, at: float, t: float, others: float) -> float:
            x = {name: jnp.asarray(at if name == own else others) for name in states}
            return float(slope(jnp.asarray(t), x, p, {})[own])

        def decays(own: str) -> bool:
            k = -rate(own, 1.0, np.nan, np.nan)
            found = [
                rate(own, at, t, others) == -k * at
                for at in (0.0, 1.0, 2.0, 1024.0) for t in TIMES for others in LEVELS
            ]  # fmt: skip
            return k > 0 and all(found)

        return tuple(own for own in states if decays(own))


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
