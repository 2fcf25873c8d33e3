"""Regimens followed from where they part: their common induction is solved once, then each.

Only what a share needs is computed after the fork: states at every step, EASI at the visits, and
the probability of still being in the trial where the estimand asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level import trajectories
from pkpd.arm_level.trajectories import Lanes
from pkpd.decision.shares import Followed
from pkpd.model import Model
from pkpd.prediction.leaving import Leavers
from pkpd.prediction.plan import Plan
from pkpd.prediction.simulated import day_index


@dataclass(frozen=True)
class Fork:
    """Lanes of the first run until selection and of every run from then on; `at` are visits.

    `at` are places on the later lanes' mesh, the first of them selection. `leavers` are the later
    lanes of those who leave.
    """

    early: Lanes
    late: Lanes
    at: np.ndarray
    leavers: Leavers | None = None

    @property
    def levels(self) -> tuple[Array, ...]:
        """Log concentrations of all, to hand to a program rather than to bake into it."""
        lanes = (self.early, self.late, *([self.leavers.lanes] if self.leavers else []))
        return tuple(jnp.asarray(each.log_concentration) for each in lanes)

    def holding(self, levels: tuple[Array, ...]) -> Fork:
        """The same fork with log concentrations given from outside."""
        early, late = (
            replace(lanes, log_concentration=level)
            for lanes, level in zip((self.early, self.late), levels[:2], strict=True)
        )
        gone = self.leavers
        if gone is not None:
            gone = replace(gone, lanes=replace(gone.lanes, log_concentration=levels[2]))
        return Fork(early, late, self.at, gone)


def fork(plan: Plan, *, leaving: bool = False) -> Fork:
    """A plan's lanes cut at its selection week; until then its regimens are one.

    With `leaving`, those of its leavers too, who leave after it.
    """
    at = day_index(plan.lanes, plan.weeks)
    cut = int(at[0])
    late, gone = (slice(cut, None), slice(None)), plan.leavers if leaving else None
    return Fork(
        _some(plan.lanes, slice(0, cut + 1), slice(0, 1)),
        _some(plan.lanes, *late),
        at - cut,
        None if gone is None else replace(gone, lanes=_some(gone.lanes, *late)),
    )


def _some(lanes: Lanes, days: slice, runs: slice) -> Lanes:
    """Some days of some runs."""
    mesh = lanes.mesh[days]
    first = days.start
    nodes = slice(2 * first, 2 * (first + mesh.size) - 1)
    return replace(
        lanes,
        mesh=mesh,
        log_concentration=lanes.log_concentration[:, nodes, runs],
        scores={name: value[runs] for name, value in lanes.scores.items()},
        easi=lanes.easi[runs],
        drug=lanes.drug[runs],
        trial=lanes.trial[runs],
        phase=lanes.phase[first : first + mesh.size - 1, runs],
    )


def followed(model: Model, values: Mapping[str, Array], fork: Fork, *, staying: bool) -> Followed:
    """One draw's patients at the visits; without `staying`, none leave after selection."""
    p = trajectories.individuals(model, values, fork.early)
    path = _states(model, values, p, fork.early, None)
    ratio = _once(trajectories.ratios(model, p, path, fork.early.mesh, fork.early.easi))
    begun = trajectories.staying(values, fork.early, ratio)[-1]
    start = {name: value[-1] for name, value in path.items()}
    p = trajectories.individuals(model, values, fork.late)
    easi = jnp.asarray(fork.late.easi)
    if staying:
        path = _states(model, values, p, fork.late, start)
        ratio = _once(trajectories.ratios(model, p, path, fork.late.mesh, easi))
        stay = begun * trajectories.staying(values, fork.late, ratio)
        left = _left(model, values, p, fork, start, stay)
        return Followed(ratio[fork.at], stay[fork.at], easi[0], left)
    ratio = _seen(model, values, p, fork.late, fork.at, start)
    return Followed(ratio, jnp.broadcast_to(begun, ratio.shape), easi[0])


def _left(
    model: Model,
    values: Mapping[str, Array],
    p: Mapping[str, Array],
    fork: Fork,
    start: Mapping[str, Array],
    stay: Float[Array, "days runs patients"],
) -> tuple[Array, Array] | None:
    """EASI over baseline at the visits of those who left in their week, and how likely that was."""
    gone = fork.leavers
    if gone is None:
        return None
    ratio = _seen(model, values, p, gone.lanes, fork.at, start)
    return ratio, _once(gone.weight(stay, fork.late.mesh, fork.at))


def _seen(
    model: Model,
    values: Mapping[str, Array],
    p: Mapping[str, Array],
    lanes: Lanes,
    at: np.ndarray,
    start: Mapping[str, Array],
) -> Float[Array, "visits runs patients"]:
    """EASI over baseline at the visits alone."""
    seen = _states(model, values, p, lanes, start, at)
    return _once(trajectories.ratios(model, p, seen, lanes.mesh[at], jnp.asarray(lanes.easi)))


def _states(
    model: Model,
    values: Mapping[str, Array],
    p: Mapping[str, Array],
    lanes: Lanes,
    start: Mapping[str, Array] | None,
    at: np.ndarray | None = None,
) -> dict[str, Float[Array, "days runs patients"]]:
    level = _once(trajectories.concentration(values, lanes))
    return trajectories.states(model, p, lanes, level, start, at)


def _once(x: Array) -> Array:
    """Computed once: else the compiler repeats it inside every reader's loop."""
    return jax.lax.optimization_barrier(x)
