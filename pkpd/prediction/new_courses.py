"""Courses of new subjects under a regimen of one's own, draw by draw.

Covariates are resampled from the data's subjects; standardised effects are drawn once, so that the
same subjects are followed under every draw and every regimen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from pkpd.individual.build import solved, unsolved
from pkpd.individual.outcomes import expected
from pkpd.individual.problem import IndividualLikelihood, unseen
from pkpd.model import Model
from pkpd.prediction.replicates import effects_of
from pkpd.settings_individual import IndividualSettings, Predicted

DOSE_COLUMNS = ("AMT", "RATE", "ADDL", "II", "SS")


def new_cohort(
    settings: IndividualSettings, model: Model, table: pd.DataFrame, regimen: Predicted
) -> IndividualLikelihood:
    """The subjects that `settings.predictions` asks for, under a regimen, ready to be followed."""
    events = _events(settings, regimen, table)
    return solved(unseen(unsolved(settings, model, events, "fit.toml")))


def courses(
    made: IndividualLikelihood, draws: Mapping[str, np.ndarray], seed: int
) -> Iterator[list[Float[np.ndarray, "N T"]]]:
    """For each draw the expected values by observation, shape (subjects, times)."""
    own = {n: v for n, v in draws.items() if n not in effects_of(made)}
    fresh = {v.name: v.size for v in made.space.variables if v.dim is not None}
    streams = made.solver.design.streams

    @jax.jit
    def one(values: dict[str, Array], key: Array) -> list[Array]:
        keys = dict(zip(fresh, jax.random.split(key, max(1, len(fresh))), strict=False))
        values = values | {n: jax.random.normal(keys[n], (size,)) for n, size in fresh.items()}
        pairs = zip(streams, made.fitted(values), strict=True)
        return [expected(stream, found, values) for stream, found in pairs]

    key = jax.random.key(seed)
    for k in range(len(next(iter(own.values())))):
        found = one({n: jnp.asarray(v[k]) for n, v in own.items()}, key)
        yield [np.asarray(each).reshape(made.solver.design.count, -1) for each in found]


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
