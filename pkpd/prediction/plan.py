"""A question about maintenance made definite: regimens, visits, and lanes of virtual patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.trajectories import Lanes
from pkpd.prediction.leaving import Leavers
from pkpd.prediction.simulated import lanes_for, leavers_for
from pkpd.regimen import Regimen, regimen
from pkpd.settings import Predictions, Question

STOP = "stop"


@dataclass(frozen=True)
class Plan:
    """One induction, and what its responders are re-randomised to.

    `weeks` are the visits from the selection week on; `trough` the weeks (regimens, visits) at
    which each regimen's last level before a dose is read; `labels[0]` is the reference. `leavers`
    leave after selection.
    """

    question: Question
    labels: tuple[str, ...]
    intervals: tuple[float, ...]
    regimens: tuple[Regimen, ...]
    weeks: np.ndarray
    trough: np.ndarray
    lanes: Lanes
    leavers: Leavers | None = None

    @property
    def selection(self) -> float:
        """The week of re-randomisation."""
        return float(self.weeks[0])


def plan(
    likelihood: Likelihood,
    question: Question,
    *,
    new_trial: bool = False,
    scored: tuple[str, ...] = (),
    leaving: bool | float = False,
) -> Plan:
    """Continue at each interval, shortest first, or stop, from the selection week on.

    `new_trial` and `scored` are those of `lanes_for`; with `leaving`, those who leave are followed
    too: all, or a share of the patients.
    """
    asked = likelihood.settings.predictions
    week = asked.selection_week
    induction = regimen(question.induction)
    intervals = tuple(sorted(asked.intervals))
    texts = [f"{question.dose:g} mg every {interval:g} weeks" for interval in intervals]
    regimens = tuple(induction.then(regimen(text), week) for text in (*texts, "none"))
    weeks = _visits(asked)
    trough = np.array([[last_before(given, at, week) for at in weeks] for given in regimens])
    wanted = likelihood, question.drug, regimens, np.union1d(weeks, trough)
    lanes = lanes_for(*wanted, new_trial=new_trial, scored=scored)
    gone = None
    if leaving:
        more: dict[str, Any] = {"new_trial": new_trial, "scored": scored, "share": leaving}
        gone = leavers_for(*wanted, start=week, **more)
    labels = (*(f"Q{interval:g}W" for interval in intervals), STOP)
    return Plan(question, labels, (*intervals, np.inf), regimens, weeks, trough, lanes, gone)


def _visits(asked: Predictions) -> np.ndarray:
    week = asked.selection_week
    return np.array(sorted({week, *(w for w in asked.weeks if w > week)}))


def last_before(given: Regimen, week: float, selection: float) -> float:
    """The week of the last level read before a dose; `week` itself where dosing has stopped."""
    doses = [at for at in given.weeks(week) if at >= selection]
    return doses[-1] if doses else week
