"""New subjects under regimens of one's own, from an individual-level posterior.

Covariates are resampled from the data's subjects, effects drawn from the fitted population. Layers
are kept apart: "uncertainty" is the interval over draws of the population's median; "variability"
the interval over subjects, each end averaged over draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from pkpd.individual.build import solved, unsolved
from pkpd.individual.outcomes import expected
from pkpd.individual.problem import IndividualLikelihood, unseen
from pkpd.model import Model
from pkpd.prediction.replicates import effects_of
from pkpd.settings_individual import IndividualSettings, Observation, Predicted

COLUMNS = ("drug", "regimen", "week", "endpoint", "estimand", "statistic", "mean", "lower", "upper",
           "level", "kind", "layer")  # fmt: skip
DOSE_COLUMNS = ("AMT", "RATE", "ADDL", "II", "SS")


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
        events = _events(settings, regimen, table)
        made = solved(unseen(unsolved(settings, model, events, "fit.toml")))
        found = _courses(made, draws, asked.seed)
        for observation, values in zip(settings.observations, found, strict=True):
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


def _events(settings: IndividualSettings, regimen: Predicted, table: pd.DataFrame) -> pd.DataFrame:
    """A dose record and observations at every time, for subjects resampled from the table."""
    asked = settings.predictions
    first = table.groupby("ID", sort=False).head(1)
    chosen = np.random.default_rng(asked.seed).integers(0, len(first), asked.patients)
    own = [c for c in table.columns if c not in (*DOSE_COLUMNS, "TIME", "DV", "EVID", "MDV", "ID")]
    dose = {
        "TIME": 0.0, "AMT": regimen.amount, "EVID": 1.0, "MDV": 1.0, "DV": np.nan,
        "RATE": regimen.amount / regimen.lasts if regimen.lasts else 0.0,
        "ADDL": float(regimen.count - 1), "II": regimen.every or 0.0, "SS": 0.0,
        "CMT": regimen.into or "", "DVID": "",
    }  # fmt: skip
    seen = [
        {"TIME": time, "AMT": 0.0, "EVID": 0.0, "MDV": 0.0, "DV": 1.0, "RATE": 0.0, "ADDL": 0.0,
         "II": 0.0, "SS": 0.0, "CMT": "", "DVID": observation.dvid or ""}
        for time in sorted(regimen.times)
        for observation in settings.observations
    ]  # fmt: skip
    records = [dose, *seen]
    base = first.iloc[np.repeat(chosen, len(records))][own].reset_index(drop=True)
    wide = pd.DataFrame(records * asked.patients)
    return base.assign(
        **{str(name): wide[name] for name in wide},
        ID=np.repeat(np.arange(1, asked.patients + 1), len(records)),
        CENS=0, LIMIT=np.nan, row=np.arange(len(base)),
    )  # fmt: skip


def _courses(
    made: IndividualLikelihood, draws: Mapping[str, np.ndarray], seed: int
) -> list[np.ndarray]:
    """Expected values by observation, shape (draws, subjects, times)."""
    own = {n: v for n, v in draws.items() if n not in effects_of(made)}
    fresh = {v.name: v.size for v in made.space.variables if v.dim is not None}
    streams = made.solver.design.streams

    @jax.jit
    def one(values: dict[str, Array], key: Array) -> list[Array]:
        keys = dict(zip(fresh, jax.random.split(key, max(1, len(fresh))), strict=False))
        values = values | {n: jax.random.normal(keys[n], (size,)) for n, size in fresh.items()}
        pairs = zip(streams, made.fitted(values), strict=True)
        return [expected(stream, found, values) for stream, found in pairs]

    count = len(next(iter(own.values())))
    key = jax.random.key(seed)  # one for all draws: the same subjects under each
    rows = [one({n: jnp.asarray(v[k]) for n, v in own.items()}, key) for k in range(count)]
    found = [np.stack([np.asarray(row[s]) for row in rows]) for s in range(len(streams))]
    return [each.reshape(count, made.solver.design.count, -1) for each in found]


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
