"""What is asked of regimens that re-treat: who is, who has the response back, how many doses.

With r the visit at which a patient was first re-treated, at week w

    RETREATED           r <= w
    EASI50_RECAPTURED   of those with r < w: EASI-50 shown at a visit after r and no later than w

Under "hypothetical" everybody is seen at every visit. Under "NRI" who has left or missed the
visit has shown nothing there. Under "observed" the patients are those at the visit of week w.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from pkpd.prediction.followed import Arm, Followed
from pkpd.regimen.guided import Given
from pkpd.responses import RESPONSES

_RECAPTURED = "_RECAPTURED"
AFTER_RETREATMENT = ("RETREATED", *(f"{name}{_RECAPTURED}" for name in RESPONSES))


def after_retreatment(
    found: Followed, arm: Arm, endpoint: str, estimand: str
) -> Float[np.ndarray, " T"]:
    """One draw's share at every week; no number where nobody has been re-treated before."""
    present = found.visit.present
    week, since = arm.weeks[:, None], found.given.retreated
    if endpoint == "RETREATED":
        counted = np.ones_like(present) if estimand != "observed" else present
        return _share(counted & (since <= week), counted)
    response = found.visit.response[endpoint.removesuffix(_RECAPTURED)]
    shows = response & (week > since) & np.isin(np.arange(len(week)), arm.visits)[:, None]
    if estimand != "hypothetical":
        shows = shows & present
    again = np.logical_or.accumulate(shows, axis=0)
    counted = since < week
    if estimand == "observed":
        counted = counted & present
    return _share(counted & again, counted)


def _share(holds: np.ndarray, counted: np.ndarray) -> np.ndarray:
    count = counted.sum(axis=-1)
    return holds.sum(axis=-1) / np.where(count > 0, count, np.nan)


def doses_by(given: Given, weeks: np.ndarray) -> Float[np.ndarray, "T n"]:
    """How many doses each patient has had up to and with each week."""
    had = np.cumsum(given.amounts > 0, axis=0)
    at = np.searchsorted(given.weeks, weeks + 1e-6)
    return np.vstack([np.zeros((1, given.amounts.shape[1])), had])[at]
