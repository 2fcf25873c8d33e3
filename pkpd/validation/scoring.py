"""Forecasts read again and held against what was posted: a row a number, then their means.

Log score: log predictive density on the fitted scale, higher is better. CRPS and widths on the
natural scale of an endpoint (points of 100 for changes and shares, mg/L); all endpoints together on
the fitted scale, where they can be added. A difference in log score is the rival's minus the
model's on the rows that both answered (below 0: the model is better), its standard error by arms,
since the visits of an arm are the same patients again; ratios are the rival's over the model's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.arm_level.summaries import Summaries
from pkpd.data.arms import ArmData
from pkpd.validation.forecast import LEVELS, Forecast, fitted_scale, natural
from pkpd.validation.left_out import off_drug
from pkpd.validation.mixture import pinball_crps
from pkpd.validation.split import features

KEY = ["study", "arm", "week", "endpoint"]
ALL = "all"
APART = ("present",)
"""Endpoints that stand for themselves and are not in `all`: the patients behind means."""

ROW_COLUMNS = (
    "left_out", "forecaster", "study", "arm", "week", "endpoint", "statistic", "estimand", "n",
    "observed", "mean", "lower", "upper", "level", "kind", "inside", "log_score", "crps", "part",
    "given", "passed",
)  # fmt: skip
COLUMNS = (
    "left_out", "part", "endpoint", "unit", "forecaster", "rows", "arms", "coverage", "level",
    "kind", "width", "log_score", "crps", "log_score_diff", "diff_se", "crps_ratio", "width_ratio",
    "passed", "missed", "fit_hash",
)  # fmt: skip
UNITS = {"EASI_PCHG": "points of 100", "CONC": "mg/L"}


@dataclass(frozen=True)
class Told:
    """A forecast with its part and forecaster, as found in the folder."""

    left_out: str
    forecaster: str
    made: Forecast

    @property
    def missed(self) -> tuple[str, ...]:
        """Demands that the fit behind the forecast missed."""
        return tuple(self.made.origin.get("missed", ()))


def scored(told: list[Told], studies: tuple[Summaries, ...], data: ArmData) -> pd.DataFrame:
    """Every row of every forecast with what was posted, whether it lies inside, and its scores."""
    values = observed(studies)
    return pd.concat([_scored(each, values, data) for each in told], ignore_index=True)


def observed(studies: tuple[Summaries, ...]) -> dict[tuple, float]:
    """Posted values on the fitted scale, by study, arm, week and endpoint."""
    return {
        name: float(value)
        for s in studies
        for names, row, posted in zip(features(s), s.observed, s.posted, strict=True)
        for name, value, seen in zip(names, row, posted, strict=True)
        if seen
    }


def _scored(told: Told, values: Mapping[tuple, float], data: ArmData) -> pd.DataFrame:
    rows, mixture = told.made.rows, told.made.mixture
    fitted = np.array([values[key] for key in rows[KEY].itertuples(index=False, name=None)])
    shown = natural(rows, fitted[:, None])[:, 0]
    slack = 1e-9 * (1 + np.abs(shown))  # a count on its scale and back: the last digit
    ends = fitted_scale(rows, np.stack([rows["lower"], rows["upper"]], axis=1))
    return rows.assign(
        left_out=told.left_out,
        forecaster=told.forecaster,
        observed=shown,
        inside=(rows["lower"] - slack <= shown) & (shown <= rows["upper"] + slack),
        log_score=mixture.log_density(fitted),
        crps=pinball_crps(told.made.quantiles, LEVELS, shown),
        crps_fitted=mixture.crps(fitted),
        width_fitted=ends[:, 1] - ends[:, 0],
        part=np.where(off_drug(data, rows), "off drug", "on drug"),
        passed=not told.missed,
        missed="; ".join(told.missed),
    )


def table(rows: pd.DataFrame, model: str, fit_hash: str) -> pd.DataFrame:
    """The scores by part left out, off drug and all, endpoint and forecaster."""
    found = [
        {**score, "fit_hash": fit_hash}
        for (left_out,), some in rows.groupby(["left_out"], sort=False)
        for part, ours in (("all", some), ("off drug", some[some["part"] == "off drug"]))
        for endpoint, same in _by_endpoint(ours)
        for score in _scores(
            same, model, {"left_out": left_out, "part": part, "endpoint": endpoint}
        )
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _by_endpoint(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    results = rows[~rows["endpoint"].isin(APART)]
    if len(results):
        yield ALL, results
    yield from ((str(name), some) for name, some in rows.groupby("endpoint", sort=False))


def _scores(rows: pd.DataFrame, model: str, first: dict) -> Iterator[dict]:
    """One row a forecaster, the model first."""
    ours = rows[rows["forecaster"] == model].set_index(KEY)
    for who in dict.fromkeys([model, *rows["forecaster"]]):
        theirs = rows[rows["forecaster"] == who].set_index(KEY)
        told = _summary(theirs, first["endpoint"])
        yield {**first, "forecaster": who, **told, **_against(theirs, ours, first["endpoint"])}


def _scale_of(endpoint: str) -> tuple[str, str, str, float]:
    """Unit, column of the CRPS, of the width, and factor to the unit."""
    if endpoint == ALL:
        return "fitted scale", "crps_fitted", "width_fitted", 1.0
    unit = UNITS.get(endpoint, "points of 100")
    return unit, "crps", "width", 1.0 if endpoint in UNITS else 100.0


def _summary(rows: pd.DataFrame, endpoint: str) -> dict:
    unit, crps, width, factor = _scale_of(endpoint)
    return {
        "unit": unit,
        "rows": len(rows),
        "arms": len({key[:2] for key in rows.index}),
        "coverage": rows["inside"].mean(),
        "level": float(rows["level"].iloc[0]),
        "kind": rows["kind"].iloc[0],
        "width": factor * _width(rows, width).mean(),
        "log_score": rows["log_score"].mean(),
        "crps": factor * rows[crps].mean(),
        "passed": bool(rows["passed"].all()),
        "missed": rows["missed"].iloc[0],
    }


def _width(rows: pd.DataFrame, column: str) -> pd.Series:
    return rows["upper"] - rows["lower"] if column == "width" else rows[column]


def _against(theirs: pd.DataFrame, ours: pd.DataFrame, endpoint: str) -> dict:
    """Differences and ratios on the rows that both answered."""
    _, crps, width, _ = _scale_of(endpoint)
    both = theirs.index.intersection(ours.index)
    theirs, ours = theirs.loc[both], ours.loc[both]
    apart = theirs["log_score"] - ours["log_score"]
    return {
        "log_score_diff": apart.mean(),
        "diff_se": by_arm_error(apart),
        "crps_ratio": theirs[crps].mean() / ours[crps].mean(),
        "width_ratio": _width(theirs, width).mean() / _width(ours, width).mean(),
    }


def by_arm_error(apart: pd.Series) -> float:
    """Standard error of a mean over rows whose arms are independent; NaN with one arm alone."""
    off = (apart - apart.mean()).groupby(level=[0, 1]).sum()
    arms = len(off)
    if arms < 2:
        return float("nan")
    return float(np.sqrt(arms / (arms - 1) * (off**2).sum()) / len(apart))
