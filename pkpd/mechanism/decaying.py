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

Named = Mapping[str, Array]


def decaying(slope: Callable, states: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """States whose rate, under parameters of these names, is a negative multiple of themselves.

    Tried with every other state and the time not a number: what they enter is not one, either.
    """
    with jax.ensure_compile_time_eval():
        p = {name: jnp.asarray(0.5) for name in names}

        def rate(own: str, at: float) -> float:
            x = {name: jnp.asarray(at if name == own else np.nan) for name in states}
            return float(slope(jnp.asarray(np.nan), x, p, {})[own])

        found = {own: (rate(own, 0.0), rate(own, 1.0), rate(own, 2.0)) for own in states}
    return tuple(
        own for own, (none, one, two) in found.items()
        if none == 0 and one < 0 and np.isclose(two, 2 * one, rtol=1e-12, atol=0)
    )  # fmt: skip


def beside(slope: Callable, own: tuple[str, ...], q: Named, flow: Named) -> Callable:
    """One step of order four of (state, t, h), the states `own` by their exact course.

    `slope` leaves out what flows in; `flow` has it, of all states that are infused into.
    """

    def infused(t: Array, x: Named) -> dict[str, Array]:
        found = slope(t, x, q, {})
        return {name: found[name] + flow.get(name, 0.0) for name in x}

    def step(x: Named, t: Array, h: Array) -> dict[str, Array]:
        unit = {name: jnp.ones_like(x[name]) for name in x}
        rates = slope(t, unit, q, {})
        half = {name: _course(x[name], -rates[name], h / 2, flow.get(name)) for name in own}
        full = {name: _course(half[name], -rates[name], h / 2, flow.get(name)) for name in own}

        def moved(by: Named, size: Array, exact: Named) -> dict[str, Array]:
            return {name: x[name] + size * by[name] for name in x} | dict(exact)

        k1 = infused(t, x)
        k2 = infused(t + h / 2, moved(k1, h / 2, half))
        k3 = infused(t + h / 2, moved(k2, h / 2, half))
        k4 = infused(t + h, moved(k3, h, full))
        mean = {name: (k1[name] + 2 * (k2[name] + k3[name]) + k4[name]) / 6 for name in x}
        return moved(mean, h, full)

    return step


def _course(x: Array, k: Array, h: Array, inflow: Array | None) -> Array:
    remains = jnp.exp(-k * h)
    if inflow is None:
        return remains * x
    return remains * x + inflow * -jnp.expm1(-k * h) / k
