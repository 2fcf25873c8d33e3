"""The rival that draws a logistic curve in time through each arm's known values.

    share(t) = top E(t), change(t) = -top E(t), mg/L(t) = top E(t), present(t) = 1 - top E(t),
    E(t) = 1 / (1 + exp(-(t - middle) / width)).

Fitted on the fitted scale by penalised least squares (weak priors: logit top N(0, 1.5^2), log
middle N(log 8 weeks, 1), log width N(log 3 weeks, 1); the log of a concentration's top about its
largest known value, SD 1). Each point weighs by its sampling error and the fit's `discrepancy`.
Where chi-square over degrees of freedom is above 1, errors grow by its root, those of new values
too. Curves are sampled: proposals from the Gauss-Newton covariance, resampled by density.

An arm with three known visits has its own curve. Otherwise the curve is that of the arm its
patients came from, or one curve through all known arms of the same drug, and it is moved to pass
through the arm's last known value (by a factor on the natural scale), if there is one. Where there
is nothing of the drug, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import expit, log_expit

from pkpd.data.arms import Arm, ArmData
from pkpd.validation.mixture import Mixture
from pkpd.validation.points import Points, Seen

NAME = "logistic"
CURVES, PROPOSED = 400, 4000
LEAST_VISITS = 3
PRIOR_SD = np.array([1.5, 1.0, 1.0])
MIDDLE, WIDTH = 8.0, 3.0
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Curve:
    """Parameters of sampled curves, shape (draws, 3); one patient's SD about them, inflated."""

    endpoint: str
    scale: str
    parameters: np.ndarray
    patient: float
    excess: float

    def at(self, week: float) -> np.ndarray:
        """Each curve at a week: fraction, share or log mg/L."""
        return plain(self.endpoint, self.scale, self.parameters, np.array(week))


def plain(endpoint: str, scale: str, u: np.ndarray, week: np.ndarray) -> np.ndarray:
    """Fraction, share or log mg/L at weeks; `u` (..., 3): logit or log top, logs of the others."""
    reach = (week - np.exp(u[..., 1])) / np.exp(u[..., 2])
    if scale == "log":
        return u[..., 0] + log_expit(reach)
    risen = expit(u[..., 0]) * expit(reach)
    return -risen if scale == "fraction" else 1 - risen if endpoint == "present" else risen


def to_fitted(scale: str, value: np.ndarray, n: np.ndarray | float) -> np.ndarray:
    """From fraction, share or log mg/L to the fitted scale."""
    if scale != "anscombe":
        return value
    return np.arcsin(np.sqrt((n * np.clip(value, 0.0, 1.0) + 0.375) / (n + 0.75)))


def to_plain(scale: str, value: np.ndarray, n: float) -> np.ndarray:
    """The inverse of `to_fitted`."""
    if scale != "anscombe":
        return value
    angle = np.clip(value, 0.0, np.pi / 2)
    return np.clip(((n + 0.75) * np.sin(angle) ** 2 - 0.375) / n, 0.0, 1.0)


def logistic(
    rows: pd.DataFrame, seen: Seen, data: ArmData, *, discrepancy: float, seed: int
) -> tuple[np.ndarray, Mixture]:
    """Which rows are answered, and their forecast, a normal a sampled curve."""
    random, said = np.random.default_rng(seed), []
    curves: dict[Key, tuple[Curve | None, np.ndarray | None]] = {}
    for row in rows.to_dict("records"):
        key = (row["study"], row["arm"], row["endpoint"])
        if key not in curves:
            source = _source(seen, data, key)
            made = fitted(source, discrepancy, random) if source else None
            curves[key] = (made, _anchor(made, source, seen.get(key), random))
        said.append(_forecast(*curves[key], row, discrepancy))
    answered = np.array([each is not None for each in said], bool)
    found = np.array([each for each in said if each is not None]).reshape(-1, 2, CURVES)
    return answered, Mixture(found[:, 0], found[:, 1])


def _source(seen: Seen, data: ArmData, key: Key) -> list[Points]:
    """The points a curve goes through: the arm's own, else its parent's, else its drug's."""
    study, name, endpoint = key
    arm = data.arm(study, name)
    for one in [(study, name), *([arm.parent] if arm.parent else [])]:
        own = seen.get((*one, endpoint))
        if own is not None and own.week.size >= LEAST_VISITS:
            return [own]
    alike = _of_drug(seen, data, arm, endpoint)
    return [points for points in alike if points.week.size >= LEAST_VISITS]


def _of_drug(seen: Seen, data: ArmData, arm: Arm, endpoint: str) -> list[Points]:
    """The statistic in all arms of a drug that were randomised at week 0."""
    drug = {(a.study, a.name) for a in data.arms if a.drug == arm.drug and a.parent is None}
    return [p for (s, a, e), p in seen.items() if e == endpoint and (s, a) in drug]


def fitted(some: list[Points], discrepancy: float, random: np.random.Generator) -> Curve:
    """One curve through the points of some arms, sampled."""
    week, value, patient, n = (
        np.concatenate([getattr(p, x) for p in some]) for x in ("week", "value", "patient", "n")
    )
    endpoint, scale = some[0].endpoint, some[0].scale
    error = np.hypot(patient / np.sqrt(n), 0.0 if scale == "log" else discrepancy)
    top = value.max() if scale == "log" else 0.0
    first = np.array([top, np.log(MIDDLE), np.log(WIDTH)])

    def off(u: np.ndarray) -> np.ndarray:
        """Residuals of points, then of the priors, shape (..., points + 3)."""
        expected = to_fitted(scale, plain(endpoint, scale, u[..., None, :], week), n)
        return np.concatenate([(value - expected) / error, (u - first) / PRIOR_SD], axis=-1)

    best = least_squares(off, first, x_scale=PRIOR_SD)
    misfit = (best.fun[: value.size] ** 2).sum() / max(1, value.size - first.size)
    excess = float(np.sqrt(max(1.0, misfit)))
    slope = np.asarray(best.jac)
    root = np.linalg.cholesky(np.linalg.inv(slope.T @ slope)) * excess
    wide = np.append(np.full(value.size, excess), np.ones(first.size))
    drawn = _sampled(lambda u: off(u) / wide, best.x, root, random)
    return Curve(endpoint, scale, drawn, float(np.median(patient)), excess)


def _sampled(
    off: Callable[[np.ndarray], np.ndarray],
    centre: np.ndarray,
    root: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """CURVES draws of density exp(-|off|^2 / 2): proposals N(centre, root root'), resampled."""
    z = random.standard_normal((PROPOSED, centre.size))
    proposed = centre + z @ root.T
    weight = 0.5 * (z**2).sum(axis=1) - 0.5 * (off(proposed) ** 2).sum(axis=1)
    share = np.exp(weight - weight.max())
    return proposed[random.choice(PROPOSED, CURVES, p=share / share.sum())]


def _anchor(
    curve: Curve | None, source: list[Points], own: Points | None, random: np.random.Generator
) -> np.ndarray | None:
    """By what each curve is moved to pass through the arm's last value: a factor, or log factor."""
    if curve is None or own is None or any(own is points for points in source):
        return None
    at = int(np.argmax(own.week))
    value = own.value[at] + own.error[at] * random.standard_normal(CURVES)
    value, here = to_plain(curve.scale, value, own.n[at]), curve.at(own.week[at])
    return value - here if curve.scale == "log" else value / np.where(here == 0, np.nan, here)


def _forecast(
    curve: Curve | None, moved: np.ndarray | None, row: dict, discrepancy: float
) -> np.ndarray | None:
    """Centres and spreads on the fitted scale, shape (2, curves)."""
    if curve is None:
        return None
    value = curve.at(row["week"])
    if moved is not None:
        value = value + moved if curve.scale == "log" else value * moved
    own = 0.0 if curve.scale == "log" else discrepancy
    spread = curve.excess * np.hypot(curve.patient / np.sqrt(row["n"]), own)
    return np.array([to_fitted(curve.scale, value, row["n"]), np.full(CURVES, spread)])
