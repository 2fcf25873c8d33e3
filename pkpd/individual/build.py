"""An individual-level likelihood put together from settings, a model and a table of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from pkpd.data.dosing_faults import dosing_faults
from pkpd.early_records import early, early_faults, looks_at_time
from pkpd.errors import DataError, ModelError
from pkpd.individual.design import Design, design
from pkpd.individual.free import OCCASION, SUBJECT, free_space, groups
from pkpd.individual.makeup import makeup
from pkpd.individual.planning import plan
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.solve import Solver, dosing, meets
from pkpd.individual.steady import steady_cycle, steady_records
from pkpd.model import Model
from pkpd.records import by_subject
from pkpd.settings_individual import IndividualSettings
from pkpd.variation.standard import prior_draws

POINTS = 3
"""Prior draws of the random effects at which a mesh must hold, beside the medians."""


def individual_likelihood(
    settings: IndividualSettings, model: Model, table: pd.DataFrame, where: str = "fit.toml"
) -> IndividualLikelihood:
    """The likelihood of a table of events (see `data.events`) under a model, ready to be asked.

    Raises `DataError` with every parameter, covariate, output or observation the settings ask for
    in vain, `ModelError` where the model cannot be solved so.
    """
    return solved(unsolved(settings, model, table, where))


def unsolved(
    settings: IndividualSettings, model: Model, table: pd.DataFrame, where: str
) -> IndividualLikelihood:
    """The same before its mesh is planned: checked, and with its free numbers named."""
    if model.inputs:
        raise ModelError(f"{model.name} needs {', '.join(model.inputs)}: compose it, PK+PD.")
    made, fixed = _both(
        lambda: makeup(model, settings, where), lambda: design(model, settings, table, where)
    )
    coords = {SUBJECT: fixed.subjects, OCCASION: fixed.occasions}
    space = free_space(made, settings.blocks, settings.observations, coords)
    tied = groups(settings.blocks)
    found = IndividualLikelihood(settings, model, made, tied, space, Solver(model, fixed))
    _check_clock(found)
    return found


def _check_clock(bare: IndividualLikelihood) -> None:
    """`DataError` with every subject observed before its first dose, where that has no course."""
    fixed, groups = bare.solver.design, by_subject(bare.solver.design.table)
    before, observed = np.zeros((2, len(fixed.table)), bool)
    for own, rows in zip(early(fixed.schedule), groups.values(), strict=True):
        before[rows] = own[: len(rows)]
    for stream in fixed.streams:
        observed[stream.row] = True
    told = fixed.table[before & observed]
    if told.empty:
        return
    medians = bare.space.unpack(bare.space.medians())
    p = {name: jnp.ravel(jnp.asarray(value))[0] for name, value in bare.own(medians).items()}
    if looks_at_time(bare.model, p):
        raise DataError(early_faults(bare.settings.data, bare.model, told))


def _both[First, Second](first: Callable[[], First], second: Callable[[], Second]) -> tuple:
    """What two readings give; the faults of both together where either has any."""
    faults, found = [], []
    for read in (first, second):
        try:
            found.append(read())
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults)
    return tuple(found)


def solved(
    bare: IndividualLikelihood,
    more: Sequence[Mapping[str, Array]] = (),
    ends: Sequence[Mapping[str, Array]] = (),
) -> IndividualLikelihood:
    """The same, its timelines fixed where they can be, its mesh planned where one is needed.

    The mesh must hold at the medians, with random effects drawn, at `more` values of the space,
    and more loosely at the `ends`.
    """
    points = [bare.own(values) for values in (*typical_points(bare), *more)]
    solver = timed(bare, points)
    if not in_closed_form(bare):
        far = [bare.own(values) for values in ends]
        solver = plan(solver, points, bare.settings.engine, far)
    return replace(bare, solver=solver)


def in_closed_form(bare: IndividualLikelihood) -> bool:
    """Whether courses need no mesh."""
    return bare.model.linear and bare.solver.design.renew is None


def timed(bare: IndividualLikelihood, points: Sequence[Mapping[str, Array]]) -> Solver:
    """The solver with all but its mesh: timelines where they are fixed, a way to steady states.

    `points` are subjects' own parameters, the first typical; `DataError` where a dose cannot be.
    """
    solver = bare.solver
    _check_doses(bare, points[0])
    if _same_doses(bare.model, solver.design, _drawn_points(bare)):
        solver = replace(solver, line=solver.timelines(points[0]))
    solver = _with_cycle(bare, solver, points)
    if in_closed_form(bare):
        solver = replace(solver, meets=any(meets(solver, own) for own in points))
    return solver


def _check_doses(bare: IndividualLikelihood, own: Mapping[str, Array]) -> None:
    """`DataError` where lag, rate or duration of a dose cannot be, at the prior medians."""
    table = bare.solver.design.table
    doses = dosing(bare.model, bare.solver.design, own)
    by_row = {field.name: np.empty(len(table)) for field in fields(doses)}
    for n, rows in enumerate(by_subject(table).values()):
        for name, value in by_row.items():
            value[rows] = np.asarray(getattr(doses, name))[n, : len(rows)]
    faults = dosing_faults(bare.settings.data, table, by_row)
    if faults:
        raise DataError(faults)


def _with_cycle(
    bare: IndividualLikelihood, solver: Solver, points: Sequence[Mapping[str, Array]]
) -> Solver:
    """The solver with its way to steady states, where records have any."""
    steady, engine = steady_records(solver.design), bare.settings.engine
    if steady is None:
        return solver
    method = engine.method
    if method == "auto":
        method = "rosenbrock" if bare.model.stiff else "rk4"
    known = [(dosing(bare.model, solver.design, own), own) for own in points]
    cycle = steady_cycle(bare.model, steady, known, tolerance=engine.tolerance, method=method)
    return replace(solver, cycle=cycle)


def typical_points(bare: IndividualLikelihood) -> list[dict[str, Array]]:
    """The prior medians, and the same with random effects drawn."""
    space = bare.space
    medians = {n: np.asarray(v) for n, v in space.unpack(space.medians()).items()}
    draws = prior_draws(space, POINTS, seed=0)
    drawn = [
        {n: jnp.asarray(draws[n][k] if n.endswith("_eta") else medians[n]) for n in space.names}
        for k in range(POINTS)
    ]
    return [{n: jnp.asarray(v) for n, v in medians.items()}, *drawn]


def _drawn_points(bare: IndividualLikelihood) -> list[Mapping[str, Array]]:
    """Prior draws of all free numbers: a lag may be free and yet the same for all subjects."""
    draws = prior_draws(bare.space, POINTS, seed=0)
    return [bare.own({n: jnp.asarray(v[k]) for n, v in draws.items()}) for k in range(POINTS)]


def _same_doses(model: Model, fixed: Design, points: list[Mapping[str, Array]]) -> bool:
    """Whether lag, share, rate and duration of every dose are the same at all points."""
    first, *others = (jax.tree.leaves(dosing(model, fixed, own)) for own in points)
    return all(
        np.array_equal(a, b, equal_nan=True)
        for other in others
        for a, b in zip(first, other, strict=True)
    )
