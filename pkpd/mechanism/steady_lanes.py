"""Steady states of many subjects within fits: solved as in `steady`, differentiable in reverse.

With x0 the state just after an implied dose b and `cycle` the map over one interval,

    x0 = cycle(x0) + b,    dx0 = (I - dcycle/dx)^-1 d(cycle + b),

the second by one Newton step from the stopped root (implicit function theorem). A constant
infusion (interval 0) has rates(x) + flow = 0. Linear models go by the closed form and one solve;
others by Newton's method on a cycle of a fixed number of parts, proved against more parts.
A `Regimen` here holds (N, states) and (N,). The residual, relative to each state, is large or not
a number where no steady state was found: where more is given than can be lost, say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.mechanism.lanes import rate_matrices, stepping
from pkpd.mechanism.rosenbrock import factored, solution
from pkpd.mechanism.small import applied, product
from pkpd.mechanism.spectral import Smooth, transitions
from pkpd.mechanism.steady import Regimen

Named = Mapping[str, Float[Array, " N"]]
Found = tuple[Float[Array, "S N"], Float[Array, " N"]]
"""The state at the record, and the residual of the steady state."""

TOLERANCE = 1e-8
"""Residual after which Newton's method takes its last step: the next is of the order 1e-16."""

ITERATIONS = 50


def steady_linear(
    rates: Callable,
    states: tuple[str, ...],
    r: Regimen,
    p: Named,
    *,
    infused: bool,
    smooth: Smooth = "",
) -> Found:
    """The state at the record of linear models, by one solve; `infused` if any rate is above 0.

    `smooth` where second derivatives are wanted (`spectral.transitions`).
    """
    matrix = rate_matrices(rates, states, {name: value[None] for name, value in p.items()})
    more, fewer, part, rest = _two(r)
    until = jnp.minimum(r.phase, part)
    lasts = jnp.stack([part, rest, until, r.phase - until])
    remains, gained = transitions(matrix, jnp.zeros_like(lasts), lasts, infused, smooth)
    brought = [applied(gained[:, :, k], (more, fewer)[k % 2]) for k in range(4)]

    whole = product(remains[:, :, 1], remains[:, :, 0])
    added = applied(remains[:, :, 1], brought[0]) + brought[1] + r.amount.T
    repeated, identity = r.interval > 0, jnp.eye(len(states))[:, :, None]
    system = jnp.where(repeated, identity - whole, -matrix[:, :, 0])
    right = jnp.where(repeated, added, r.rate.T)
    start = _solve(system, right)
    residual = _relative(right - applied(system, start), start)
    later = applied(remains[:, :, 2], start) + brought[2]
    later = applied(remains[:, :, 3], later) + brought[3]
    return jnp.where(repeated, later, start), residual


@dataclass(frozen=True)
class Cycle:
    """How a model that is not linear is taken over an interval: its states, and parts of steps.

    `pieces` are the parts under each of the two flows of an interval (while an infusion runs, and
    after), growing as squares; with no infusion (`infused` false) there is but the second.
    """

    rates: Callable
    states: tuple[str, ...]
    pieces: int = 32
    method: str = "rk4"
    infused: bool = True

    def onward(self, x: Array, until: Array, r: Regimen, p: Named) -> Float[Array, "S N"]:
        """The state some time (N,), at most an interval, after an implied dose arrived."""
        more, fewer, part, _ = _two(r)
        first = jnp.minimum(until, part) if self.infused else jnp.zeros_like(until)
        moved = stepping(self.rates, self.states, self.method)
        named = partial(zip, self.states, strict=True)

        def advance(x: dict[str, Array], piece: tuple) -> tuple[dict, None]:
            early, begin, size = piece
            lasts = jnp.where(early, first, until - first)
            flow = dict(named(jnp.where(early, more, fewer)))
            return moved(x, begin * lasts, size * lasts, flow, p), None

        after = jax.lax.scan(advance, dict(named(x)), self._parts())[0]
        return jnp.stack([after[name] for name in self.states])

    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Whether each part comes first, where it begins and how long it is (of 1)."""
        edges, times = (np.arange(self.pieces + 1) / self.pieces) ** 2, 1 + self.infused
        early = np.arange(times * self.pieces) < (times - 1) * self.pieces
        return early, np.tile(edges[:-1], times), np.tile(np.diff(edges), times)

    def slope(self, x: Array, p: Named) -> Float[Array, "S N"]:
        """Rates of change at time 0, no infusion running."""
        found = self.rates(0.0, dict(zip(self.states, x, strict=True)), p, {})
        return jnp.stack([jnp.broadcast_to(found[name], x[0].shape) for name in self.states])


def steady_stepped(
    cycle: Cycle, r: Regimen, p: Named, start: Float[Array, "S N"] | None = None
) -> Found:
    """The state at the record of models that are not linear, sought from `start` (zeros).

    The residual is that before the last Newton step, which all but squares it.
    """
    safe = jnp.where(r.interval > 0, r.interval, 1.0)

    def miss(x: Array, r: Regimen, p: Named) -> Array:
        repeated = cycle.onward(x, safe, r, p) + r.amount.T - x
        return jnp.where(r.interval > 0, repeated, cycle.slope(x, p) + r.rate.T)

    held = jax.lax.stop_gradient((r, p))
    x = jnp.zeros_like(r.rate.T) if start is None else start
    x, system = _newton(lambda x: miss(x, *held), jax.lax.stop_gradient(x))
    left = miss(x, r, p)
    found = x - _solve(system, left)
    later = cycle.onward(found, jnp.where(r.interval > 0, r.phase, 0.0), r, p)
    return jnp.where(r.interval > 0, later, found), _relative(left, x)


def _two(r: Regimen) -> tuple[Array, Array, Array, Array]:
    """The two flows of an interval, (S, N), and how long each lasts: infusions may overlap."""
    repeated = r.interval > 0
    safe = jnp.where(repeated, r.interval, 1.0)
    lasts = jnp.where(repeated, r.lasts, 0.0)
    whole = jax.lax.stop_gradient(jnp.floor(lasts / safe))
    part = lasts - whole * safe
    return (whole + 1) * r.rate.T, whole * r.rate.T, part, safe - part


def _newton(miss: Callable, x: Float[Array, "S N"]) -> tuple[Array, Array]:
    """The root by Newton's method and the Jacobian a step before it, all subjects at once.

    Those that fail do not hold up the others: the most steps are `ITERATIONS`.
    """

    def undone(state: tuple[Array, Array, Array, Array]) -> Array:
        _, _, residual, count = state
        return (jnp.isfinite(residual) & (residual > TOLERANCE)).any() & (count < ITERATIONS)

    def step(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        x, _, _, count = state
        left, system = _linearised(miss, x)
        return x - _solve(system, left), system, _relative(left, x), count + 1

    size, lanes = x.shape
    first = (x, jnp.zeros((size, size, lanes)), jnp.ones(lanes), jnp.asarray(0))
    return jax.lax.stop_gradient(jax.lax.while_loop(undone, step, first)[:2])


def _linearised(miss: Callable, x: Float[Array, "S N"]) -> tuple[Array, Array]:
    """The miss, and its Jacobian by unit tangents: a subject's depends on its own state alone."""
    units = jnp.broadcast_to(jnp.eye(len(x))[:, :, None], (len(x), *x.shape))
    left, columns = jax.vmap(lambda unit: jax.jvp(miss, (x,), (unit,)), out_axes=(None, 1))(units)
    return left, columns


def _solve(matrix: Float[Array, "S S N"], right: Float[Array, "S N"]) -> Float[Array, "S N"]:
    system = [list(row) for row in matrix]
    lu = factored(jax.lax.stop_gradient(system))
    return jnp.stack(solution(system, lu, list(right)))


def _relative(miss: Float[Array, "S N"], x: Float[Array, "S N"]) -> Float[Array, " N"]:
    """The greatest miss relative to its state; states below 1e-9 of the greatest count as that."""
    size = jnp.abs(jax.lax.stop_gradient(x))
    size = jnp.maximum(size, 1e-9 * size.max(0)) + 1e-300
    return (jnp.abs(jax.lax.stop_gradient(miss)) / size).max(0)
