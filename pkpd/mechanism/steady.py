"""Steady states solved, not waited for: the amounts a regimen repeated for ever leaves.

With x0 the state just after an implied dose b and `cycle` the map over one interval (all infusions
in progress counted: those longer than the interval overlap),

    x0 = cycle(x0) + b,

by one linear solve where rates are linear, else by Newton's method. A constant infusion has
rates(x) + flow = 0. The state at the record is read `lag` before the next implied dose arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, Bool, Float

from pkpd.mechanism.schedule import Schedule
from pkpd.mechanism.timeline import Dosing, flow_of

Advance = Callable[[Array, Array, Array], Array]
"""(state, duration, flow) -> state."""

Slope = Callable[[Array], Array]
"""State -> its rates, no infusion running."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Regimen:
    """A dose repeated: at once `amount`, or `rate` for `lasts`, every `interval` (0: for ever).

    `phase` is the time since the last implied dose arrived at which the state is wanted.
    """

    amount: Float[Array, " states"]
    rate: Float[Array, " states"]
    lasts: Float[Array, ""]
    interval: Float[Array, ""]
    phase: Float[Array, ""]


def regimen(s: Schedule, d: Dosing, record: Array, states: int) -> Regimen:
    """The regimen of a steady-state record."""
    dose = jnp.argmax((s.record == record) & (s.number == 0))
    told, interval = jnp.asarray(s.rate)[dose], jnp.asarray(s.interval)[dose]
    amount = jnp.asarray(s.amount)[dose] * d.share[record]
    rate, lasts = flow_of(amount, told, d.rate[record], d.duration[record])
    into, infused = jnp.eye(states)[jnp.asarray(s.state)[dose]], told != 0
    return Regimen(
        amount=into * jnp.where(infused, 0.0, amount),
        rate=into * jnp.where(infused, rate, 0.0),
        lasts=jnp.where(infused, lasts, 0.0),
        interval=interval,
        phase=interval - d.lag[record],
    )


def steady_state(
    r: Regimen, advance: Advance, slope: Slope, begin: Float[Array, " states"], *, linear: bool
) -> tuple[Float[Array, " states"], Bool[Array, ""]]:
    """The state at the record, and whether it was found; the search begins at `begin`."""
    safe = jnp.where(r.interval > 0, r.interval, 1.0)
    whole = jax.lax.stop_gradient(jnp.floor(r.lasts / safe))
    part = jnp.where(r.interval > 0, r.lasts - whole * safe, 0.0)

    def onward(x: Array, until: Array) -> Array:
        x = advance(x, jnp.minimum(until, part), (whole + 1) * r.rate)
        return advance(x, jnp.maximum(until - part, 0.0), whole * r.rate)

    def repeated() -> tuple[Array, Array]:
        found, fine = _root(lambda x: onward(x, safe) + r.amount - x, begin, linear=linear)
        return onward(found, r.phase), fine

    def constant() -> tuple[Array, Array]:
        return _root(lambda x: slope(x) + r.rate, begin, linear=linear)

    return jax.lax.cond(r.interval > 0, repeated, constant)


def _root(miss: Callable, start: Array, *, linear: bool) -> tuple[Array, Array]:
    """Where `miss` is zero, and whether it was found."""
    if linear:  # one step of Newton's method is exact
        found = start - jnp.linalg.solve(jax.jacfwd(miss)(start), miss(start))
        return found, jnp.isfinite(found).all()
    solution = optimistix.root_find(
        lambda x, _: miss(x),
        optimistix.Newton(rtol=1e-8, atol=1e-8),
        start,
        max_steps=100,
        throw=False,
    )
    fine = (solution.result == optimistix.RESULTS.successful) & (solution.value > -1e-6).all()
    return solution.value, fine
