"""The fit of what stays: a problem without a part of its data, and its draws for the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pkpd.arm_level.collect import fitted_rows
from pkpd.data.arms import ArmData
from pkpd.fit_folder import Problem
from pkpd.posterior import Posterior
from pkpd.settings import Settings
from pkpd.validation.left_out import LeftOut
from pkpd.variation.space import Space, Variable
from pkpd.variation.standard import prior_draws


def without(problem: Problem, part: LeftOut) -> Problem:
    """The problem without a part: its rows, its arms, and drugs and dropout phases of these only.

    The data's hash becomes one of the whole data and of what was left out.
    """
    data = data_without(problem.data, part)
    settings = _settings(problem.settings, data)
    pk = {drug: problem.pk[drug] for drug in settings.drugs}
    return replace(problem, settings=settings, data=data, pk=pk)


def can_fit(problem: Problem, part: LeftOut) -> bool:
    """Whether rows are left to fit, and an arm that was given a drug."""
    data = data_without(problem.data, part)
    settings = _settings(problem.settings, data)
    return bool(settings.drugs) and not fitted_rows(data, settings.endpoints).empty


def data_without(data: ArmData, part: LeftOut) -> ArmData:
    """The data without the rows and arms of a part."""
    arms = tuple(arm for arm in data.arms if (arm.study, arm.name) not in part.arms)
    told = f"{data.sha256} without rows {sorted(part.rows)}, arms {sorted(part.arms)}"
    return replace(
        data,
        arms=arms,
        rows=data.rows[~data.rows["row"].isin(part.rows)],
        sha256=hashlib.sha256(told.encode()).hexdigest(),
    )


def _settings(settings: Settings, data: ArmData) -> Settings:
    given, studies = {arm.drug for arm in data.arms}, {arm.study for arm in data.arms}
    drugs = {drug: model for drug, model in settings.drugs.items() if drug in given}
    dropout = tuple(rule for rule in settings.dropout if rule.study in studies)
    return settings.model_copy(update={"drugs": drugs, "dropout": dropout})


def grown(
    whole: Space, had: Mapping[str, tuple[str, ...]], draws: Mapping[str, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """Draws of the fit of what stays, in the space of the whole; shapes (draws,) or (draws, size).

    `had` are the coordinates of that fit by dim. Drugs, trials and dropout phases that it did not
    have are independent of its draws, so that their effects are drawn from the prior, which is
    exact.
    """
    count = len(next(iter(draws.values())))
    fresh = prior_draws(whole, count, seed)
    return {v.name: _joined(v, whole, had, draws, fresh[v.name].copy()) for v in whole.variables}


def _joined(
    variable: Variable,
    whole: Space,
    had: Mapping[str, tuple[str, ...]],
    draws: Mapping[str, np.ndarray],
    fresh: np.ndarray,
) -> np.ndarray:
    if variable.name not in draws:
        return fresh
    found = np.asarray(draws[variable.name])
    if variable.dim is None:
        return found
    known = had[variable.dim]
    for k, name in enumerate(whole.coords[variable.dim]):
        if name in known:
            fresh[:, k] = found[:, known.index(name)]
    return fresh


def coordinates(posterior: Posterior) -> dict[str, tuple[str, ...]]:
    """The drugs, trials and dropout phases of a fit, by dim."""
    dataset = posterior.tree["posterior"].dataset
    dims = [str(dim) for dim in dataset.dims if dim not in ("chain", "draw")]
    return {dim: tuple(str(name) for name in dataset[dim].values) for dim in dims}
