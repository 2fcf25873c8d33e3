"""From free variables to every virtual patient's lesions, concentration and stay in the trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import expit, logit
from jaxtyping import Array, Float, Int

from pkpd.mechanism import exponential, fixed
from pkpd.mechanism.power import power
from pkpd.model import Model, Parameter
from pkpd.variation.population import NODE

LEAST = 1e-4
"""Smallest EASI ratio: far below one point of EASI."""


@dataclass(frozen=True)
class Lanes:
    """Runs (dosing histories) by patients: what does not depend on the free variables.

    `log_concentration` holds natural logs of mg/L at `mesh.nodes(mesh)` for three log clearance
    shifts; `scores` standard normal scores by parameter; `easi` baselines. `drug`, `trial` index
    coordinates; `phase` says which dropout phase rules each step.
    """

    mesh: np.ndarray
    log_concentration: Float[np.ndarray, "3 nodes runs patients"]
    scores: Mapping[str, Float[np.ndarray, "runs patients"]]
    easi: Float[np.ndarray, "runs patients"]
    drug: Int[np.ndarray, " runs"]
    trial: Int[np.ndarray, " runs"]
    phase: Int[np.ndarray, "steps runs"]
    drugs: tuple[str, ...]


def concentration(values: Mapping[str, Array], lanes: Lanes) -> Float[Array, "nodes runs patients"]:
    """mg/L at every node, by quadratic interpolation in the trial's log clearance shift.

    The shift saturates at twice the outer node, a factor of 1.8: beyond, the parabola is no
    guide, and a model that cannot follow the data would buy exposure there.
    """
    low, mid, high = (jnp.asarray(table) for table in lanes.log_concentration)
    shift = 2 * NODE * jnp.tanh(effect(values, "clearance_shift") / (2 * NODE))
    shift = shift[lanes.trial][:, None]
    uptake = effect(values, "uptake_shift")[lanes.trial][:, None]
    slope, bend = (high - low) / (2 * NODE), (high + low - 2 * mid) / (2 * NODE**2)
    return jnp.exp(mid + shift * (slope + shift * bend) + uptake)


def effect(values: Mapping[str, Array], name: str) -> Array:
    """Trial-level effects of a parameter, on its scale; one per trial (or phase)."""
    return values[f"{name}_trial_sd"] * values[f"{name}_trial"]


def _by_drug(parameter: Parameter, value: Array, lanes: Lanes) -> Array:
    if parameter.only:
        chosen = jnp.asarray(np.isin(lanes.drugs, parameter.only))
        return jnp.where(chosen[lanes.drug], value, parameter.otherwise)
    return (
        value[lanes.drug] if parameter.per == "drug" else jnp.broadcast_to(value, lanes.drug.shape)
    )


_TO = {"log": jnp.log, "logit": logit, "identity": lambda value: value}
_FROM: dict[str, Callable] = {"log": jnp.exp, "logit": expit, "identity": lambda value: value}


def individuals(model: Model, values: Mapping[str, Array], lanes: Lanes) -> dict[str, Array]:
    """Each patient's parameters of the disease model, shape (runs, patients) or (runs, 1)."""
    found = {}
    for parameter in model.parameters:
        value = _by_drug(parameter, values[parameter.name], lanes)[:, None]
        random = 0.0
        if parameter.between_trials is not None:
            random = random + effect(values, parameter.name)[lanes.trial][:, None]
        if parameter.between is not None:
            random = random + values[f"{parameter.name}_between"] * lanes.scores[parameter.name]
        if not isinstance(random, float):
            value = _FROM[parameter.scale](_TO[parameter.scale](value) + random)
        found[parameter.name] = value
    return found


def lesions(
    model: Model, values: Mapping[str, Array], lanes: Lanes, level: Array
) -> Float[Array, "days runs patients"]:
    """EASI ratio to baseline at every mesh day, before any visit's own noise: see `ratios`."""
    p = individuals(model, values, lanes)
    return ratios(model, p, states(model, p, lanes, level), lanes.mesh, lanes.easi)


def states(
    model: Model,
    p: Mapping[str, Array],
    lanes: Lanes,
    level: Array,
    start: Mapping[str, Array] | None = None,
    at: np.ndarray | None = None,
) -> dict[str, Float[Array, "days runs patients"]]:
    """Levels of the disease model's states at every mesh day, from `start` or its own initial.

    With `at`, only at these places of the mesh, increasing; that is for going forward alone.
    """
    shape = lanes.easi.shape
    initial = {
        name: jnp.broadcast_to(jnp.asarray(value, float), shape)
        for name, value in (start or _start(model, p)).items()
    }
    inputs = {"concentration": level}
    if model.turnover is None:
        path = fixed.solve(model.rates, initial, lanes.mesh, inputs, p, model.states)
        return path if at is None else {name: value[at] for name, value in path.items()}
    if at is not None:
        return exponential.seen(model.turnover, initial, lanes.mesh, inputs, p, at)
    return exponential.solve(model.turnover, initial, lanes.mesh, inputs, p)


def ratios(
    model: Model,
    p: Mapping[str, Array],
    path: Mapping[str, Array],
    days: np.ndarray,
    easi: np.ndarray | Array,
) -> Float[Array, "days runs patients"]:
    """EASI ratio to baseline where states are `path`, at `days`.

    Held within the scale: ratio / (1 + (EASI0 ratio / 72)^8)^(1/8), so that nobody passes EASI 72,
    and no lower than LEAST.
    """
    when = jnp.asarray(days)[:, None, None]
    ratio = jnp.maximum(model.outputs({**path, "t": when}, p)["easi_ratio"], LEAST)
    eighth = (ratio * (easi / 72.0)) ** 8
    return ratio / jnp.sqrt(jnp.sqrt(jnp.sqrt(1.0 + eighth)))


def _start(model: Model, p: Mapping[str, Array]) -> dict[str, Array | float]:
    return model.initial(p) if model.initial else dict.fromkeys(model.states, 0.0)


def staying(
    values: Mapping[str, Array], lanes: Lanes, ratio: Float[Array, "days runs patients"]
) -> Float[Array, "days runs patients"]:
    """Probability of still being in the trial: exp(-H), H' = h (EASI ratio)^power.

    The integral is the trapezium rule on the mesh; h is per day, from `dropout` per year.
    """
    rate = values["dropout"] / 365.25 * jnp.exp(effect(values, "dropout"))
    pull = power(ratio, values["dropout_power"])
    step = jnp.asarray(np.diff(lanes.mesh))[:, None, None]
    here = jnp.eye(rate.size)[lanes.phase] @ rate
    area = step * here[:, :, None] * (pull[1:] + pull[:-1]) / 2
    return jnp.exp(-_running(area))


def _running(area: Float[Array, "steps runs patients"]) -> Float[Array, "days runs patients"]:
    """Sums up to each day, the first 0; `jnp.cumsum` takes fourteen times as long on a CPU."""

    def add(total: Array, more: Array) -> tuple[Array, Array]:
        return total + more, total + more

    start = jnp.zeros_like(area[0])
    return jnp.concatenate([start[None], jax.lax.scan(add, start, area)[1]])
