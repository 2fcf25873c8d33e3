"""Predictive checks: each posted number against what the fit, or its prior, would have posted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pandas as pd

from pkpd.arm_level.frozen import Frozen
from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.summaries import Summaries
from pkpd.prediction.cohort import Course
from pkpd.prediction.given import given_first_visit
from pkpd.prediction.posted import RESERVE, courses, simulated
from pkpd.prediction.statistics import on_fitted_scale, with_discrepancy

COLUMNS = (
    "study", "arm", "week", "endpoint", "statistic", "estimand", "n", "observed", "median",
    "lower", "upper", "level", "kind", "inside", "fitted",
)  # fmt: skip
WORDS = {
    "EASI_PCHG": ("mean", "observed"), "CONC": ("mean", "PK_set"),
    "present": ("percent", "observed"), "ENTRY": ("percent", "observed"),
}  # fmt: skip

TOGETHER = 20
"""Draws whose data sets are simulated at once: spare patients take memory."""


def predictive(
    likelihood: Likelihood, draws: Mapping[str, np.ndarray], *, level: float, seed: int
) -> pd.DataFrame:
    """The table ppc.csv: every fitted arm, visit and endpoint with its predictive interval.

    Each draw simulates each trial once, with the posted numbers of patients. Shares lie in 0 to
    1, EASI_PCHG is in per cent, CONC in mg/L; `present` is the share of the randomised that
    came, ENTRY the share that a later study re-randomised. Later visits of re-randomised arms are
    predicted given their selection visit, as they are fitted; that visit itself is not fitted.
    """
    draws = {name: np.asarray(draws[name]) for name in likelihood.space.names}
    count = len(next(iter(draws.values())))
    random = np.random.default_rng(seed)
    natural = simulated(likelihood, draws, courses(likelihood, draws), random, replicates=count)
    found = []
    for s, held, part in zip(likelihood.studies, _held(likelihood, draws), natural, strict=True):
        replicated = _observed(s, part, random)
        if s.entered:
            replicated = given_first_visit(s, held, replicated)
        found += _rows(s, replicated, level)
    return pd.DataFrame(found, columns=list(COLUMNS))


def foreseen(
    likelihood: Likelihood,
    draws: Mapping[str, np.ndarray],
    *,
    level: float,
    seed: int,
    heard: Callable[[float], None] = lambda share: None,
) -> tuple[pd.DataFrame, int]:
    """Every posted number among data sets simulated from draws of the prior, and draws lost.

    Columns as in `predictive`. A draw gives one data set with the posted numbers of patients, whole
    and on no data's condition: later arms are filled to their posted sizes with that data set's
    own responders, whose selection visit is simulated, too (it is not fitted). Draws under which a
    randomised arm has a number that is none are lost, and left out.
    """
    draws = {name: np.asarray(draws[name]) for name in likelihood.space.names}
    count, random = len(next(iter(draws.values()))), np.random.default_rng(seed)
    found, parts = courses(likelihood, draws), []
    for begin in range(0, count, TOGETHER):
        some = slice(begin, min(begin + TOGETHER, count))
        own = {name: value[some] for name, value in draws.items()}
        made = tuple(_some(each, some) for each in found)
        size = some.stop - some.start
        parts.append(simulated(likelihood, own, made, random, replicates=size, reserve=RESERVE))
        heard(some.stop / count)
    return _among(likelihood, [np.concatenate(each) for each in zip(*parts, strict=True)],
                  random, level)  # fmt: skip


def _some(found: Course, draws: slice) -> Course:
    """A study's virtual patients for some of the draws."""
    return replace(
        found, ratio=found.ratio[draws], stay=found.stay[draws], level=found.level[draws]
    )


def _among(
    likelihood: Likelihood, natural: list[np.ndarray], random: np.random.Generator, level: float
) -> tuple[pd.DataFrame, int]:
    """The table of simulated data sets (natural scales, by study), and how many were lost."""
    pairs = list(zip(likelihood.studies, natural, strict=True))
    whole = np.logical_and.reduce(
        [np.isfinite(part[:, s.posted]).all(axis=1) for s, part in pairs if not s.entered]
    )
    rows = [row for s, part in pairs for row in _rows(s, _observed(s, part[whole], random), level)]
    return pd.DataFrame(rows, columns=list(COLUMNS)), int((~whole).sum())


def _observed(s: Summaries, natural: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return with_discrepancy(s, on_fitted_scale(s, natural), random)


def _held(likelihood: Likelihood, draws: Mapping[str, np.ndarray]) -> tuple[Frozen, ...]:
    """The covariances of the fit, or those at the draws' mean if it has none."""
    if likelihood.frozen is None:
        mean = {name: jnp.asarray(value.mean(axis=0)) for name, value in draws.items()}
        likelihood = likelihood.held_at(likelihood.space.pack(mean))
    assert likelihood.frozen is not None
    return likelihood.frozen


def _rows(s: Summaries, replicated: np.ndarray, level: float) -> list[dict]:
    """Each posted number among replicates on the fitted scale."""
    tail = (1 - level) / 2
    observed, size = natural_scale(s, s.observed), _sizes(s)
    replicated = natural_scale(s, replicated)
    rows = []
    for a, f in np.argwhere(s.posted):
        t, column = divmod(int(f), len(s.columns))
        name = s.columns[column]
        lower, middle, upper = np.nanquantile(replicated[:, a, f], (tail, 0.5, 1 - tail))
        statistic, estimand = WORDS.get(name, ("percent", "NRI"))
        rows.append({
            "study": s.study, "arm": s.arms[a], "week": float(s.weeks[t]), "endpoint": name,
            "statistic": statistic, "estimand": estimand, "n": round(float(size[a, f])),
            "observed": observed[a, f], "median": middle, "lower": lower, "upper": upper,
            "level": level, "kind": "eti", "inside": bool(lower <= observed[a, f] <= upper),
            "fitted": not (s.entered and t == 0),
        })  # fmt: skip
    return rows


def natural_scale(s: Summaries, fitted: np.ndarray) -> np.ndarray:
    """From the fitted scale back to shares, per cent and mg/L; shape (..., arms, features)."""
    kinds, n = s.kinds(), s.n[:, None]
    count = np.clip(np.round((n + 0.75) * np.sin(fitted) ** 2 - 0.375, 6) / n, 0, 1)
    level = np.exp(np.where(kinds["level"], fitted, 0.0))
    return np.where(kinds["change"], 100 * fitted, np.where(kinds["level"], level, count))


def _sizes(s: Summaries) -> np.ndarray:
    """The number of patients behind each statistic."""
    per = {"EASI_PCHG": s.share_seen, "CONC": s.share_sampled}
    shares = [per.get(name, np.ones_like(s.share_seen)) for name in s.columns]
    return (s.n[:, None, None] * np.stack(shares, axis=-1)).reshape(len(s.arms), -1)
