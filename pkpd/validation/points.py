"""What rivals see: the known statistics of each arm in time, with their sampling errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from pkpd.arm_level.summaries import Summaries, anscombe
from pkpd.data.arms import ArmData
from pkpd.validation.split import SCALES, Split

Key = tuple[str, str]
CHANGE_SD = 0.35
"""SD of patients' changes where no known row posts a spread: typical of eczema trials, ours."""


@dataclass(frozen=True)
class Points:
    """One statistic of one arm: weeks, values on the fitted scale, one patient's SD, patients."""

    study: str
    arm: str
    endpoint: str
    scale: str
    week: np.ndarray
    value: np.ndarray
    patient: np.ndarray
    n: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard error of each value on the fitted scale: binomial, or SD / sqrt(n) as posted."""
        return self.patient / np.sqrt(self.n)


Seen = dict[tuple[str, str, str], Points]


def points(splits: tuple[Split, ...], data: ArmData) -> Seen:
    """Known statistics by study, arm and endpoint.

    One patient's SD on the fitted scale: 1/2 for a count of n, whose arcsine root has the variance
    1 / (4 n); for means the SD posted, of the mean for concentrations' logs (delta method); from
    the range where only that is posted (Wan 2014, BMC Med Res Methodol 14:135); else the median of
    the known rows of that endpoint.
    """
    spreads = _spreads(data)
    found = {}
    for each in splits:
        for a, arm in enumerate(each.s.arms):
            for k, endpoint in enumerate(each.s.columns):
                made = _points(each, a, k, spreads)
                if made.week.size:
                    found[each.s.study, arm, endpoint] = made
    return found


def _points(each: Split, a: int, k: int, spreads: pd.DataFrame) -> Points:
    s, columns = each.s, len(each.s.columns)
    kind = next(kind for kind, holds in s.kinds().items() if holds[k])
    at = np.flatnonzero(each.known[a, k::columns])
    week, value = s.weeks[at], s.observed[a, k::columns][at]
    patient, n = np.full(at.size, 0.5), np.full(at.size, s.n[a])
    if kind != "count" and at.size:
        patient, n = _posted_spread(s, a, s.columns[k], week, spreads)
    if s.entered and s.columns[k] == "present":
        week, value, patient, n = _all_came(s, a, (week, value, patient, n))
    return Points(s.study, s.arms[a], s.columns[k], SCALES[kind], week, value, patient, n)


def _all_came(s: Summaries, a: int, found: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """All who were re-randomised came to the visit at which they were: known by design."""
    value = float(anscombe(1.0, s.n[a]))
    first = (s.weeks[0], value, 0.5, s.n[a])
    return tuple(np.append(x, part) for x, part in zip(first, found, strict=True))


def _posted_spread(
    s: Summaries, a: int, endpoint: str, weeks: np.ndarray, spreads: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """One patient's SD and the patients behind each mean; weeks that are known only."""
    keys = [(s.study, s.arms[a], endpoint, float(week)) for week in weeks]
    own = spreads.reindex(pd.MultiIndex.from_tuples(keys))
    usual = spreads.xs(endpoint, level="endpoint")["patient"].median()
    usual = usual if np.isfinite(usual) else CHANGE_SD
    return own["patient"].fillna(usual).to_numpy(), own["n"].fillna(s.n[a]).to_numpy()


def _spreads(data: ArmData) -> pd.DataFrame:
    """By study, arm, endpoint and week: one patient's SD on the fitted scale, and n."""
    rows = data.rows
    rows = rows[
        ((rows["endpoint"] == "EASI_PCHG") & (rows["statistic"] == "mean"))
        | ((rows["endpoint"] == "CONC") & (rows["value"] > 0))
    ]
    posted = rows[["spread", "spread_value", "spread_low", "spread_high", "n"]]
    sd = np.array([_sd(*row) for row in posted.itertuples(index=False)])
    own = np.where(
        rows["endpoint"] == "CONC",
        np.sqrt(np.log1p((sd / rows["value"].to_numpy(float)) ** 2)),
        sd / 100,
    )
    made = rows[["study", "arm", "endpoint", "week"]].assign(patient=own, n=rows["n"])
    return made.set_index(["study", "arm", "endpoint", "week"]).sort_index()


def _sd(spread: str, value: float, low: float, high: float, n: float) -> float:
    """One patient's SD from what was posted; NaN where nothing was."""
    match spread:
        case "sd":
            return value if value > 0 else np.nan
        case "se":
            return value * np.sqrt(n)
        case "ci95":
            return (high - low) / (2 * norm.ppf(0.975)) * np.sqrt(n)
        case "range" if n > 1:
            return (high - low) / (2 * float(norm.ppf((n - 0.375) / (n + 0.25))))
        case _:
            return np.nan
