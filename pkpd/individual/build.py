"""An individual-level likelihood put together from settings, a model and a table of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from pkpd.errors import ModelError
from pkpd.individual.design import Design, design
from pkpd.individual.free import OCCASION, SUBJECT, free_space, groups
from pkpd.individual.makeup import makeup
from pkpd.individual.planning import plan
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.solve import Solver, dosing
from pkpd.model import Model
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
    made = makeup(model, settings, where)
    fixed = design(model, settings, table, where)
    coords = {SUBJECT: fixed.subjects, OCCASION: fixed.occasions}
    space = free_space(made, settings.blocks, settings.observations, coords)
    tied = groups(settings.blocks)
    return IndividualLikelihood(settings, model, made, tied, space, Solver(model, fixed))


def solved(bare: IndividualLikelihood) -> IndividualLikelihood:
    """The same, its timelines fixed where they can be, its mesh planned where one is needed."""
    points = [bare.own(values) for values in typical_points(bare)]
    solver = bare.solver
    if _same_doses(bare.model, solver.design, points):
        solver = replace(solver, line=jax.jit(solver.timelines)(points[0]))
    if not bare.model.linear:
        solver = plan(solver, points, bare.settings.engine)
    return replace(bare, solver=solver)


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


def _same_doses(model: Model, fixed: Design, points: list[Mapping[str, Array]]) -> bool:
    """Whether lag, share, rate and duration of every dose are the same at all points."""
    first, *others = (jax.tree.leaves(dosing(model, fixed, own)) for own in points)
    return all(
        np.array_equal(a, b, equal_nan=True)
        for other in others
        for a, b in zip(first, other, strict=True)
    )
