"""What steady states bring to their records: each record with SS of each subject solved as a lane.

M records have one; lane m is record `at[m]` of subject `who[m]`. They are found anew for each set
of parameters (`mechanism.steady_lanes`); where the lag is not below II there is none: not a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.errors import ModelError
from pkpd.individual.design import Design
from pkpd.mechanism.adaptive import Equations
from pkpd.mechanism.schedule import Schedule
from pkpd.mechanism.spectral import Smooth
from pkpd.mechanism.steady import Regimen, regimen
from pkpd.mechanism.steady_lanes import Cycle, Found, steady_linear, steady_stepped
from pkpd.mechanism.timeline import DURATION_MODELLED, RATE_MODELLED, Dosing
from pkpd.model import Model

Own = Mapping[str, Float[Array, "K N"]]
MISSED = 1e-6
"""A residual above this is no steady state."""

PIECES = (32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Steady:
    """The records of a design that have a steady state, and their subjects' schedules (M first)."""

    at: Int[np.ndarray, " M"]
    who: Int[np.ndarray, " M"]
    schedule: Schedule

    def regimens(self, doses: Dosing, states: int) -> Regimen:
        """Their regimens; `doses` holds (N, R)."""
        own = jax.tree.map(lambda value: value[self.who], doses)
        schedule = jax.tree.map(jnp.asarray, self.schedule)
        return jax.vmap(partial(regimen, states=states))(schedule, own, jnp.asarray(self.at))

    def parameters(self, own: Own) -> dict[str, Float[Array, " M"]]:
        """Each parameter at these records."""
        return {name: self.of(jnp.atleast_2d(value)) for name, value in own.items()}

    def of(self, value: Float[Array, "K N"]) -> Float[Array, " M"]:
        """These records' entries of values by record and subject, K and N perhaps 1."""
        at = self.at if value.shape[0] > 1 else np.zeros_like(self.at)
        return value[at, self.who if value.shape[1] > 1 else np.zeros_like(self.who)]


def steady_records(design: Design) -> Steady | None:
    """The records with a steady state, None if there is none."""
    who, slot = np.nonzero(design.schedule.steady >= 0)
    if who.size == 0:
        return None
    schedule = jax.tree.map(lambda value: np.asarray(value)[who], design.schedule)
    return Steady(design.schedule.steady[who, slot], who, schedule)


def steady_levels(
    model: Model, steady: Steady, doses: Dosing, own: Own, *, cycle: Cycle | None, smooth: Smooth
) -> Found:
    """The states (S, M) that the steady states bring, and their residuals; `cycle` None: linear."""
    r, p = steady.regimens(doses, len(model.states)), steady.parameters(own)
    if cycle is None:
        infused = bool((steady.schedule.rate != 0).any())
        found, missed = steady_linear(
            model.rates, model.states, r, p, infused=infused, smooth=smooth
        )
    else:
        found, missed = steady_stepped(cycle, r, p, _begin(model, steady, own))
    return jnp.where((r.interval == 0) | (r.phase > 0), found, jnp.nan), missed


def _begin(model: Model, steady: Steady, own: Own) -> Float[Array, "S M"] | None:
    """Where the search begins: the model's initial state, where it has one."""
    if model.initial is None:
        return None
    start = {name: jnp.atleast_2d(value) for name, value in model.initial(own).items()}
    return jnp.stack([steady.of(start[name].astype(float)) for name in model.states])


def steady_cycle(
    model: Model,
    steady: Steady,
    points: Sequence[tuple[Dosing, Own]],
    tolerance: float,
    method: str,
) -> Cycle | None:
    """How steady states are solved: with as many pieces as the tolerance needs, None if linear.

    `points` are doses and parameters at which they must be found. Raises `ModelError`, naming
    subject and record, where there is none.
    """
    _refuse(model, steady, points[0][1])
    infused = bool((steady.schedule.rate != 0).any())
    before = None
    for pieces in PIECES:
        cycle = None if model.linear else Cycle(model.rates, model.states, pieces, method, infused)
        solve = jax.jit(partial(steady_levels, model, steady, cycle=cycle, smooth=""))
        found = [solve(doses, own) for doses, own in points]
        levels = np.stack([np.asarray(each[0]) for each in found])
        if model.linear or (before is not None and _same(levels, before, tolerance)):
            _check(model, steady, levels[0], np.asarray(found[0][1]))
            return cycle
        before = levels
    raise ModelError(f"No mesh finds the steady states (SS) of {model.name} to {tolerance:g}.")


def _same(levels: np.ndarray, before: np.ndarray, tolerance: float) -> bool:
    size = np.abs(levels) + 1e-6 * np.abs(levels).max(axis=1, keepdims=True)
    return bool((np.abs(levels - before) <= tolerance * size)[np.isfinite(levels)].all())


def _refuse(model: Model, steady: Steady, own: Own) -> None:
    """What has no steady state whatever the numbers are, or none that can be written out."""
    mine = steady.schedule.record == steady.at[:, None]
    if (mine & np.isin(steady.schedule.rate, (RATE_MODELLED, DURATION_MODELLED))).any():
        raise ModelError(
            "A steady state (SS) whose rate or duration is a parameter (RATE -1, -2) is not "
            "fitted: how many infusions overlap would change. Give RATE, or write the doses out."
        )
    typical = {name: value[0] for name, value in steady.parameters(own).items()}
    if Equations(model.rates, model.states).timed(typical):
        raise ModelError(f"The rates of {model.name} look at time: it has no steady state (SS).")


def _check(model: Model, steady: Steady, levels: np.ndarray, missed: np.ndarray) -> None:
    """Whether all were found at the prior medians."""
    lost = ~(missed < MISSED) | ~np.isfinite(levels).all(axis=0)
    if lost.any():
        m = int(np.argmax(lost))
        raise ModelError(
            f"{model.name} has no steady state at the prior medians for {int(lost.sum())} records "
            f"with SS, the first is record {steady.at[m] + 1} of subject {steady.who[m] + 1}. The "
            "body must be able to remove what is given."
        )
