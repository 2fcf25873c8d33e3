"""The rival that carries each arm's last value forward.

The value to come is the last one known of the same arm and statistic, and normal about it on the
fitted scale: the sampling error of the last value (binomial for counts, the posted SD over sqrt(n)
for means) and that of the new one, of as many patients, are added in quadrature. It knows of no
drift. Of an arm with no known value it says nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pkpd.validation.mixture import Mixture
from pkpd.validation.points import Seen

NAME = "carry_forward"


def carried(rows: pd.DataFrame, seen: Seen) -> tuple[np.ndarray, Mixture]:
    """Which rows are answered, and their forecast, one normal each."""
    said = [
        _one(seen, *row)
        for row in rows[["study", "arm", "endpoint", "week"]].itertuples(index=False)
    ]
    answered = np.array([each is not None for each in said], bool)
    found = np.array([each for each in said if each is not None], float).reshape(-1, 2)
    return answered, Mixture(found[:, :1], found[:, 1:])


def _one(
    seen: Seen, study: str, arm: str, endpoint: str, week: float
) -> tuple[float, float] | None:
    points = seen.get((study, arm, endpoint))
    if points is None or not (points.week < week).any():
        return None
    last = int(np.argmax(np.where(points.week < week, points.week, -np.inf)))
    return float(points.value[last]), float(np.sqrt(2.0) * points.error[last])
