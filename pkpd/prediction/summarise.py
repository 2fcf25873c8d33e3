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
    """Mean, lower and upper over the draws that have a value; NaN where none has.

    Values may be infinite, as a time to what never happens: ends are then draws, not between two.
    """
    tail = (1 - level) / 2
    flat = values.reshape(len(values), -1)
    rows = []
    for column in flat.T:
        some = column[~np.isnan(column)]
        method = "linear" if np.isfinite(some).all() else "inverted_cdf"
        ends = np.quantile(some, (tail, 1 - tail), method=method) if some.size else (np.nan,) * 2
        rows.append((some.mean() if some.size else np.nan, *ends))
    mean, lower, upper = np.array(rows).T.reshape(3, *values.shape[1:])
    return mean, lower, upper


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
