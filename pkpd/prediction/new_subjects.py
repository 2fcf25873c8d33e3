"""New subjects under regimens of one's own, from an individual-level posterior.

Subjects are those of `new_courses`: effects drawn from the fitted population. Layers are kept
apart: "uncertainty" is the interval over draws of the population's median; "variability" the
interval over subjects, each end averaged over draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from pkpd.model import Model
from pkpd.prediction.cohort_mesh import on_new_mesh
from pkpd.prediction.new_courses import courses, new_cohort, with_effects
from pkpd.settings_individual import IndividualSettings, Observation, Predicted

COLUMNS = ("drug", "regimen", "week", "endpoint", "estimand", "statistic", "mean", "lower", "upper",
           "level", "kind", "layer")  # fmt: skip


def new_subjects(
    settings: IndividualSettings,
    model: Model,
    table: pd.DataFrame,
    draws: Mapping[str, np.ndarray],
    progress: Callable[[float], None],
) -> pd.DataFrame:
    """Rows of predictions.csv; `week` holds time in the model's unit, as the card says."""
    asked, rows = settings.predictions, []
    for number, regimen in enumerate(asked.regimens):
        cohort = new_cohort(settings, model, table, regimen)
        made = on_new_mesh(cohort, with_effects(cohort, draws, asked.seed)).likelihood
        found = list(courses(made, draws, asked.seed))
        for place, observation in enumerate(settings.observations):
            values = np.stack([draw[place] for draw in found])
            rows += _rows(observation, regimen, values, model, settings)
        progress((number + 1) / len(asked.regimens))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def label(regimen: Predicted, model: Model) -> str:
    """The regimen in words."""
    unit, time = model.units.get(model.states[0], ""), model.units["time"]
    amount = f"{regimen.amount:g} {unit}".strip()
    if regimen.count == 1:
        return f"{amount} once"
    return f"{amount} every {regimen.every:g} {time} x{regimen.count}"


def _rows(
    observation: Observation, regimen: Predicted, values: np.ndarray, model: Model,
    settings: IndividualSettings,
) -> list[dict]:  # fmt: skip
    level = settings.predictions.level
    tails = [(1 - level) / 2, (1 + level) / 2]
    middle = np.median(values, axis=1)
    between = np.quantile(values, tails, axis=1).mean(axis=1)
    over = np.quantile(middle, tails, axis=0)
    rows = []
    for k, time in enumerate(sorted(regimen.times)):
        first = {
            "drug": model.drug or model.name, "regimen": label(regimen, model), "week": time,
            "endpoint": observation.label, "estimand": "hypothetical", "statistic": "median",
            "mean": float(middle[:, k].mean()), "level": level, "kind": "eti",
        }  # fmt: skip
        for layer, ends in (("uncertainty", over), ("variability", between)):
            rows.append({**first, "lower": ends[0, k], "upper": ends[1, k], "layer": layer})
    return rows
