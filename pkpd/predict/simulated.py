"""Virtual patients under any regimen of one drug, followed as far as asked, draw by draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float

from pkpd.data.arms import Arm
from pkpd.likelihood import arms
from pkpd.likelihood.problem import Likelihood
from pkpd.likelihood.trajectories import Lanes
from pkpd.mechanism import mesh as meshes
from pkpd.regimen import Regimen
from pkpd.variation.population import exposures, population
from pkpd.variation.subjects import varying

WEEK = 7.0
WIDEST = 3.5
Draws = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Future:
    """One draw: EASI ratio, stay probability and mg/L, shape (weeks, regimens, patients)."""

    ratio: Float[np.ndarray, "T R N"]
    stay: Float[np.ndarray, "T R N"]
    level: Float[np.ndarray, "T R N"]


def trial_of(likelihood: Likelihood, drug: str) -> str:
    """The trial whose effects hold for a drug: the first that randomised patients to it."""
    return next(run.study for run in likelihood.runs if run.drug == drug)


def cohorts(likelihood: Likelihood, trial: str) -> tuple[Arm, ...]:
    """The arms a trial randomised its patients to at week 0."""
    return tuple(a for a in likelihood.data.arms if a.study == trial and a.parent is None)


def baseline(likelihood: Likelihood, trial: str) -> tuple[float, float | None]:
    """Mean and SD of EASI at entry over a trial's arms; no SD where none was posted."""
    found = cohorts(likelihood, trial)
    size = np.array([arm.n for arm in found], float)
    mean = float(np.average([arm.easi_mean for arm in found], weights=size))
    if any(arm.easi_sd is None for arm in found):
        return mean, None
    spread = [arm.easi_sd**2 + (arm.easi_mean - mean) ** 2 for arm in found]
    return mean, float(np.sqrt(np.average(spread, weights=size)))


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


def lanes_for(
    likelihood: Likelihood, drug: str, regimens: Sequence[Regimen], weeks: np.ndarray, *,
    patients: int, seed: int, new_trial: bool = False,
) -> Lanes:
    """Lanes of regimens of one drug ("placebo" has none to give) that share their patients.

    Trial effects are those of the drug's own trial; with `new_trial`, of one trial more than the
    fit had, for draws from `with_new_trial`. `patients` is rounded up to a power of two.
    """
    trial, end = trial_of(likelihood, drug), float(np.max(weeks))
    doses = [[(d.week * WEEK, d.amount) for d in regimen.doses(end)] for regimen in regimens]
    days = _days(doses, weeks)
    pk = likelihood.pk[drug if drug in likelihood.pk else _given(likelihood, trial)]
    random = tuple(p.name for p in likelihood.disease.parameters if p.between is not None)
    kinds = tuple(dict.fromkeys(name for model in likelihood.pk.values() for name in varying(model)))
    count, runs = 1 << (patients - 1).bit_length(), len(regimens)
    asked = likelihood.settings.patients.model_copy(update={"count": count, "seed": seed})
    people = population(asked, [baseline(likelihood, trial)] * runs, [0] * runs, random, kinds)
    nodes = meshes.nodes(days)
    phases, trials = likelihood.settings.dropout, likelihood.space.coords["trial"]
    phase = np.full(days.size - 1, len(phases))
    drugs = tuple(likelihood.settings.drugs)
    return Lanes(
        mesh=days,
        log_concentration=np.stack(
            [exposures(pk, people, k, given, nodes) for k, given in enumerate(doses)], axis=2
        ),
        scores={name: people.scores[name] for name in random},
        easi=people.easi,
        drug=np.full(runs, drugs.index(drug if drug in drugs else _given(likelihood, trial))),
        trial=np.full(runs, len(trials) if new_trial else trials.index(trial)),
        phase=np.repeat(
            (phase if new_trial else dosing_phases(likelihood, trial, days))[:, None], runs, axis=1
        ),
        drugs=drugs,
    )


def _days(doses: list[list[tuple[float, float]]], weeks: np.ndarray) -> np.ndarray:
    given = {day for regimen in doses for day, _ in regimen}
    onsets = {regimen[0][0] for regimen in doses if regimen}
    asked = {float(week) * WEEK for week in weeks}
    return meshes.graded(max(asked), {*given, *asked}, onsets, WIDEST)


def _given(likelihood: Likelihood, trial: str) -> str:
    """The drug a trial gives, for the pharmacokinetics of an arm that takes none."""
    return next(r.drug for r in likelihood.runs if r.study == trial and r.drug in likelihood.pk)


def with_new_trial(likelihood: Likelihood, draws: Draws, seed: int) -> dict[str, np.ndarray]:
    """Draws with one trial (and dropout phase) more, its standardised effects fresh N(0, 1)."""
    random = np.random.default_rng(seed)
    wide = {v.name for v in likelihood.space.variables if v.dim in ("trial", "phase")}

    def grown(name: str) -> np.ndarray:
        value = np.asarray(draws[name])
        if name not in wide:
            return value
        return np.concatenate([value, random.standard_normal((len(value), 1))], axis=1)

    return {name: grown(name) for name in likelihood.space.names}


def day_index(lanes: Lanes, weeks: np.ndarray) -> np.ndarray:
    """Places of weeks on a mesh that holds them."""
    return np.searchsorted(lanes.mesh, np.asarray(weeks, float) * WEEK - 1e-6)


def futures(
    likelihood: Likelihood, draws: Draws, lanes: Lanes, weeks: np.ndarray
) -> Iterator[Future]:
    """The virtual patients at `weeks`, one draw after another."""
    at = day_index(lanes, weeks)

    @jax.jit
    def solve(values: Mapping) -> tuple:
        found = arms.paths(likelihood.disease, values, lanes)
        return found.ratio[at], found.stay[at], found.level[at]

    for k in range(len(next(iter(draws.values())))):
        values = {name: np.asarray(draws[name][k]) for name in likelihood.space.names}
        yield Future(*(np.asarray(part) for part in solve(values)))
