"""One subject's states at every record: a schedule, parameters, and a solver put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from pkpd.mechanism.adaptive import Equations, solve_adaptive
from pkpd.mechanism.linear import advance_linear, rate_matrix, solve_linear
from pkpd.mechanism.schedule import Schedule
from pkpd.mechanism.steady import Advance, Slope, regimen, steady_state
from pkpd.mechanism.timeline import Dosing, timeline


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Course:
    """States at every record; whether each record's steady state was found; the steps solved."""

    states: Float[Array, "R states"]
    steady: Bool[Array, " R"]
    fine: Bool[Array, " R"]


@partial(jax.jit, static_argnames=("equations", "linear"))
def course(
    s: Schedule,
    d: Dosing,
    initial: Float[Array, "R states"],
    p: Mapping[str, Float[Array, " R"]],
    *,
    equations: Equations,
    linear: bool,
) -> Course:
    """The states of one subject at each record, after whatever happens there.

    `p` and `initial` (where a reset sets the state to it) hold a value a record. With `linear`
    the closed form is used: rates are linear in the states and do not look at time.
    """
    line = timeline(s, d, len(equations.states))
    found, fine = _steady(s, d, p, equations, initial, linear=linear)
    at = line.read
    line = replace(line, given=line.given.at[at].add(found + s.fresh[:, None] * initial))
    if linear:
        matrices = _matrices(equations, p)
        path, solved = solve_linear(initial[0], line, matrices), jnp.ones(line.end.shape, bool)
    else:
        path, solved = solve_adaptive(equations, initial[0], line, p)
    through = jnp.cumprod(solved.astype(int)).astype(bool)
    return Course(states=path[at], steady=fine, fine=through[at])


def _matrices(equations: Equations, p: Mapping[str, Array]) -> Float[Array, "R states states"]:
    return jax.vmap(lambda q: rate_matrix(equations.rates, equations.states, q))(p)


def _steady(
    s: Schedule,
    d: Dosing,
    p: Mapping[str, Array],
    equations: Equations,
    initial: Float[Array, "R states"],
    *,
    linear: bool,
) -> tuple[Float[Array, "R states"], Bool[Array, " R"]]:
    """What steady states bring to each record, and whether they were found."""
    records, states = s.time.size, len(equations.states)
    if s.steady.size == 0:
        return jnp.zeros((records, states)), jnp.ones(records, bool)

    def one(record: Array) -> tuple[Array, Array]:
        at = jnp.maximum(record, 0)
        q = {name: value[at] for name, value in p.items()}
        advance, slope = _mechanism(equations, q, linear=linear)
        found, fine = steady_state(
            regimen(s, d, at, states), advance, slope, initial[at], linear=linear
        )
        return jnp.where(record < 0, 0.0, found), fine | (record < 0)

    each = jax.lax.map(one, jnp.asarray(s.steady))
    places = jnp.where(s.steady < 0, records, s.steady)  # beyond the end: dropped
    found = jnp.zeros((records, states)).at[places].add(each[0], mode="drop")
    return found, jnp.ones(records, bool).at[places].set(each[1], mode="drop")


def _mechanism(equations: Equations, q: Mapping, *, linear: bool) -> tuple[Advance, Slope]:
    def slope(x: Array) -> Array:
        return equations.slope(0.0, x, q)

    if linear:
        matrix = rate_matrix(equations.rates, equations.states, q)
        return partial(advance_linear, matrix), slope
    zero = jnp.zeros(())
    return lambda x, duration, flow: equations.moved(x, zero, duration, flow, q)[0], slope
