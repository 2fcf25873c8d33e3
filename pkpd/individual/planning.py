"""The mesh of an individual-level fit: where the parts of each step between events must lie.

At the prior medians and at draws of the random effects every step is run over FINE parts, closely
spaced at first as the squares are. Two parts at a time beside one twice as long give the error that
one part makes, e = C h^5; the parts a mesh needs there are proportional to (C / tolerance)^(1/5).
Their sum over a step, the most over subjects and points, is how many parts the step gets, and where
it passes whole numbers is where these lie: fine where some subject moves fast, wide elsewhere. The
mesh is then run and, while its ends are further than HOLDS tolerances from the fine ones, planned
again more finely. Errors are relative to |x| + FLOOR max |x|, by subject and state. At far ends,
where subjects are rare, an error SLACK times as large will do: what matters is that it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.errors import FitError
from pkpd.individual.clock import aligned
from pkpd.individual.solve import Solver
from pkpd.mechanism.lanes import Lanes, Parts, lanes, renewed, stepped_path, stepping
from pkpd.mechanism.timeline import Timeline
from pkpd.settings_individual import Engine
from pkpd.threads import side_by_side

FLOOR, HOLDS, ROUNDS, SLACK = 0.01, 10.0, 6, 30.0
FINE = {"rk4": 128, "rosenbrock": 32}
"""Pairs of fine parts a step."""

COST = {"rk4": 1, "rosenbrock": 6}
"""One part of each method, in parts of rk4: six stages and small solves against four stages."""

MANY = 2000
"""With more explicit parts than this an implicit method is tried, too."""


@dataclass(frozen=True)
class Trial:
    """Fine runs at one point: error of each long part, states after steps and their jumps.

    `most` is the largest size of each state, within steps too: a gut may fill and empty in one.
    Errors count by `slack` less.
    """

    error: Float[np.ndarray, "T pairs"]
    after: Float[np.ndarray, "T S N"]
    most: Float[np.ndarray, "S N"]
    wide: Lanes
    first: Array
    own: Mapping[str, Array]
    slack: float = 1.0


Points = Sequence[Mapping[str, Array]]
"""Subjects' own parameters."""


def plan(solver: Solver, points: Points, engine: Engine, ends: Points = ()) -> Solver:
    """The solver with parts and method chosen; `FitError` where no mesh holds.

    It must hold at every point, and by `SLACK` less at the `ends`.
    """
    return meshed(compact(solver), points, engine, ends)


def meshed(solver: Solver, points: Points, engine: Engine, ends: Points = ()) -> Solver:
    """The same for a solver that is `compact` already."""
    asked = [*((own, 1.0) for own in points), *((own, SLACK) for own in ends)]
    methods = ("rk4", "rosenbrock") if engine.method == "auto" else (engine.method,)
    if engine.method == "auto" and solver.model.stiff:
        methods = ("rosenbrock",)
    found: list[tuple[int, str, Parts]] = []
    for method in methods:
        cut = _mesh(solver, asked, engine.tolerance, method)
        if cut is not None:
            found.append((cut.step.size * COST[method], method, cut))
            if cut.step.size <= MANY:
                break
    if not found:
        raise FitError(
            f"No mesh solves {solver.model.name} to {engine.tolerance:g} at the prior medians. "
            "Check the priors' medians, set engine.method, or raise engine.tolerance."
        )
    _, method, cut = min(found, key=lambda each: each[0])
    return replace(solver, cut=cut, method=method)


def compact(solver: Solver) -> Solver:
    """The same on a common clock, without steps of no length at which nothing happens to anybody.

    Records at one time (a concentration and a score) then cost one step. Only where timelines are
    the same whatever the free numbers are.
    """
    line, schedule = solver.line, solver.design.schedule
    if line is None or (schedule.steady >= 0).any():  # a steady state comes to its record later
        return solver
    line = aligned(line)
    still = (line.end == line.start) & (line.keep == 1) & (line.given == 0).all(axis=2)
    drop = np.array(still.all(axis=0))
    drop[_renewing(solver, line)] = False
    drop[0] = False  # records before the first step would have nowhere to be read
    kept = np.flatnonzero(~drop)
    place = np.cumsum(~drop) - 1
    parts = {name: getattr(line, name)[:, kept] for name in ("start", "end", "origin", "keep")}
    more = {name: getattr(line, name)[:, kept] for name in ("flow", "given", "governs")}
    return replace(solver, line=replace(line, **parts, **more, read=jnp.asarray(place)[line.read]))


def _renewing(solver: Solver, line: Timeline) -> Int[np.ndarray, " steps"]:
    """The steps that end with a chain seen in a category."""
    renew = solver.design.renew
    if renew is None:
        return np.zeros(0, int)
    record, subject = np.nonzero(renew >= 0)
    return np.unique(np.asarray(line.read)[subject, record])


def _mesh(
    solver: Solver, asked: Sequence[tuple[Mapping, float]], tolerance: float, method: str
) -> Parts | None:
    """The mesh that holds at every point, None where the fine runs themselves do not."""
    fine = jax.jit(fine_run(solver, method))  # one program for all points
    trials = _each(lambda one: replace(_tried(solver, one[0], fine), slack=one[1]), asked)
    if not all(np.isfinite(part).all() for trial in trials for part in (trial.error, trial.after)):
        return None
    error = np.max([trial.error / trial.slack for trial in trials], axis=0)
    aim = tolerance
    for _ in range(ROUNDS):
        cut = _cut(error, aim)
        rough = jax.jit(_rough(solver, cut, method))
        if max(_each(partial(_missed, rough), trials)) <= HOLDS * tolerance:
            return cut
        aim /= 3
    return None


def _each[T, U](call: Callable[[T], U], some: Sequence[T]) -> list[U]:
    """`call` of each, side by side; the first alone, for it compiles what the others use."""
    return [call(some[0]), *side_by_side(call, some[1:])]


def _cut(error: Float[np.ndarray, "T pairs"], aim: float) -> Parts:
    """Parts whose error is about `aim` each."""
    pairs = error.shape[1]
    edges = (np.arange(pairs + 1) / pairs) ** 2
    needed = np.cumsum((error / aim) ** 0.2, axis=1)
    counts = np.maximum(1, np.ceil(needed[:, -1] - 1e-9)).astype(int)
    begin, finish = [], []
    for total, grown in zip(counts, needed, strict=True):
        share = np.concatenate([[0.0], grown]) / max(grown[-1], 1e-300)
        inner = np.interp(np.arange(1, total) / total, share, edges)
        nodes = np.concatenate([[0.0], inner, [1.0]])
        begin.append(nodes[:-1])
        finish.append(nodes[1:])
    step = np.repeat(np.arange(counts.size), counts)
    return Parts(step, np.concatenate(begin), np.concatenate(finish))


def _rough(solver: Solver, cut: Parts, method: str) -> Callable:
    """(first states, lanes, parameters) -> states after steps, on the mesh to be judged."""

    def run(first: Array, wide: Lanes, own: dict) -> Array:
        model = solver.model
        return stepped_path(model.rates, model.states, first, wide, own, cut, method, solver.fed)

    return run


def _missed(rough: Callable, trial: Trial) -> float:
    """The largest error of the mesh at any step's end, beside the fine run."""
    jumped = np.asarray(rough(trial.first, trial.wide, dict(trial.own)))
    fine = np.asarray(trial.after)
    if not np.isfinite(jumped).all():  # asked for by itself: XLA's maximum may pass over it
        return np.inf
    most = np.maximum(trial.most, 1e-12)
    return float((np.abs(jumped - fine) / (np.abs(fine) + FLOOR * most)).max()) / trial.slack


def _tried(solver: Solver, own: Mapping[str, Array], fine: Callable) -> Trial:
    """The fine run at one point."""
    line = solver.line if solver.line is not None else solver.timelines(own)
    first, line = solver.started(own, line)
    wide = lanes(line)
    error, after, most = fine(wide, first, dict(own))
    return Trial(np.asarray(error), after, most, wide, first, own)


def fine_run(solver: Solver, method: str) -> Callable:
    """(lanes, first states, parameters) -> errors (T, pairs), states (T, S, N), most (S, N).

    States are those after the jumps of steps. One program for all steps; those of no length are
    passed over. Forward only.
    """
    states, pairs = solver.model.states, FINE[method]
    moved = stepping(solver.model.rates, states, method)
    edges = jnp.asarray((np.arange(pairs + 1) / pairs) ** 2)

    def run(wide: Lanes, first: Array, own: dict) -> tuple[Array, Array, Array]:
        governs = wide.governs.astype(int)
        at_step = {name: _at_records(value, governs) for name, value in own.items()}

        def step(x: dict, t: Array) -> tuple[dict, tuple[Array, Array, Array]]:
            start, length = wide.start[t], wide.end[t] - wide.start[t]
            p = {name: value[t] for name, value in at_step.items()}
            flow = dict(zip(states, wide.flow[:, t], strict=True))

            def pair(carried: tuple, k: Array) -> tuple[tuple, Array]:
                x, most = carried
                h = (edges[k + 1] - edges[k]) * length
                begin = start + edges[k] * length
                half = moved(x, begin, h / 2, flow, p)
                two = moved(half, begin + h / 2, h / 2, flow, p)
                one = moved(x, begin, h, flow, p)
                most = {name: jnp.maximum(most[name], jnp.abs(two[name])) for name in states}
                return (two, most), _gap(one, two, most)

            sizes = {name: jnp.abs(x[name]) for name in states}

            def solved(x: dict) -> tuple[tuple, Array]:
                return jax.lax.scan(pair, (x, sizes), jnp.arange(pairs))

            (after, most), error = jax.lax.cond(
                (length > 0).any(), solved, lambda x: ((x, sizes), jnp.zeros(pairs)), x
            )
            jumped = {n: wide.keep[t] * after[n] + wide.given[k, t] for k, n in enumerate(states)}
            category = None if wide.renew is None else wide.renew[t]
            jumped |= renewed(jumped, category, solver.fed.chain)
            within = jnp.stack([most[name] for name in states])
            return jumped, (error, jnp.stack([jumped[name] for name in states]), within)

        named = dict(zip(states, first, strict=True))
        error, after, within = jax.lax.scan(step, named, jnp.arange(len(wide.start)))[1]
        return error, after, within.max(axis=0)

    return run


def _gap(one: Mapping, two: Mapping, most: Mapping) -> Array:
    """The largest relative difference over subjects and states; of order five in the part."""
    scale = {name: jnp.abs(two[name]) + FLOOR * most[name] + 1e-12 for name in two}
    return jnp.stack([(jnp.abs(one[n] - two[n]) / scale[n]).max() for n in two]).max()


def _at_records(value: Array, governs: Int[Array, "T N"]) -> Array:
    """A parameter over steps: that of the record which governs each, (T, N)."""
    wide = jnp.atleast_2d(value)
    if wide.shape[0] == 1:
        return jnp.broadcast_to(wide, governs.shape)
    return jnp.take_along_axis(jnp.broadcast_to(wide, (len(wide), governs.shape[1])), governs, 0)
