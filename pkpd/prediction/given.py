"""Simulated results of re-randomised arms given what was seen at their selection visit.

The likelihood conditions an entered study on its first visit, whose results were scored in the
study before; so its check must too. Simulated later visits move by their regression on the first,
with the covariance the fit was held at (exact for normal results, Matheron's rule):

    later | first = later* + C_lf C_ff^-1 (first - first*),      * simulated together.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from pkpd.arm_level.frozen import Frozen
from pkpd.arm_level.summaries import Summaries


def given_first_visit(
    s: Summaries, held: Frozen, replicated: Float[np.ndarray, "B A F"]
) -> Float[np.ndarray, "B A F"]:
    """Replicates on the fitted scale, their first visit the observed one; same shape."""
    moved, first = replicated.copy(), len(s.columns)
    for a in range(len(s.arms)):
        kept = np.flatnonzero(s.posted[a])
        seen, later = kept[kept < first], kept[kept >= first]
        rows = held.whitening[a][later]
        off = s.observed[a, seen] - replicated[:, a, seen]
        moved[:, a, later] -= np.linalg.solve(rows[:, later], rows[:, seen] @ off.T).T
        moved[:, a, seen] = s.observed[a, seen]
    return moved
