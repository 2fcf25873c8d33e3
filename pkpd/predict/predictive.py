"""Posterior predictive check: each posted number against what the fit would have posted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pkpd.likelihood.problem import Likelihood
from pkpd.likelihood.summaries import Summaries
from pkpd.predict.posted import courses, simulated

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
    came, ENTRY the share that a later study re-randomised.
    """
    draws = {name: np.asarray(draws[name]) for name in likelihood.space.names}
    count = len(next(iter(draws.values())))
    random = np.random.default_rng(seed)
    natural = simulated(likelihood, draws, courses(likelihood, draws), random, replicates=count)
    found = [
        row
        for s, replicated in zip(likelihood.studies, natural, strict=True)
        for row in _rows(s, replicated, level)
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _rows(s: Summaries, replicated: np.ndarray, level: float) -> list[dict]:
    tail = (1 - level) / 2
    observed, size = posted(s), _sizes(s)
    rows = []
    for a, f in np.argwhere(s.posted):
        t, column = divmod(int(f), len(s.columns))
        name = s.columns[column]
        some = replicated[:, a, f] * (100 if name == "EASI_PCHG" else 1)
        lower, middle, upper = np.nanquantile(some, (tail, 0.5, 1 - tail))
        statistic, estimand = WORDS.get(name, ("percent", "NRI"))
        rows.append({
            "study": s.study, "arm": s.arms[a], "week": float(s.weeks[t]), "endpoint": name,
            "statistic": statistic, "estimand": estimand, "n": round(float(size[a, f])),
            "observed": observed[a, f], "median": middle, "lower": lower, "upper": upper,
            "level": level, "kind": "eti", "inside": bool(lower <= observed[a, f] <= upper),
            "fitted": True,
        })  # fmt: skip
    return rows


def posted(s: Summaries) -> np.ndarray:
    """What was posted, from the fitted scale back to shares, per cent and mg/L."""
    kinds, n = s.kinds(), s.n[:, None]
    count = np.round((n + 0.75) * np.sin(s.observed) ** 2 - 0.375, 6) / n
    level = np.exp(np.where(kinds["level"], s.observed, 0.0))
    return np.where(kinds["change"], 100 * s.observed, np.where(kinds["level"], level, count))


def _sizes(s: Summaries) -> np.ndarray:
    """The number of patients behind each statistic."""
    per = {"EASI_PCHG": s.share_seen, "CONC": s.share_sampled}
    shares = [per.get(name, np.ones_like(s.share_seen)) for name in s.columns]
    return (s.n[:, None, None] * np.stack(shares, axis=-1)).reshape(len(s.arms), -1)
