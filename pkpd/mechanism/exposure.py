"""Concentrations of many patients under one subcutaneous regimen, on a fixed graded mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.mechanism.dosing import dosing_value
from pkpd.mechanism.fixed import runge_kutta
from pkpd.model import Model

# Days after each dose at which the mesh is refined: the first hours pass the saturable range.
_AFTER_DOSE = 0.001 * 1.4 ** np.arange(12)
_STEP = 1 / 32
_DOSES = 32


def _mesh(
    times: np.ndarray, doses: np.ndarray, amounts: np.ndarray, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Days since the first dose at which steps end, and the amounts (a column a lane) given there.

    The numbers of doses and of days are padded, so that one program serves many regimens.
    """
    end = max(float(times.max()), 0.0)
    given = (amounts > 0).any(axis=1) & (doses <= end)
    padding = -given.sum() % _DOSES
    doses = np.append(doses[given], np.full(padding, end))
    amounts = np.vstack([amounts[given], np.zeros((padding, amounts.shape[1]))])
    fine = np.minimum(doses[:, None] + _AFTER_DOSE, end).ravel()
    grid = np.minimum(step * np.arange(np.ceil(end / step / 64) * 64 + 1), end)
    days = np.concatenate([doses, fine, grid])
    order = np.argsort(days, kind="stable")
    given_at = np.vstack([amounts, np.zeros((fine.size + grid.size, amounts.shape[1]))])
    return days[order], given_at[order]


@partial(jax.jit, static_argnames=("rates", "outputs", "states"))
def _solve(
    mesh: Float[Array, " mesh"],
    amounts: Float[Array, "mesh lanes_or_one"],
    wanted: Float[Array, "times lanes_or_one"],
    lag: Float[Array, " lanes_or_one"],
    share: Float[Array, " lanes_or_one"],
    p: Mapping[str, Float[Array, "..."]],
    like: Float[Array, " lanes"],
    *,
    rates: Callable,
    outputs: Callable,
    states: tuple[str, ...],
) -> Float[Array, "times lanes"]:
    size, step = jnp.diff(mesh), runge_kutta(rates, p)

    def rising(t: Array, state: dict) -> tuple[Array, Array]:
        """The concentration and its slope."""

        def level(x: dict) -> Array:
            return outputs(x, p)["concentration"]

        return jax.jvp(level, (state,), (rates(t, state, p, {}),))

    def advance(state: dict, x: tuple) -> tuple[dict, tuple]:
        day, h, amount = x
        after = step(state, (day + lag, h, {}, {}, {}))
        ends = rising(day + lag, state), rising(day + h + lag, after)
        return {**after, states[0]: after[states[0]] + amount * share}, ends

    start = dict.fromkeys(states, like)
    start[states[0]] = like + amounts[0] * share
    _, ends = jax.lax.scan(advance, start, (mesh[:-1], size, amounts[1:]))
    return _between(mesh, wanted, ends)


def _between(
    mesh: Float[Array, " mesh"], wanted: Float[Array, "times lanes_or_one"], ends: tuple
) -> Float[Array, "times lanes"]:
    """Levels at days within steps, by the cubic through both ends and their slopes."""
    place = jnp.clip(jnp.searchsorted(mesh, wanted, side="right") - 1, 0, mesh.size - 2)
    lanes = ends[0][0].shape[1]
    place = jnp.broadcast_to(place, (wanted.shape[0], lanes))
    (x0, v0), (x1, v1) = jax.tree.map(lambda x: jnp.take_along_axis(x, place, axis=0), ends)
    size = mesh[place + 1] - mesh[place]
    s = jnp.where(size > 0, (wanted - mesh[place]) / jnp.where(size > 0, size, 1.0), 1.0)
    rise = (x1 - x0) * s * s * (3 - 2 * s)
    return x0 + rise + size * s * (1 - s) * (v0 * (1 - s) - v1 * s)


def _first(doses: np.ndarray, amounts: np.ndarray) -> float:
    """The day of the first dose of every lane."""
    given = np.where(amounts > 0, doses[:, None], np.inf).min(axis=0)
    if given.min() != given.max():
        raise ValueError("the lanes of one solve must have their first dose on one day")
    return float(given[0])


def concentrations(
    model: Model,
    doses_time: np.ndarray,
    doses_amount: np.ndarray,
    parameters: Mapping[str, Float[Array, " lanes"]],
    times: np.ndarray,
    *,
    step: float = _STEP,
) -> Float[Array, "times lanes"]:
    """Serum concentrations at `times` (days) after doses into the first compartment.

    `parameters` are the individuals' own (what `model.individual` gives), one array or number a
    name, with bioavailability and lag under the names of `model.dosing` or as `f_depot`,
    `lag_depot`; they may be traced. `doses_time`, `doses_amount` and `times` are plain arrays;
    `doses_amount` has a number a dose, or a row of one a lane, 0 where that lane has no dose then.
    The model's time counts from the first dose, which must be the same for all lanes.
    Runge-Kutta of order four, steps of at most `step` days, finer in the day after each dose, and
    the cubic through the ends of a step within it:
    within 1e-6 of a tight solve where concentrations exceed 1e-3 mg/L.
    """
    doses = np.asarray(doses_time, float).ravel()
    amounts = np.asarray(doses_amount, float)
    times = np.asarray(times, float).ravel()
    p = {name: jnp.asarray(value, float) for name, value in parameters.items()}
    lanes = max((value.size for value in p.values()), default=1)
    if not (amounts > 0).any():
        return jnp.zeros((times.size, lanes))
    amounts = amounts.reshape(doses.size, -1)
    first = _first(doses, amounts)
    depot = model.doses_into[0]
    share, lag = (
        jnp.atleast_1d(dosing_value(p, dosing=model.dosing, role=role, state=depot))
        for role in ("f", "lag")
    )
    mesh, given = _mesh(times - first, doses - first, amounts, step)
    wanted = jnp.maximum(times[:, None] - first - lag, 0.0)
    states = (depot, *(name for name in model.states if name != depot))
    return _solve(
        jnp.asarray(mesh),
        jnp.asarray(given),
        wanted,
        lag,
        share,
        p,
        jnp.zeros(lanes),
        rates=model.rates,
        outputs=model.outputs,
        states=states,
    )
