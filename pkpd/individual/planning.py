"""The mesh of an individual-level fit: into how many parts each step between events must go.

At the prior medians and at some draws of the random effects: (1) all steps are halved until no
state at any step's end changes by a tenth of the tolerance, which makes the reference; (2) each
step alone, begun from the reference, takes the fewest parts (a power of two) whose error is below
the tolerance; (3) the whole is run with these and halved again until it holds. Errors are relative
to |x| + FLOOR max |x|, per subject and state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.errors import FitError
from pkpd.individual.solve import Solver
from pkpd.mechanism.fixed import runge_kutta
from pkpd.mechanism.fixed import runge_kutta as rosenbrock  # interim
from pkpd.mechanism.lanes import Lanes, lanes, parts
from pkpd.settings_individual import Engine

FLOOR = 1e-4
MOST = 4096
STIFF_PARTS = 64
"""With more explicit parts than this in some step, an implicit method is tried."""
STEPS = {"rk4": runge_kutta, "rosenbrock": rosenbrock}
Counts = Int[np.ndarray, " T"]
Walk = Callable[[Array, Array | None], Array]


def plan(solver: Solver, points: Sequence[Mapping[str, Array]], engine: Engine) -> Solver:
    """The solver with parts and method chosen; `FitError` where no mesh holds."""
    wanted = ("rk4", "rosenbrock") if engine.method == "auto" else (engine.method,)
    if engine.method == "auto" and solver.model.stiff:
        wanted = ("rosenbrock",)
    found: list[tuple[int, str, Counts]] = []
    for method in wanted:
        counts = _counts(solver, points, engine.tolerance, method)
        if counts is not None:
            found.append((int(counts.sum()) * _COST[method], method, counts))
            if counts.max() <= STIFF_PARTS:
                break
    if not found:
        raise FitError(
            f"No mesh of up to {MOST} parts a step solves {solver.model.name} to "
            f"{engine.tolerance:g} at the prior medians. Check priors, or raise engine.tolerance."
        )
    _, method, counts = min(found, key=lambda each: each[0])
    return replace(solver, cut=parts(counts, np.zeros(counts.size, bool)), method=method)


_COST = {"rk4": 1, "rosenbrock": 6}
"""One part of each method, in parts of rk4: six stages and small solves against four stages."""


def _counts(
    solver: Solver, points: Sequence[Mapping[str, Array]], tolerance: float, method: str
) -> Counts | None:
    """The parts of each step that hold at every point."""
    each = [_at(solver, own, tolerance, method) for own in points]
    if any(counts is None for counts in each):
        return None
    return np.max([counts for counts in each if counts is not None], axis=0)


def _at(solver: Solver, own: Mapping, tolerance: float, method: str) -> Counts | None:
    walk, steps = walker(solver, own, method)
    reference = _reference(walk, steps, tolerance / 10)
    if reference is None:
        return None
    counts = np.full(steps, MOST)
    for k in _powers():
        local = _worst(walk(jnp.full(steps, k), reference), reference)
        counts = np.where((local < tolerance) & (counts == MOST), k, counts)
        if (counts < MOST).all():
            break
    while counts.max() <= MOST:
        if _worst(walk(jnp.asarray(counts), None), reference).max() < tolerance:
            return counts
        counts = counts * 2
    return None


def _powers() -> list[int]:
    return [1 << n for n in range(MOST.bit_length())]


def _reference(walk: Walk, steps: int, tolerance: float) -> Array | None:
    """Ends of all steps that stand still when every step is halved."""
    before = None
    for k in _powers():
        path = walk(jnp.full(steps, k), None)
        if before is not None and _worst(before, path).max() < tolerance:
            return path
        before = path
    return None


def _worst(path: Array, reference: Array) -> Float[np.ndarray, " T"]:
    """The largest error of each step, over subjects and states."""
    size = jnp.abs(reference)
    most = jnp.maximum(size.max(axis=0), 1e-12)
    error = (jnp.abs(path - reference) / (size + FLOOR * most)).max(axis=(1, 2))
    return np.where(np.isfinite(error), error, np.inf)


def walker(solver: Solver, own: Mapping[str, Array], method: str) -> tuple[Walk, int]:
    """Compiled: (parts of each step, ends of steps to begin each from, or None) -> ends (T, S, N).

    Ends are those before each step's jump. Forward only: the counts are no constants here.
    """
    line = solver.line if solver.line is not None else solver.timelines(own)
    first, line = solver.started(own, line)
    wide: Lanes = lanes(line)
    states = solver.model.states
    governs = wide.governs.astype(int)
    at_step = {name: _at_records(value, governs) for name, value in own.items()}

    def moved(x: Array, t: int, counts: Array) -> Array:
        start, length = wide.start[t], wide.end[t] - wide.start[t]
        p = {name: value[t] for name, value in at_step.items()}
        h, flow = length / counts[t], wide.flow[:, t]
        inside = STEPS[method](_with_flow(solver, dict(zip(states, flow, strict=True))), p)

        def part(k: Array, x: dict[str, Array]) -> dict[str, Array]:
            return inside(x, (start + k * h, h, {}, {}, {}))

        named = dict(zip(states, x, strict=True))
        after = jax.lax.fori_loop(0, counts[t], part, named)
        return jnp.stack([after[name] for name in states])

    @jax.jit
    def onward(counts: Array) -> Array:
        def advance(x: Array, t: Array) -> tuple[Array, Array]:
            after = moved(x, t, counts)
            return wide.keep[t] * after + wide.given[:, t], after

        return jax.lax.scan(advance, first, jnp.arange(len(wide.start)))[1]

    @jax.jit
    def alone(counts: Array, ends: Array) -> Array:
        jumped = wide.keep[:, None] * ends + jnp.moveaxis(wide.given, 1, 0)
        begins = jnp.concatenate([first[None], jumped[:-1]])

        def one(_: None, step: tuple[Array, Array]) -> tuple[None, Array]:
            x, t = step
            return None, moved(x, t, counts)

        return jax.lax.scan(one, None, (begins, jnp.arange(len(wide.start))))[1]

    def walk(counts: Array, ends: Array | None) -> Array:
        return onward(counts) if ends is None else alone(counts, ends)

    return walk, len(wide.start)


def _with_flow(solver: Solver, flow: Mapping[str, Array]) -> Callable:
    """The model's rates with infusions added."""

    def rates(t: Array, x: Mapping, p: Mapping, u: Mapping) -> dict[str, Array]:
        found = solver.model.rates(t, x, p, u)
        return {name: found[name] + flow[name] for name in found}

    return rates


def _at_records(value: Array, governs: Int[Array, "T N"]) -> Array:
    """A parameter over steps: that of the record which governs each, (T, N) or (T, 1)."""
    wide = jnp.atleast_2d(value)
    if wide.shape[0] == 1:
        return jnp.broadcast_to(wide, (len(governs), wide.shape[1]))
    return jnp.take_along_axis(jnp.broadcast_to(wide, (len(wide), governs.shape[1])), governs, 0)
