"""Which exposures the fitted arms have shown, and what asks for more than that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.trajectories import Lanes
from pkpd.prediction.plan import Plan
from pkpd.prediction.simulated import WEEK, day_index


@dataclass(frozen=True)
class Seen:
    """Of a drug's fitted arms: range of mg/L before the last dose, weeks off drug, last week."""

    trough: tuple[float, float]
    off: float
    last: float


def typical(lanes: Lanes, week: float, run: int) -> float:
    """Mean mg/L over a run's patients, without trial effects."""
    at = 2 * int(day_index(lanes, np.array([week]))[0])
    return float(np.exp(lanes.log_concentration[1, at, run]).mean())


def seen(likelihood: Likelihood, drug: str) -> Seen:
    """The exposures of the fitted arms of a drug."""
    troughs, off, last = [], 0.0, 0.0
    for k, run in enumerate(likelihood.runs):
        doses = run.doses()
        if run.drug == drug and len(doses) > 1:
            week = doses[-1][0] / WEEK
            troughs.append(typical(likelihood.lanes, week, k))
            off = max(off, run.last_week - week)
            last = max(last, run.last_week)
    return Seen((min(troughs), max(troughs)), off, last)


def flag(plan: Plan, known: Seen, regimen: int, week: float) -> str:
    """In words, where an answer goes beyond what was observed; empty where it does not."""
    doses = plan.regimens[regimen].weeks(plan.weeks[-1])
    said = []
    if np.isinf(plan.intervals[regimen]):
        if week - doses[-1] > known.off:
            said.append(f"Longer off drug than the {known.off:.0f} weeks observed.")
    else:
        trough = typical(plan.lanes, doses[-1], regimen)
        low, high = known.trough
        if trough < 0.98 * low:
            said.append(
                f"Troughs of about {trough:.2g} mg/L lie below the {low:.2g} mg/L of the "
                f"lowest arm on drug; lower levels were seen off drug only, for up to "
                f"{known.off:.0f} weeks."
            )
        if trough > 1.02 * high:
            said.append(
                f"Troughs of about {trough:.2g} mg/L lie above the {high:.2g} mg/L of the "
                f"highest arm observed."
            )
    if week > known.last:
        said.append(f"Nothing was observed after week {known.last:.0f}.")
    return " ".join(said)
