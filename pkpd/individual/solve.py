"""All subjects' outputs at their records, from their own parameters: one compiled, pure function.

Linear models go by the closed form, exact at any step; others by a fixed number of parts of each
step, planned beforehand (`planning`) and proved afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.individual.design import Design
from pkpd.individual.steady import steady_levels, steady_records
from pkpd.mechanism.dosing import dosing_value
from pkpd.mechanism.lanes import (
    AHEAD,
    SINGLE,
    Fed,
    Lanes,
    Parts,
    lanes,
    linear_path,
    rate_matrices,
    stepped_path,
)
from pkpd.mechanism.schedule import Schedule
from pkpd.mechanism.spectral import Smooth, apart
from pkpd.mechanism.steady_lanes import Cycle
from pkpd.mechanism.timeline import Dosing, Timeline, timeline
from pkpd.model import DOSING, Model

Own = Mapping[str, Float[Array, "K N"]]
_FIELDS = {"f": "share", "lag": "lag", "rate": "rate", "dur": "duration"}


@dataclass(frozen=True)
class Solver:
    """A model over a design; `cut` says into how many parts each step goes, None: closed form.

    `line` holds the timelines where doses are the same whatever the free numbers are; `cycle` says
    how steady states are solved, None: closed form. `smooth` costs time and gives the closed form
    derivatives beyond the first; `meets` says that eigenvalues meet at typical values. `single`
    solves in float32 where steps are explicit; `ahead` says that no derivatives are asked for.
    """

    model: Model
    design: Design
    line: Timeline | None = None
    cut: Parts | None = None
    method: str = "rk4"
    smooth: Smooth = ""
    meets: bool = False
    cycle: Cycle | None = None
    single: bool = False
    ahead: bool = False

    def outputs(self, own: Own) -> dict[str, Float[Array, "R N"]]:
        """Outputs of the model at every record."""
        states, line = self.states(own)
        clock = jnp.asarray(self.design.schedule.time) - jnp.asarray(self.design.schedule.origin)
        named = {name: states[:, k] for k, name in enumerate(self.model.states)}
        found = self.model.outputs({**named, "t": clock.T}, own)
        shape = (clock.shape[1], clock.shape[0])
        return {name: jnp.broadcast_to(value, shape) for name, value in found.items()}

    def states(self, own: Own) -> tuple[Float[Array, "R S N"], Timeline]:
        """States at every record, after whatever happens there."""
        path, line = self.path(own)
        return jnp.take_along_axis(path, line.read.T[:, None, :], axis=0), line

    def path(self, own: Own) -> tuple[Float[Array, "T S N"], Timeline]:
        """States after every step, its jump made."""
        line = self.timelines(own) if self.line is None else _unfolded(self.line)
        first, line = self.started(own, line)
        wide = lanes(line)
        if self.cut is None:
            matrices = rate_matrices(self.model.rates, self.model.states, own)
            path = linear_path(matrices, first, wide, infused=self.infused, smooth=self.smooth)
        else:
            once = {name: getattr(wide, name)[..., :1] for name in self.shared}
            path = self._stepped(own, first, replace(wide, **once), self.cut)
        return path, line

    def _stepped(self, own: Own, first: Array, wide: Lanes, cut: Parts) -> Float[Array, "T S N"]:
        single = AHEAD if self.ahead else SINGLE
        method = single if self.single and self.method == "rk4" else self.method
        return stepped_path(
            self.model.rates, self.model.states, first, wide, own, cut, method, self.fed
        )

    @property
    def shared(self) -> tuple[str, ...]:
        """What of the lanes is the same for all subjects, so that Runge-Kutta reads it once."""
        if self.line is None or self.method != "rk4":
            return ()
        line, schedule = self.line, self.design.schedule
        same = {
            name: bool((np.asarray(value) == np.asarray(value)[:1]).all())
            for name, value in vars(line).items()
            if value is not None
        }
        timed = ("start", "end") if same["start"] and same["end"] and same["origin"] else ()
        added = bool(schedule.fresh.any()) or bool((schedule.steady >= 0).any())
        names = ("flow", "keep") if added else ("flow", "keep", "given")
        return (*timed, *(name for name in names if same[name]))

    @property
    def infused(self) -> bool:
        """Whether any dose takes time."""
        return bool((self.design.schedule.infused >= 0).any())

    @property
    def fed(self) -> Fed:
        """Which states doses, infusions and resets reach; a steady state reaches all."""
        schedule, states, chain = self.design.schedule, self.model.states, self.design.chain
        if (schedule.steady >= 0).any():
            return Fed(states, states, chain=chain)
        bolus = (schedule.amount > 0) & (schedule.rate == 0)
        flows = (schedule.amount > 0) & (schedule.rate != 0)
        fresh = bool(schedule.fresh.any()) and self.model.initial is not None
        named = [{states[k] for k in np.unique(schedule.state[which])} for which in (bolus, flows)]
        return Fed(
            states if fresh else tuple(sorted(named[0])),
            tuple(sorted(named[1])),
            bool((schedule.keep != 1).any()),
            chain,
        )

    def timelines(self, own: Own) -> Timeline:
        """Every subject's timeline, stacked over subjects."""
        doses = dosing(self.model, self.design, own)
        return _timelines(self.design.schedule, doses, len(self.model.states))

    def among(self, chosen: Int[np.ndarray, " n"]) -> Solver:
        """The same for some of its subjects, by their places; nothing observed in them.

        Of records without steady states or chains, whose ways are of all subjects.
        """
        design = self.design
        fixed = replace(
            design,
            subjects=tuple(design.subjects[k] for k in chosen),
            schedule=jax.tree.map(lambda part: part[chosen], design.schedule),
            state=design.state[:, chosen],
            streams=(),
        )
        line = None if self.line is None else jax.tree.map(lambda part: part[chosen], self.line)
        return replace(self, design=fixed, line=line)

    def started(self, own: Own, line: Timeline) -> tuple[Float[Array, "S N"], Timeline]:
        """States before the first record; the timelines with what resets, SS and chains bring."""
        line = self._seen(self._settled(own, line))
        if self.model.initial is None:
            return jnp.zeros((len(self.model.states), self.design.count)), line
        start = self.model.initial(own)
        rows = len(self.design.state)
        wide = jnp.stack(
            [
                jnp.broadcast_to(jnp.asarray(start[s], float), (rows, self.design.count))
                for s in self.model.states
            ]
        )
        fresh = self.design.schedule.fresh
        if not fresh.any():
            return wide[:, 0], line
        again = jnp.moveaxis(wide, (2, 1, 0), (0, 1, 2)) * fresh[..., None]
        given = jax.vmap(lambda g, at, more: g.at[at].add(more))(line.given, line.read, again)
        return wide[:, 0], replace(line, given=given)

    def _seen(self, line: Timeline) -> Timeline:
        """The timelines with the categories that a chain was seen in."""
        if self.design.renew is None:
            return line
        nothing = jnp.full(line.start.shape, -1)
        put = jax.vmap(lambda none, at, seen: none.at[at].max(seen))
        return replace(line, renew=put(nothing, line.read, jnp.asarray(self.design.renew.T)))

    def _settled(self, own: Own, line: Timeline) -> Timeline:
        """The timelines with what steady states bring to their records."""
        steady = steady_records(self.design)
        if steady is None:
            return line
        doses = dosing(self.model, self.design, own)
        found, _ = steady_levels(
            self.model, steady, doses, own, cycle=self.cycle, smooth=self.smooth
        )
        at = line.read[steady.who, steady.at]
        return replace(line, given=line.given.at[steady.who, at].add(found.T))


@partial(jax.jit, static_argnames="states")
def _timelines(schedule: Schedule, doses: Dosing, states: int) -> Timeline:
    """Schedules come as arguments: the compiler would fold constants for seconds."""
    return jax.vmap(partial(timeline, states=states))(schedule, doses)


def meets(solver: Solver, own: Own) -> bool:
    """Whether eigenvalues of a linear model meet at these parameters, in any subject."""
    matrices = rate_matrices(solver.model.rates, solver.model.states, own)
    return not apart(np.asarray(matrices))


def dosing(model: Model, design: Design, own: Own) -> Dosing:
    """What becomes of each record's dose, by its compartment; arrays (N, R)."""
    shape = design.state.shape
    found = {}
    for role in DOSING:
        by_state = [
            dosing_value(own, dosing=model.dosing, role=role, state=s) for s in model.states
        ]
        value = jnp.full(shape, DOSING[role])
        for place, each in enumerate(by_state):
            value = jnp.where(design.state == place, jnp.broadcast_to(each, shape), value)
        found[_FIELDS[role]] = value.T
    return Dosing(**found)


def finer(solver: Solver, times: int) -> Solver:
    """The same in double precision, every part cut into `times` equal ones: a reference."""
    if solver.cut is None:
        return solver
    cut = solver.cut
    inner = np.arange(times) / times
    size = (cut.finish - cut.begin)[:, None]
    begin = (cut.begin[:, None] + size * inner).ravel()
    finish = (cut.begin[:, None] + size * (inner + 1 / times)).ravel()
    cycle = solver.cycle and replace(solver.cycle, pieces=solver.cycle.pieces * times)
    return replace(solver, cut=Parts(np.repeat(cut.step, times), begin, finish), cycle=cycle,
                   single=False)  # fmt: skip


def _unfolded(line: Timeline) -> Timeline:
    """Held out of reach of the compiler, which would fold constants for minutes."""
    return jax.lax.optimization_barrier(line)
