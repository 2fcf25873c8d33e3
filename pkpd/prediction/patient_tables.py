"""Tables of one patient's forecast: effects, what is to come, and two regimens side by side.

Layers are kept apart: "uncertainty" is of the patient's own course, without residual noise;
"observation" is of what a visit would show, noise among it. Every mean over weighed draws has its
Monte-Carlo error, draws that share a population taken as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pkpd.individual.own import FROM, TO, random_effects, typical
from pkpd.individual.problem import IndividualLikelihood
from pkpd.prediction.patient_courses import STAYING, Courses
from pkpd.prediction.patient_effects import PatientEffects, arrays, by_draw

FORECAST = ("id", "regimen", "week", "time", "quantity", "statistic", "layer", "mean", "lower",
            "upper", "level", "kind", "mcse", "map", "status")  # fmt: skip
COMPARED = ("id", "reference", "regimen", "week", "response", "statistic", "mean", "lower", "upper",
            "level", "kind", "mcse", "status")  # fmt: skip
EFFECTS = ("id", "parameter", "map", "map_se", "map_value", "typical", "mean", "lower", "upper",
           "level", "kind", "shrinkage", "status")  # fmt: skip
KIND = "eti"


@dataclass(frozen=True)
class Weighed:
    """Weights of S draws that sum to 1, which population each belongs to, a level of intervals."""

    weights: Float[np.ndarray, " S"]
    draw: Int[np.ndarray, " S"]
    level: float

    def mean(self, values: Float[np.ndarray, " S"]) -> tuple[float, float]:
        """Mean, and its Monte-Carlo error."""
        middle = float(self.weights @ values)
        return middle, self.error(values - middle)

    def error(self, off: Float[np.ndarray, " S"]) -> float:
        """Monte-Carlo error of a weighed mean of `off`, whose own mean is 0."""
        return float(np.sqrt((by_draw(self.weights * off, self.draw) ** 2).sum()))

    def interval(self, values: Float[np.ndarray, " S"]) -> tuple[float, float]:
        """Equal-tailed."""
        tails = [(1 - self.level) / 2, (1 + self.level) / 2]
        low, high = np.quantile(values, tails, weights=self.weights, method="inverted_cdf")
        return float(low), float(high)

    def row(self, values: Float[np.ndarray, " S"]) -> dict:
        """All of it as cells."""
        mean, error = self.mean(values)
        lower, upper = self.interval(values)
        return {"mean": mean, "lower": lower, "upper": upper, "mcse": error}

    def again(self, factor: Float[np.ndarray, " S"]) -> Weighed:
        """The same with each weight times a factor."""
        changed = self.weights * factor
        return Weighed(changed / changed.sum(), self.draw, self.level)


@dataclass(frozen=True)
class Labels:
    """What rows are called: patients, what is said of each, regimens, weeks and times to come."""

    patients: tuple
    status: tuple[str, ...]
    regimens: tuple[str, ...]
    weeks: tuple[float, ...]
    times: Float[np.ndarray, "N W"]
    level: float

    def weighed(self, effects: PatientEffects, patient: int) -> Weighed:
        """The weighed draws of one patient."""
        return Weighed(effects.weights[:, patient], effects.draw, self.level)


def forecast_table(
    mode: Courses, drawn: Courses, effects: PatientEffects, labels: Labels
) -> pd.DataFrame:
    """One row a patient, regimen, week, quantity and layer."""
    rows = []
    for n, who in enumerate(labels.patients):
        weighed = labels.weighed(effects, n)
        for r, regimen in enumerate(labels.regimens):
            for t, week in enumerate(labels.weeks):
                first = {"id": who, "regimen": regimen, "week": week, "time": labels.times[n, t]}
                last = {"level": labels.level, "kind": KIND, "status": labels.status[n]}
                for found in _quantities(mode, drawn, weighed, (r, n, t)):
                    rows.append({**first, **last, **found})
    return pd.DataFrame(rows, columns=list(FORECAST))


def _quantities(
    mode: Courses, drawn: Courses, weighed: Weighed, at: tuple[int, int, int]
) -> Iterator[dict]:
    def of(values: np.ndarray) -> np.ndarray:
        return values[(slice(None), *at)]

    for name, values in drawn.course.items():
        kind = "probability" if name == STAYING or name.startswith("no ") else "value"
        said = {"quantity": name, "statistic": kind, "map": float(of(mode.course[name])[0])}
        yield {**said, "layer": "uncertainty", **weighed.row(of(values))}
        if name in drawn.seen:
            yield {**said, "layer": "observation", **weighed.row(of(drawn.seen[name]))}
    for name, values in drawn.chance.items():
        said = {"quantity": name, "statistic": "probability"}
        shown = float(of(mode.chance[name])[0])
        yield {**said, "layer": "observation", "map": shown, **weighed.row(of(values))}
        course = of(drawn.holds[name])
        if np.isfinite(course).all():
            mean, error = weighed.mean(course)
            without = {"mean": mean, "mcse": error, "map": float(of(mode.holds[name])[0])}
            yield {**said, "layer": "uncertainty", **without}


def compared_table(drawn: Courses, effects: PatientEffects, labels: Labels) -> pd.DataFrame:
    """The first regimen (reference) and the second, response by response; see `_compared`."""
    reference, other = labels.regimens[:2]
    rows = []
    for n, who in enumerate(labels.patients):
        weighed = labels.weighed(effects, n)
        for t, week in enumerate(labels.weeks):
            for name, values in drawn.chance.items():
                first = {"id": who, "reference": reference, "regimen": other, "week": week,
                         "response": name, "level": labels.level, "kind": KIND,
                         "status": labels.status[n]}  # fmt: skip
                both = (values[:, 0, n, t], values[:, 1, n, t])
                rows += [{**first, **found} for found in _compared(*both, weighed)]
    return pd.DataFrame(rows, columns=list(COMPARED))


def _compared(
    reference: Float[np.ndarray, " S"], other: Float[np.ndarray, " S"], weighed: Weighed
) -> Iterator[dict]:
    """P(response) under each, difference with the same luck, P(kept | the reference responds).

    One standard noise decides a visit under both regimens, so that of two chances the smaller is
    that of both responding.
    """
    yield {"statistic": "reference", **weighed.row(reference)}
    yield {"statistic": "regimen", **weighed.row(other)}
    yield {"statistic": "difference", **weighed.row(other - reference)}
    both = np.minimum(reference, other)
    responding = float(weighed.weights @ reference)
    if responding <= 0:
        return
    kept = float(weighed.weights @ both) / responding
    error = weighed.error((both - kept * reference) / responding)
    shares = np.divide(both, reference, out=np.zeros_like(both), where=reference > 0)
    lower, upper = weighed.again(reference).interval(shares)
    yield {"statistic": "kept", "mean": kept, "lower": lower, "upper": upper, "mcse": error}


def effects_table(
    likelihood: IndividualLikelihood, effects: PatientEffects, labels: Labels
) -> pd.DataFrame:
    """Each parameter's random effect: mode at the typical population, and posterior.

    `map`, `map_se` and `mean .. upper` are of the effect on the parameter's own scale (log: of its
    logarithm); `map_value` and `typical` natural values before covariates. `shrinkage` is the
    posterior variance of the effect at the typical population over its prior's.
    """
    of = partial(random_effects, likelihood.made, likelihood.tied)
    at_mode = {name: np.asarray(v) for name, v in of(arrays(effects.at_mode())).items()}
    every = arrays(effects.values(np.arange(len(effects.effects))))
    drawn = {name: np.asarray(v) for name, v in jax.vmap(of)(every).items()}
    error, unit = _errors(likelihood, effects)
    made = {each.name: each for each in likelihood.made}
    rows = []
    for n, who in enumerate(labels.patients):
        weighed = labels.weighed(effects, n)
        for name, mode in at_mode.items():
            scale, middle = made[name].parameter.scale, typical(made[name], arrays(effects.typical))
            row = weighed.row(drawn[name][:, n])
            rows.append({
                "id": who, "parameter": name, "map": mode[n], "map_se": error[name][n],
                "map_value": float(FROM[scale](TO[scale](middle) + mode[n])),
                "typical": float(middle), **{k: row[k] for k in ("mean", "lower", "upper")},
                "level": labels.level, "kind": KIND,
                "shrinkage": (error[name][n] / unit[name]) ** 2, "status": labels.status[n],
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(EFFECTS))


def _errors(
    likelihood: IndividualLikelihood, effects: PatientEffects
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """SD of each effect about its mode by curvature, and the prior's SD of it."""
    units = dict(zip(effects.names, np.eye(len(effects.names)), strict=True))
    # An effect is linear in the standardised ones: what a unit of each does to it is a row.
    linear = random_effects(likelihood.made, likelihood.tied, arrays({**effects.typical, **units}))
    rows = {name: np.asarray(value) for name, value in linear.items()}
    covariance = effects.covariance()
    error = {n: np.sqrt(np.einsum("i,nij,j->n", row, covariance, row)) for n, row in rows.items()}
    return error, {name: float(np.sqrt(row @ row)) for name, row in rows.items()}
