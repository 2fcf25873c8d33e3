"""Numbers by draw summed up: mean and equal-tailed interval over draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

KIND = "eti"
PREDICTIONS = (
    "drug", "induction", "regimen", "week", "endpoint", "estimand", "statistic", "mean", "lower",
    "upper", "level", "kind", "layer",
)  # fmt: skip


def interval(
    values: Float[np.ndarray, "..."], level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lower and upper over the draws that have a value; NaN where none has."""
    tail = (1 - level) / 2
    flat = values.reshape(len(values), -1)
    rows = []
    for column in flat.T:
        some = column[np.isfinite(column)]
        ends = np.quantile(some, (tail, 1 - tail)) if some.size else (np.nan, np.nan)
        rows.append((some.mean() if some.size else np.nan, *ends))
    mean, lower, upper = np.array(rows).T.reshape(3, *values.shape[1:])
    return mean, lower, upper


def chance(holds: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """Share of the draws for which something holds, among those in which it is defined."""
    count = defined.sum(axis=0)
    return (holds & defined).sum(axis=0) / np.where(count > 0, count, np.nan)


def rows(
    first: dict, labels: tuple[str, ...], weeks: np.ndarray, found: tuple, last: dict
) -> list[dict]:
    """One row a regimen and week from arrays (regimens, weeks) of mean, lower and upper."""
    mean, lower, upper = found
    return [
        {
            **first,
            "regimen": label,
            "week": float(week),
            "mean": float(mean[r, t]),
            "lower": float(lower[r, t]),
            "upper": float(upper[r, t]),
            "kind": KIND,
            **last,
        }
        for r, label in enumerate(labels)
        for t, week in enumerate(weeks)
    ]


def table(found: list[dict]) -> pd.DataFrame:
    """Rows as a table of the contract."""
    return pd.DataFrame(found, columns=list(PREDICTIONS))
