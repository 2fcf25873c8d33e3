"""Regimens followed from where they part: their common induction is solved once, then each.

Only what a share needs is computed after the fork: states at every step, EASI at the visits, and
the probability of still being in the trial where the estimand asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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

Moving = tuple[dict[str, Any], ...]
MOVING = ("log_concentration", "scores", "easi", "drug", "trial", "phase")
"""What differs between lanes that one program serves; their meshes do not."""


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
    def moving(self) -> Moving:
        """What to hand to a program rather than to bake into it."""
        gone = self.leavers
        more = [] if gone is None else [{**_moving(gone.lanes), "week": jnp.asarray(gone.week)}]
        return (_moving(self.early), _moving(self.late), *more)

    def holding(self, moving: Moving) -> Fork:
        """The same fork with its `moving` given from outside."""
        early, late, *more = moving
        gone = self.leavers
        if gone is not None:
            (own,) = more
            own = {**own}
            gone = replace(gone, week=own.pop("week"), lanes=replace(gone.lanes, **own))
        return Fork(replace(self.early, **early), replace(self.late, **late), self.at, gone)

    @property
    def frame(self) -> Frame:
        """What a program for this fork rests on besides `moving`."""
        gone = self.leavers
        meshes = (self.early.mesh, self.late.mesh, *([gone.lanes.mesh] if gone else []), self.at)
        start = gone.start if gone else None
        bare = self.holding(jax.tree.map(lambda _: jnp.zeros(()), self.moving))
        return Frame((*(each.tobytes() for each in meshes), start, self.late.drugs), bare)


@dataclass(frozen=True)
class Frame:
    """Equal where one program serves: the same meshes, visits and drugs.

    `fork` is one of those, without its `moving`.
    """

    key: tuple
    fork: Fork = field(compare=False)


def _moving(lanes: Lanes) -> dict[str, Any]:
    return jax.tree.map(jnp.asarray, {name: getattr(lanes, name) for name in MOVING})


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
    p, start, stay = jax.tree.map(lambda x: x[..., : gone.week.size], (dict(p), dict(start), stay))
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
