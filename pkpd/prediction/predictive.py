"""Posterior predictive check: each posted number against what the fit would have posted."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
import pandas as pd

from pkpd.arm_level.frozen import Frozen
from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.summaries import Summaries
from pkpd.prediction.given import given_first_visit
from pkpd.prediction.posted import courses, simulated
from pkpd.prediction.statistics import on_fitted_scale, with_discrepancy

COLUMNS = (
    "study", "arm", "week", "endpoint", "statistic", "estimand", "n", "observed", "median",
    "lower", "upper", "level", "kind", "inside", "fitted",
)  # fmt: skip
WORDS = {
    "EASI_PCHG": ("mean", "observed"), "CONC": ("mean", "PK_set"),
    "present": ("percent", "observed"), "ENTRY": ("percent", "observed"),
}  # fmt: skip


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
    found = [
        row
        for s, held, replicated in zip(
            likelihood.studies, _held(likelihood, draws), natural, strict=True
        )
        for row in _rows(s, held, _observed(s, replicated, random), level)
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _observed(s: Summaries, natural: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return with_discrepancy(s, on_fitted_scale(s, natural), random)


def _held(likelihood: Likelihood, draws: Mapping[str, np.ndarray]) -> tuple[Frozen, ...]:
    """The covariances of the fit, or those at the draws' mean if it has none."""
    if likelihood.frozen is None:
        mean = {name: jnp.asarray(value.mean(axis=0)) for name, value in draws.items()}
        likelihood = likelihood.held_at(likelihood.space.pack(mean))
    assert likelihood.frozen is not None
    return likelihood.frozen


def _rows(s: Summaries, held: Frozen, replicated: np.ndarray, level: float) -> list[dict]:
    tail = (1 - level) / 2
    observed, size = natural_scale(s, s.observed), _sizes(s)
    if s.entered:
        replicated = given_first_visit(s, held, replicated)
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
