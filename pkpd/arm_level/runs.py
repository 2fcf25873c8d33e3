"""Runs: the distinct dosing histories behind the arms of a data set, and their lanes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from pkpd.arm_level.trajectories import Lanes
from pkpd.data.arms import Arm, ArmData
from pkpd.mechanism import mesh as meshes
from pkpd.model import Model
from pkpd.regimen import Regimen
from pkpd.settings import Settings
from pkpd.variation.population import exposures, population
from pkpd.variation.subjects import varying

WEEK = 7.0
LATE = 28 * WEEK
"""Day after which steps may be twice as wide."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Run:
    """One dosing history of one randomised cohort, followed to `last_week`."""

    cohort: Key
    study: str
    drug: str
    regimen: Regimen
    easi: tuple[float, float | None]
    last_week: float
    seed: int

    def doses(self) -> list[tuple[float, float]]:
        """(day, mg) up to the last visit."""
        return [(dose.week * WEEK, dose.amount) for dose in self.regimen.doses(self.last_week)]


def find_runs(data: ArmData) -> tuple[tuple[Run, ...], dict[Key, int]]:
    """The runs, and which run each arm (study, name) belongs to.

    An arm that carries on its parent's regimen shares the parent's run.
    """
    last = float(data.rows["week"].max())
    ends = cast("dict[Key, float]", data.rows.groupby(["study", "arm"])["week"].max().to_dict())
    cohorts = [arm for arm in data.arms if arm.parent is None]
    children = [arm for arm in data.arms if arm.parent is not None]
    runs: list[Run] = []
    place: dict[Key, int] = {}
    for arm in [*cohorts, *children]:
        cohort = arm.parent or (arm.study, arm.name)
        number = [(c.study, c.name) for c in cohorts].index(cohort)
        end = max(ends.get((arm.study, arm.name), 0.0), _follow(arm, children, ends))
        run = Run(
            cohort,
            cohorts[number].study,
            arm.drug,
            arm.regimen,
            (arm.easi_mean, arm.easi_sd),
            min(end, last),
            number,
        )
        same = [k for k, other in enumerate(runs) if _alike(run, other)]
        place[arm.study, arm.name] = same[0] if same else len(runs)
        if not same:
            runs.append(run)
    return tuple(runs), place


def _follow(arm: Arm, children: list[Arm], ends: Mapping[Key, float]) -> float:
    """How long children of an arm are followed."""
    own = [ends[c.study, c.name] for c in children if c.parent == (arm.study, arm.name)]
    return max(own, default=0.0)


def _alike(run: Run, other: Run) -> bool:
    return run.cohort == other.cohort and run.doses() == other.doses()


def dropout_phases(settings: Settings, runs: tuple[Run, ...], data: ArmData, days: np.ndarray):
    """Which dropout phase rules each mesh step of each run, shape (steps, runs)."""
    families = {run.study: {run.study} for run in runs}
    for arm in data.arms:
        if arm.parent is not None:
            families[arm.parent[0]].add(arm.study)
    phase = np.zeros((days.size - 1, len(runs)), int)
    for number, rule in sorted(enumerate(settings.dropout), key=lambda pair: pair[1].from_week):
        for column, run in enumerate(runs):
            if rule.study in families[run.study]:
                phase[days[:-1] >= rule.from_week * WEEK - 1e-9, column] = number
    return phase


def onsets(runs: tuple[Run, ...]) -> set[float]:
    """Days of first doses: where occupancy jumps."""
    return {run.doses()[0][0] for run in runs if run.doses()}


def plan_days(runs: tuple[Run, ...], weeks: np.ndarray, widest: float) -> np.ndarray:
    """A mesh that holds every dose and visit, graded after first doses."""
    doses = {day for run in runs for day, _ in run.doses()}
    end = max(run.last_week for run in runs) * WEEK
    return meshes.graded(end, {*doses, *(weeks * WEEK)}, onsets(runs), widest, LATE)


def lanes(
    settings: Settings,
    data: ArmData,
    disease: Model,
    pk: Mapping[str, Model],
    runs: tuple[Run, ...],
    days: np.ndarray,
) -> Lanes:
    """Scores, baselines and tabulated exposures of every run on a mesh."""
    drugs = tuple(settings.drugs)
    random = tuple(p.name for p in disease.parameters if p.between is not None)
    names = tuple(dict.fromkeys(name for model in pk.values() for name in varying(model)))
    people = population(
        settings.patients, [run.easi for run in runs], [run.seed for run in runs], random, names
    )
    nodes = meshes.nodes(days)
    drug_of = {run.study: run.drug for run in runs if run.drug in drugs}
    tables = [
        exposures(pk[drug_of[run.study]], people, k, run.doses(), nodes)
        for k, run in enumerate(runs)
    ]
    trials = tuple(dict.fromkeys(run.study for run in runs))
    return Lanes(
        mesh=days,
        log_concentration=np.stack(tables, axis=2),
        scores={name: people.scores[name] for name in random},
        easi=people.easi,
        drug=np.array([drugs.index(drug_of[run.study]) for run in runs]),
        trial=np.array([trials.index(run.study) for run in runs]),
        phase=dropout_phases(settings, runs, data, days),
        drugs=drugs,
    )
