"""Many subjects at once: their timelines side by side, subjects last, solved step by step.

Linear models go by the closed form (`spectral`), others by Runge-Kutta steps of order four over a
planned number of parts of each step (`parts`): no error control, so the result is proved against
more parts. A step ends with its jump: the state times `keep`, plus `given`; then a chain that was
seen in a category is in it (`renewed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.mechanism.blocks import BLOCK, WIDE, in_blocks
from pkpd.mechanism.decaying import beside, decaying
from pkpd.mechanism.rosenbrock import rosenbrock
from pkpd.mechanism.small import applied
from pkpd.mechanism.spectral import Smooth, transitions
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
    renew: Float[Array, "T N"] | None = None


def lanes(line: Timeline) -> Lanes:
    """Lanes of timelines stacked over subjects, (N, T) and (N, T, states)."""
    return Lanes(
        start=(line.start - line.origin).T,
        end=(line.end - line.origin).T,
        flow=jnp.moveaxis(line.flow, (2, 1, 0), (0, 1, 2)),
        keep=line.keep.T,
        given=jnp.moveaxis(line.given, (2, 1, 0), (0, 1, 2)),
        governs=line.governs.T.astype(float),
        renew=None if line.renew is None else line.renew.T.astype(float),
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
    matrices: Float[Array, "S S K N"],
    initial: Float[Array, "S N"],
    line: Lanes,
    *,
    infused: bool,
    smooth: Smooth = "",
) -> Float[Array, "T S N"]:
    """The state after each step; `smooth` where second derivatives are wanted."""
    duration = line.end - line.start
    remains, gained = transitions(matrices, line.governs, duration, infused, smooth)
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


@dataclass(frozen=True)
class Fed:
    """Which states receive anything, known before any number is: the others need no arrays.

    `at_once` has the states that a step may end with an addition to, `flowing` those infused into,
    `cleared` whether any record clears what is there; `chain` has the probabilities of categories
    that a subject is seen in, in order.
    """

    at_once: tuple[str, ...]
    flowing: tuple[str, ...]
    cleared: bool = True
    chain: tuple[str, ...] = ()


def stepped_path(
    rates: Callable,
    states: tuple[str, ...],
    initial: Float[Array, "S N"],
    line: Lanes,
    p: Named,
    cut: Parts,
    method: str = "rk4",
    fed: Fed | None = None,
) -> Float[Array, "T S N"]:
    """The state after each step of a model that is not linear; `p` holds (K, N), K = 1 or R.

    `method` is one of `METHODS`: "rk4", or "rosenbrock" for stiff models. `fed` None: any state may
    be given to. `SINGLE` is "rk4" in float32, twice as fast: an error of some 1e-6 of a state
    beside that of the mesh; what is given and given back is float64. `AHEAD` is the same in blocks
    that suit those who ask for no derivatives.

    Subjects go in blocks. Without derivatives the state after each part is written over that after
    the part before, which measured 2.6 times faster than keeping all parts; derivatives in reverse
    would copy what is written to, so they keep all.
    """
    fed = fed or Fed(states, states)
    moved, kind = stepping(rates, states, method), _kind(method)

    def begun(initial: Array) -> dict[str, Array]:
        return _named(states, initial.astype(kind))

    def stacked(found: Named) -> Float[Array, "T S N"]:
        return jnp.stack([found[name] for name in states], axis=1).astype(float)

    def kept(initial: Array, line: Lanes, p: Named) -> Float[Array, "T S N"]:
        _, path = _run(moved, fed, begun(initial), line, p, cut, {})
        return stacked({name: path[name][cut.last] for name in states})

    @jax.custom_jvp
    def path(initial: Array, line: Lanes, p: Named) -> Float[Array, "T S N"]:
        blank = {name: jnp.zeros((cut.last.size, initial.shape[1]), kind) for name in states}
        return stacked(_run(moved, fed, begun(initial), line, p, cut, blank)[0])

    path.defjvp(lambda at, along: jax.jvp(kept, at, along))
    wide = {name: jnp.asarray(value, float) for name, value in p.items()}
    block = WIDE if method == AHEAD else BLOCK
    return in_blocks(lambda given: path(*given), (initial, line, wide), initial.shape[1], block)


def _kind(method: str) -> Any:
    return jnp.float32 if method in (SINGLE, AHEAD) else jnp.float64


def _run(
    moved: Callable, fed: Fed, initial: dict, line: Lanes, p: Named, cut: Parts, ends: dict
) -> tuple[dict[str, Array], dict[str, Array]]:
    """States at ends of steps, written into `ends`; or where that is empty, of all parts.

    In the precision of `initial`.
    """
    states, kind = tuple(initial), initial[next(iter(initial))].dtype
    fixed, own = _cast(_governed(p, line.governs[cut.step]), kind)

    def advance(carried: tuple[dict, dict], piece: tuple) -> tuple[tuple, dict]:
        (x, ends), (step, t, h, flow, keep, given, renew, own) = carried, piece
        after = moved(x, t, h, flow, {**fixed, **own})
        if fed.cleared:
            after = {name: keep * after[name] for name in states}
        after |= {name: after[name] + given[name] for name in fed.at_once}
        after |= renewed(after, renew, fed.chain)
        if not ends:
            return (after, {}), after
        return (after, {name: ends[name].at[step].set(after[name]) for name in states}), {}

    place = {name: k for k, name in enumerate(states)}
    pieces = _cast(_pieces(place, line, cut, fed), kind)
    (_, ends), path = jax.lax.scan(advance, (initial, ends), (jnp.asarray(cut.step), *pieces, own))
    return ends, path


def _cast(tree: Any, kind: Any) -> Any:
    """The same tree with its numbers, all floats, in another precision."""
    return jax.tree.map(lambda value: jnp.asarray(value, kind), tree)


def stepping(rates: Callable, states: tuple[str, ...], method: str) -> Callable:
    """One part of a step: (state, t, h, flow, p) -> state, all by name, arrays over subjects.

    States that `flow` leaves out are not infused into.

    Checkpointed: reverse mode keeps the states at ends of parts and recomputes the stages.
    """

    @jax.checkpoint
    def moved(x: Named, t: Array, h: Array, flow: Named, q: Named) -> dict[str, Array]:
        def slope(t: Array, x: Named, q: Named, u: Named) -> dict[str, Array]:
            found = rates(t, x, q, u)
            return {name: found[name] for name in states}

        return METHODS[method](slope, states, q, flow)(x, t, h)

    return moved


def _rk4(slope: Callable, states: tuple[str, ...], q: Named, flow: Named) -> Callable:
    return beside(slope, decaying(slope, states, tuple(q)), q, flow)


def _rosenbrock(slope: Callable, states: tuple[str, ...], q: Named, flow: Named) -> Callable:
    def infused(t: Array, x: Named, q: Named, u: Named) -> dict[str, Array]:
        return {name: value + flow.get(name, 0.0) for name, value in slope(t, x, q, u).items()}

    return lambda x, t, h: rosenbrock(infused, q)(x, (t, h, {}))


SINGLE = "rk4 in single precision"
AHEAD = "rk4 in single precision, no derivatives"
METHODS = {"rk4": _rk4, SINGLE: _rk4, AHEAD: _rk4, "rosenbrock": _rosenbrock}
"""Order four both; Rodas4 (L-stable) costs several times a Runge-Kutta step of the same length.

The first solves states that only decay exactly (`decaying`).
"""


def _named(states: tuple[str, ...], values: Array) -> dict[str, Array]:
    """Separate arrays by state: measured a quarter faster in the scan than one stacked array."""
    return dict(zip(states, values, strict=True))


def _pieces(place: Mapping[str, int], line: Lanes, cut: Parts, fed: Fed) -> tuple:
    """When each part begins, how long it lasts, its flows, and its jump, none but at the last."""
    at, length = cut.step, line.end - line.start
    last = np.isin(np.arange(at.size), cut.last)[:, None]
    return (
        line.start[at] + cut.begin[:, None] * length[at],
        (cut.finish - cut.begin)[:, None] * length[at],
        {name: line.flow[place[name]][at] for name in fed.flowing},
        jnp.where(last, line.keep[at], 1.0) if fed.cleared else (),
        {name: jnp.where(last, line.given[place[name]][at], 0.0) for name in fed.at_once},
        jnp.where(last, line.renew[at], -1.0) if fed.chain and line.renew is not None else (),
    )


def renewed(x: Named, category: Any, chain: tuple[str, ...]) -> dict[str, Array]:
    """The chain's probabilities where it was seen: 1 in that category; elsewhere (-1) as they were.

    By name; empty without a chain or without a category.
    """
    if isinstance(category, tuple) or category is None:
        return {}
    seen = category >= 0
    return {name: jnp.where(seen, (category == k) * 1.0, x[name]) for k, name in enumerate(chain)}


def _governed(p: Named, governs: Float[Array, "P N"]) -> tuple[dict, dict]:
    """Parameters that hold throughout, and those of the record that governs each part, (P, N)."""
    at, fixed, own = governs.astype(int), {}, {}
    for name, value in p.items():
        if jnp.ndim(value) < 2 or len(value) == 1:
            fixed[name] = value[0] if jnp.ndim(value) == 2 else value
        else:
            wide = jnp.broadcast_to(value, (value.shape[0], at.shape[1]))
            own[name] = jnp.take_along_axis(wide, at, 0)
    return fixed, own
