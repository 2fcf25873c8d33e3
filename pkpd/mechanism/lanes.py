"""Many subjects at once: their timelines side by side, subjects last, solved step by step.

Linear models go by the closed form (`spectral`), others by Runge-Kutta steps of order four over a
planned number of parts of each step (`parts`): no error control, so the result is proved against
more parts. A step ends with its jump: the state times `keep`, plus `given`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.mechanism.fixed import runge_kutta
from pkpd.mechanism.spectral import applied, transitions
from pkpd.mechanism.timeline import Timeline

Named = Mapping[str, Array]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Lanes:
    """Timelines of N subjects as (T, N) and (states, T, N); see `Timeline` for what they mean."""

    start: Float[Array, "T N"]
    end: Float[Array, "T N"]
    flow: Float[Array, "S T N"]
    keep: Float[Array, "T N"]
    given: Float[Array, "S T N"]
    governs: Float[Array, "T N"]


def lanes(line: Timeline) -> Lanes:
    """Lanes of timelines stacked over subjects, (N, T) and (N, T, states)."""
    return Lanes(
        start=(line.start - line.origin).T,
        end=(line.end - line.origin).T,
        flow=jnp.moveaxis(line.flow, (2, 1, 0), (0, 1, 2)),
        keep=line.keep.T,
        given=jnp.moveaxis(line.given, (2, 1, 0), (0, 1, 2)),
        governs=line.governs.T.astype(float),
    )


def rate_matrices(rates: Callable, states: tuple[str, ...], p: Named) -> Float[Array, "S S K N"]:
    """A of x' = A x for each parameter set; `p` holds (K, N) or what broadcasts to it."""
    shape = jnp.broadcast_shapes(*(jnp.shape(value) for value in p.values()))
    columns = []
    for own in states:
        unit = {name: jnp.full(shape, float(name == own)) for name in states}
        slope = rates(0.0, unit, p, {})
        columns.append(jnp.stack([jnp.broadcast_to(slope[name], shape) for name in states]))
    return jnp.stack(columns, axis=1)


def linear_path(
    matrices: Float[Array, "S S K N"], initial: Float[Array, "S N"], line: Lanes, *, infused: bool
) -> Float[Array, "T S N"]:
    """The state after each step."""
    remains, gained = transitions(matrices, line.governs, line.end - line.start, infused)
    added = line.given + line.keep * applied(gained, line.flow) if infused else line.given
    remains = remains * line.keep

    def advance(x: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        remain, add = step
        after = applied(remain, x) + add
        return after, after

    first = (jnp.moveaxis(remains, 2, 0), jnp.moveaxis(added, 1, 0))
    return jax.lax.scan(advance, initial, first)[1]


@dataclass(frozen=True)
class Parts:
    """Each step cut into parts: whose step each part is, where it begins and ends (0 to 1)."""

    step: np.ndarray
    begin: np.ndarray
    finish: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """The part after which each step's jump comes."""
        return np.flatnonzero(np.diff(self.step, append=self.step[-1] + 1))


def parts(counts: np.ndarray, graded: np.ndarray) -> Parts:
    """Equal parts of each step, or growing as squares where `graded` (after a dose)."""
    step = np.repeat(np.arange(counts.size), counts)
    first = np.cumsum(counts) - counts
    number = np.arange(step.size) - first[step]
    begin, finish = number / counts[step], (number + 1) / counts[step]
    square = graded[step]
    return Parts(step, np.where(square, begin**2, begin), np.where(square, finish**2, finish))


def stepped_path(
    rates: Callable,
    states: tuple[str, ...],
    initial: Float[Array, "S N"],
    line: Lanes,
    p: Named,
    cut: Parts,
) -> Float[Array, "T S N"]:
    """The state after each step of a model that is not linear; `p` holds (K, N), K = 1 or R."""
    varying = any(jnp.ndim(v) == 2 and jnp.shape(v)[0] > 1 for v in p.values())
    fixed = {name: value[0] if jnp.ndim(value) == 2 else value for name, value in p.items()}

    def advance(x: Array, piece: tuple) -> tuple[Array, Array]:
        t, h, flow, keep, given, own = piece
        after = jax.checkpoint(moved)(x, t, h, flow, own if varying else fixed)
        after = keep * after + given
        return after, after

    def moved(x: Array, t: Array, h: Array, flow: Array, q: Named) -> Array:
        named = dict(zip(states, x, strict=True))
        inflow = dict(zip(states, flow, strict=True))

        def slope(t: Array, x: Named, q: Named, u: Named) -> dict[str, Array]:
            found = rates(t, x, q, u)
            return {name: found[name] + inflow[name] for name in states}

        after = runge_kutta(slope, q)(named, (t, h, {}, {}, {}))
        return jnp.stack([after[name] for name in states])

    length = line.end - line.start
    at, last = cut.step, np.zeros(cut.step.size, bool)
    last[cut.last] = True
    own = _governed(p, line.governs[at]) if varying else fixed
    pieces = (
        line.start[at] + cut.begin[:, None] * length[at],
        (cut.finish - cut.begin)[:, None] * length[at],
        jnp.moveaxis(line.flow, 1, 0)[at],
        jnp.where(last[:, None], line.keep[at], 1.0),
        jnp.where(last[:, None, None], jnp.moveaxis(line.given, 1, 0)[at], 0.0),
        own if varying else None,
    )
    return jax.lax.scan(advance, initial, pieces)[1][cut.last]


def _governed(p: Named, governs: Array) -> dict[str, Array]:
    """The parameters of the record that governs, (parts, N)."""
    at = governs.astype(int)

    def pick(value: Array) -> Array:
        wide = jnp.broadcast_to(value, (value.shape[0], at.shape[1]))
        return (
            wide[jnp.zeros_like(at)[:, 0]] if len(value) == 1 else jnp.take_along_axis(wide, at, 0)
        )

    return {name: pick(jnp.atleast_2d(value)) for name, value in p.items()}
