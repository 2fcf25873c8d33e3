"""Courses of new subjects under a regimen of one's own, draw by draw.

Covariates are resampled from the data's subjects; standardised effects are drawn once, so that the
same subjects are followed under every draw and every regimen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from pkpd.individual.build import unsolved
from pkpd.individual.outcomes import expected
from pkpd.individual.problem import IndividualLikelihood, unseen
from pkpd.model import Model
from pkpd.prediction.replicates import effects_of
from pkpd.settings_individual import IndividualSettings, Predicted

DOSE_COLUMNS = ("AMT", "RATE", "ADDL", "II", "SS")


Draws = Mapping[str, np.ndarray]


def new_cohort(
    settings: IndividualSettings, model: Model, table: pd.DataFrame, regimen: Predicted
) -> IndividualLikelihood:
    """The subjects that `settings.predictions` asks for, under a regimen; no mesh is planned yet.

    `cohort_mesh` plans it.
    """
    bare = unseen(unsolved(settings, model, _events(settings, regimen, table), "fit.toml"))
    return replace(bare, solver=replace(bare.solver, ahead=True))


def with_effects(cohort: IndividualLikelihood, draws: Draws, seed: int) -> dict[str, np.ndarray]:
    """The population's draws, and beside them the subjects' effects, the same in each draw."""
    own = {n: np.asarray(v) for n, v in draws.items() if n not in effects_of(cohort)}
    count = len(next(iter(own.values())))
    fresh = [v for v in cohort.space.variables if v.dim is not None]
    keys = jax.random.split(jax.random.key(seed), max(1, len(fresh)))
    drawn = {v.name: np.asarray(jax.random.normal(k, (v.size,)))
             for v, k in zip(fresh, keys, strict=False)}  # fmt: skip
    return own | {n: np.broadcast_to(z, (count, z.size)) for n, z in drawn.items()}


def courses(
    made: IndividualLikelihood, draws: Draws, seed: int
) -> Iterator[list[Float[np.ndarray, "N T"]]]:
    """For each draw the expected values by observation, shape (subjects, times)."""
    values, count = with_effects(made, draws, seed), made.solver.design.count

    @jax.jit
    def one(values: dict[str, Array]) -> list[Array]:
        pairs = zip(made.solver.design.streams, made.fitted(values), strict=True)
        return [expected(stream, found, values).reshape(count, -1) for stream, found in pairs]

    for k in range(len(next(iter(values.values())))):
        yield [np.asarray(each) for each in one({n: v[k] for n, v in values.items()})]


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
