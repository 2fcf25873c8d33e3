"""Virtual patients of runs (dosing histories): scores, covariates, exposures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from pkpd.mechanism.exposure import concentrations
from pkpd.model import Model
from pkpd.settings import Patients
from pkpd.variation.patients import scores
from pkpd.variation.subjects import subjects, varying

NODE = 0.3
"""Log clearance shifts at which concentrations are tabulated: -NODE, 0, NODE."""

STEP = 1 / 8
"""Widest step of the exposure solve in days: log error below 3e-4, by far most below 1e-5."""


@dataclass(frozen=True)
class Population:
    """The virtual patients of some runs: their scores, covariates and exposures."""

    scores: Mapping[str, np.ndarray]
    easi: np.ndarray
    covariates: Mapping[str, np.ndarray]

    def some(self, who: Int[np.ndarray, " k"]) -> Population:
        """The patients at places `who` of every run."""
        return Population(
            {name: z[:, who] for name, z in self.scores.items()},
            self.easi[:, who],
            {name: value[:, who] for name, value in self.covariates.items()},
        )


def population(
    settings: Patients,
    easi: list[tuple[float, float | None]],
    cohort: list[int],
    disease: tuple[str, ...],
    pk: tuple[str, ...],
) -> Population:
    """Patients of each run, shape (runs, patients); runs of one cohort share their patients."""
    names = (*disease, "easi", "wt", "alb", *(f"pk {name}" for name in pk))
    rows = [scores(settings.count, names, settings.seed + number) for number in cohort]
    table = {name: np.stack([row[name] for row in rows]) for name in names}
    base = np.stack(
        [_baseline(z, *moments, settings) for z, moments in zip(table["easi"], easi, strict=True)]
    )
    log_sd = np.sqrt(np.log1p(settings.weight_cv**2))
    weight = settings.weight_mean * np.exp(log_sd * table["wt"] - log_sd**2 / 2)
    albumin = settings.albumin_mean + settings.albumin_sd * table["alb"]
    return Population(table, base, {"wt": weight, "alb": albumin, "easi": base})


def _baseline(z: np.ndarray, mean: float, sd: float | None, settings: Patients) -> np.ndarray:
    """EASI at entry: log-normal above the entry criterion, at most 72, with the posted mean."""
    above = mean - settings.easi_entry
    spread = settings.easi_sd if sd is None else sd
    log_sd = np.sqrt(np.log1p((spread / above) ** 2))
    raw = np.exp(log_sd * z)
    return np.minimum(settings.easi_entry + above * raw / raw.mean(), 72.0)


def exposures(
    model: Model,
    people: Population,
    run: int,
    doses: Sequence[tuple[float, float | np.ndarray]],
    days: np.ndarray,
) -> np.ndarray:
    """Natural log of mg/L, shape (3, days, patients): clearance shifted by -NODE, 0, NODE.

    `doses` are days and mg, one number for all patients or one each.
    """
    own = {name: people.scores[f"pk {name}"][run] for name in varying(model)}
    covariates = {name: value[run] for name, value in people.covariates.items()}
    parameters = subjects(model, own, covariates)
    patients = people.easi.shape[1]
    if not doses:
        return np.full((3, days.size, patients), -30.0)
    when, amount = (np.array(column) for column in zip(*doses, strict=True))
    if amount.ndim > 1:
        amount = np.tile(amount, 3)
    wide = {
        name: jnp.tile(jnp.broadcast_to(jnp.asarray(value), (patients,)), 3)
        for name, value in parameters.items()
    }
    wide["cl"] = wide["cl"] * jnp.repeat(jnp.exp(NODE * jnp.arange(-1.0, 2.0)), patients)
    level = concentrations(model, when, amount, wide, days, step=STEP)
    table = np.log(np.maximum(np.asarray(level), 1e-13))
    return table.reshape(days.size, 3, patients).transpose(1, 0, 2)
