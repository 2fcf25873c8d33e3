"""All lanes of the fit solved once, and the gradient of a sum of what they show.

The rival is diffrax, each lane with its own adaptive steps (Tsit5, PID controller), at the loosest
tolerance whose largest error is no larger than ours; concentrations are interpolated from a table
sixteen times finer than ours, since its steps fall anywhere; states are held above a floor, since a
rejected step may leave the logarithm's range and spoil the gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from fit import Course
from timing import Row, alternating, row

from pkpd.mechanism import exponential, fixed
from pkpd.model import Model

TOLERANCES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)
QUICK_TOLERANCES = (3e-4,)
MOST_STEPS = 4096
FLOOR = 1e-4


def on_mesh(model: Model, days: np.ndarray, level: np.ndarray, visits: np.ndarray) -> Callable:
    """Parameters -> lesions (visits, lanes), by the rule the likelihood takes for this model."""
    at = np.searchsorted(days, visits - 1e-6)
    inputs = {"concentration": jnp.asarray(level)}

    def solve(p: dict) -> jax.Array:
        start = {name: jnp.ones(level.shape[1]) for name in model.states}
        if model.turnover is None:
            path = fixed.solve(model.rates, start, days, inputs, p, model.states)
        else:
            path = exponential.solve(model.turnover, start, days, inputs, p)
        return path["lesions"][at]

    return solve


def reference(model: Model, made: Course) -> Callable:
    """The same by Runge-Kutta of order four on the fine mesh."""
    at = np.searchsorted(made.fine_days, made.visits - 1e-6)
    inputs = {"concentration": jnp.asarray(made.fine_level)}

    def solve(p: dict) -> jax.Array:
        start = {name: jnp.ones(made.fine_level.shape[1]) for name in model.states}
        path = fixed.solve(model.rates, start, made.fine_days, inputs, p, ("lesions",))
        return path["lesions"][at]

    return solve


def adaptive(model: Model, made: Course, tolerance: float) -> Callable:
    """The same by diffrax, vmapped over lanes."""
    table, knots = jnp.asarray(made.fine_level[::2]), jnp.asarray(made.fine_days)
    start = jnp.ones(len(model.states))

    def one(p: dict, level: jax.Array) -> jax.Array:
        shown = diffrax.LinearInterpolation(knots, level)

        def slope(t: jax.Array, x: jax.Array, args: dict) -> jax.Array:
            named = dict(zip(model.states, jnp.maximum(x, FLOOR), strict=True))
            found = model.rates(t, named, args, {"concentration": shown.evaluate(t)})
            return jnp.stack([found[name] for name in model.states])

        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(slope), diffrax.Tsit5(), 0.0, float(made.days[-1]), 0.1, start, p,
            saveat=diffrax.SaveAt(ts=jnp.asarray(made.visits)),
            stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance / 100),
            adjoint=diffrax.RecursiveCheckpointAdjoint(), max_steps=MOST_STEPS, throw=False,
        )  # fmt: skip
        return solution.ys[:, model.states.index("lesions")]

    return lambda p: jax.vmap(one, in_axes=(0, 1), out_axes=1)(p, table)


def _error(found: jax.Array, wanted: jax.Array) -> float:
    return float(np.abs(np.asarray(found) - np.asarray(wanted)).max())


def _gradient(solve: Callable) -> Callable:
    return jax.jit(jax.grad(lambda p: solve(p).sum()))


def _gradient_error(found: dict, wanted: dict) -> float:
    """Largest error over lanes and parameters, each parameter relative to its largest slope."""
    return max(
        _error(found[name], slope) / max(float(np.abs(slope).max()), 1e-12)
        for name, slope in wanted.items()
    )


def tuned(
    make: Callable, p: dict, off: Callable, target: float, tolerances: tuple[float, ...]
) -> tuple[float, Callable]:
    """The loosest tolerance with an error within `target`, and its call; the tightest if none."""
    for tolerance in tolerances:
        rival = make(tolerance)
        if off(rival(p)) <= target:
            break
    return tolerance, rival


def solving(
    model: Model, made: Course, repeats: int, tolerances: tuple[float, ...] = TOLERANCES
) -> list[Row]:
    """Rows for the forward solve and for the gradient, the rival tuned for each."""
    p = {name: jnp.asarray(value) for name, value in made.p.items()}
    tight, ours = reference(model, made), on_mesh(model, made.days, made.level, made.visits)
    note = f"{made.level.shape[1]} lanes over {made.days[-1]:g} days, {len(made.days) - 1} steps"
    rows = []
    for name, change, difference, kind, extra in (
        ("forward solve", jax.jit, _error, "largest error", ""),
        ("gradient of the solve", _gradient, _gradient_error, "largest relative error",
         ", RecursiveCheckpointAdjoint"),
    ):  # fmt: skip
        wanted, mine = change(tight)(p), change(ours)
        error = difference(mine(p), wanted)
        tolerance, rival = tuned(
            lambda tolerance, change=change: change(adaptive(model, made, tolerance)),
            p, lambda found, wanted=wanted, off=difference: off(found, wanted),
            error,
            tolerances,
        )  # fmt: skip
        accuracy = (
            f"{kind} against a tight solve: ours {error:.1e}, "
            f"rival {difference(rival(p), wanted):.1e}"
        )
        times = alternating(lambda mine=mine: mine(p), lambda rival=rival: rival(p), repeats)
        rival_name = f"diffrax Tsit5, tolerance {tolerance:g}{extra}"
        rows.append(row(name, *times, rival_name, accuracy, note))
    return rows
