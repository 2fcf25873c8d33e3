"""Three compartments fitted to each subject alone, by NumPy and SciPy: a check that shares no code.

After infusions of rates R from t0 to t1 the concentration is a sum over the eigenvalues l of the
compartments' matrix, w their weights in the central one:

    c(t) = sum R / v1 sum_l w_l / l (exp(l (t - t0)) - exp(l (t - t1)))    (terms of (t - .) > 0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

NAMES = ("cl", "v1", "q2", "v2", "q3", "v3")
FROM = ((2.5, 5.0, 1.5, 9.0, 0.1, 5.0), (2.5, 5.0, 1.0, 5.0, 0.3, 8.0))
"""Where each search begins; the better end counts."""

WIDE = 4.0
"""How far, on the log, an estimate may go from where the search began."""


@dataclass(frozen=True)
class Subject:
    """Infusions (time, amount, rate), and concentrations above zero with their times."""

    doses: np.ndarray
    times: np.ndarray
    seen: np.ndarray


def subjects(records: pd.DataFrame) -> list[Subject]:
    """Subjects of event records; samples before the first infusion say nothing and are left out."""
    found = []
    for _, own in records.groupby("ID"):
        doses = own.loc[own["EVID"] == 1, ["TIME", "AMT", "RATE"]].to_numpy(float)
        later = (own["EVID"] == 0) & (own["TIME"] > doses[0, 0])
        found.append(Subject(doses, own.loc[later, "TIME"].to_numpy(float),
                             own.loc[later, "DV"].to_numpy(float)))  # fmt: skip
    return found


def concentration(numbers: np.ndarray, subject: Subject) -> np.ndarray:
    """The central concentration at the subject's times; `numbers` in the order of `NAMES`."""
    cl, v1, q2, v2, q3, v3 = numbers
    matrix = [
        [-(cl + q2 + q3) / v1, q2 / v2, q3 / v3],
        [q2 / v1, -q2 / v2, 0],
        [q3 / v1, 0, -q3 / v3],
    ]
    values, vectors = np.linalg.eig(np.array(matrix))
    weights = vectors[0] * np.linalg.inv(vectors)[:, 0] / values

    def since(moment: float) -> np.ndarray:
        return np.exp(np.outer(np.clip(subject.times - moment, 0, None), values)) @ weights

    parts = [rate * (since(t) - since(t + amount / rate)) for t, amount, rate in subject.doses]
    return np.sum(parts, axis=0).real / v1


def fitted(some: list[Subject]) -> dict[str, float]:
    """Least squares of the log of all these subjects' concentrations, one set of numbers."""

    def misses(logs: np.ndarray) -> np.ndarray:
        found = [np.maximum(concentration(np.exp(logs), s), 1e-9) for s in some]
        return np.concatenate([np.log(s.seen / c) for s, c in zip(some, found, strict=True)])

    begins = [np.log(each) for each in FROM]
    ends = [least_squares(misses, b, bounds=(b - WIDE, b + WIDE)) for b in begins]
    best = min(ends, key=lambda end: end.cost)
    return dict(zip(NAMES, np.exp(best.x), strict=True))
