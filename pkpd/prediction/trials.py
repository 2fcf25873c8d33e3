"""Which trial stands for a drug, and what held in it: baselines, dropout phases."""

from __future__ import annotations

import numpy as np

from pkpd.arm_level.problem import Likelihood
from pkpd.data.arms import Arm

WEEK = 7.0


def trial_of(likelihood: Likelihood, drug: str) -> str:
    """The trial whose effects hold for a drug: the first that gave it, or the first of all."""
    own = (run.study for run in likelihood.runs if run.drug == drug)
    return next(own, likelihood.runs[0].study)


def cohorts(likelihood: Likelihood, trial: str) -> tuple[Arm, ...]:
    """The arms a trial randomised its patients to at week 0."""
    return tuple(a for a in likelihood.data.arms if a.study == trial and a.parent is None)


def baseline(likelihood: Likelihood, trial: str) -> tuple[float, float | None]:
    """Mean and SD of EASI at entry over a trial's arms; no SD where none was posted."""
    found = cohorts(likelihood, trial)
    size = np.array([arm.n for arm in found], float)
    mean = float(np.average([arm.easi_mean for arm in found], weights=size))
    within = [arm.easi_sd for arm in found if arm.easi_sd is not None]
    if len(within) < len(found):
        return mean, None
    between = [arm.easi_mean - mean for arm in found]
    return mean, float(np.sqrt(np.average(np.square(within) + np.square(between), weights=size)))


def dosing_phases(likelihood: Likelihood, trial: str, days: np.ndarray) -> np.ndarray:
    """Which dropout phase rules each step, as long as dosing goes on.

    Phases that begin when the trial's own arms go off drug are left out: a regimen that goes on,
    and stopping compared with it, are followed under the hazard seen on drug.
    """
    family = {trial, *(a.study for a in likelihood.data.arms if a.parent and a.parent[0] == trial)}
    off = min((a.phase_off_week or np.inf for a in cohorts(likelihood, trial)), default=np.inf)
    phase = np.zeros(days.size - 1, int)
    rules = sorted(enumerate(likelihood.settings.dropout), key=lambda pair: pair[1].from_week)
    for number, rule in rules:
        if rule.study in family and rule.from_week < off:
            phase[days[:-1] >= rule.from_week * WEEK - 1e-9] = number
    return phase


def given_in(likelihood: Likelihood, trial: str) -> str:
    """The drug a trial gives, for the pharmacokinetics of an arm that takes none."""
    return next(r.drug for r in likelihood.runs if r.study == trial and r.drug in likelihood.pk)
