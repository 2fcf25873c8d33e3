"""Virtual patients under any regimen of one drug, followed as far as asked, draw by draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float

from pkpd.arm_level import arms
from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.trajectories import Lanes
from pkpd.mechanism import mesh as meshes
from pkpd.model import Model
from pkpd.prediction.leaving import Leavers, ended, weeks_of_leaving
from pkpd.prediction.trials import baseline, dosing_phases, given_in, trial_of
from pkpd.regimen import Regimen
from pkpd.variation.population import Population, exposures, population
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
    left: Left | None = None


@dataclass(frozen=True)
class Left:
    """One draw's patients, each having left in the week of `Leavers`; shapes as in `Future`."""

    ratio: Float[np.ndarray, "T R N"]
    level: Float[np.ndarray, "T R N"]
    weight: Float[np.ndarray, "T R N"]


@dataclass(frozen=True)
class Steps:
    """Days that a mesh must hold beyond doses and weeks, and days on which occupancy jumps."""

    days: frozenset[float] = frozenset()
    onsets: frozenset[float] = frozenset()


NO_STEPS = Steps()


def lanes_for(
    likelihood: Likelihood,
    drug: str,
    regimens: Sequence[Regimen],
    weeks: np.ndarray,
    *,
    new_trial: bool = False,
    steps: Steps = NO_STEPS,
    scored: tuple[str, ...] = (),
    ends: Float[np.ndarray, " N"] | None = None,
) -> Lanes:
    """Lanes of regimens of one drug ("placebo" has none to give) that share their patients.

    Trial effects are those of the drug's own trial; with `new_trial`, of one trial more than the
    fit had, for draws from `with_new_trial`. Their number is that of the settings, rounded up to a
    power of two. Where amounts go by weight, each patient gets theirs. Parameters in `scored` vary
    between these patients too: those of a model that is to follow the same patients. `ends` is the
    week after which each patient has no dose; of fewer than all, the first so many are followed.
    """
    trial, end = trial_of(likelihood, drug), float(np.max(weeks))
    days, runs = _days([regimen.weeks(end) for regimen in regimens], weeks, steps), len(regimens)
    people = people_for(likelihood, drug, runs, scored=scored)
    if ends is not None:
        people = people.some(np.arange(ends.size))
    doses = [dosed(r, end, people.covariates["wt"][k]) for k, r in enumerate(regimens)]
    if ends is not None:
        doses = [ended(given, ends) for given in doses]
    pk, nodes = kinetics(likelihood, drug), meshes.nodes(days)
    random = tuple(dict.fromkeys((*random_of(likelihood.disease), *scored)))
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
        drug=np.full(runs, drugs.index(drug if drug in drugs else given_in(likelihood, trial))),
        trial=np.full(runs, len(trials) if new_trial else trials.index(trial)),
        phase=np.repeat(
            (phase if new_trial else dosing_phases(likelihood, trial, days))[:, None], runs, axis=1
        ),
        drugs=drugs,
    )


def leavers_for(
    likelihood: Likelihood,
    drug: str,
    regimens: Sequence[Regimen],
    weeks: np.ndarray,
    *,
    start: float,
    new_trial: bool = False,
    scored: tuple[str, ...] = (),
    share: float = 1.0,
) -> Leavers:
    """Who leaves after week `start`: the patients of `lanes_for`, given the same arguments.

    With a `share` below 1, the first of them alone, rounded up.
    """
    wanted = likelihood.settings.predictions
    count = math.ceil(share * (1 << (wanted.patients - 1).bit_length()))
    week = weeks_of_leaving(count, start, float(np.max(weeks)), wanted.seed)
    lanes = lanes_for(
        likelihood, drug, regimens, weeks, new_trial=new_trial, scored=scored, ends=week
    )
    return Leavers(start, week, lanes)


def people_for(
    likelihood: Likelihood,
    drug: str,
    runs: int,
    *,
    scored: tuple[str, ...] = (),
) -> Population:
    """The virtual patients that `lanes_for` follows, the same ones in each of `runs` runs."""
    random = dict.fromkeys((*random_of(likelihood.disease), *scored))
    kinds = dict.fromkeys(name for model in likelihood.pk.values() for name in varying(model))
    wanted = likelihood.settings.predictions
    count = 1 << (wanted.patients - 1).bit_length()
    asked = likelihood.settings.patients.model_copy(update={"count": count, "seed": wanted.seed})
    base = baseline(likelihood, trial_of(likelihood, drug))
    return population(asked, [base] * runs, [0] * runs, tuple(random), tuple(kinds))


def kinetics(likelihood: Likelihood, drug: str) -> Model:
    """The pharmacokinetics of a drug; for "placebo", of what the trial gives."""
    given = given_in(likelihood, trial_of(likelihood, drug))
    return likelihood.pk[drug if drug in likelihood.pk else given]


def dosed(
    regimen: Regimen, end: float, weights: np.ndarray
) -> list[tuple[float, float | np.ndarray]]:
    """(day, mg) of the doses up to week `end`, mg a number a patient where it goes by weight."""
    if not regimen.edges:
        return [(dose.week * WEEK, dose.amount) for dose in regimen.doses(end)]
    when, amounts = regimen.doses_by_weight(end, weights)
    return list(zip((when * WEEK).tolist(), amounts, strict=True))


def random_of(disease: Model) -> tuple[str, ...]:
    """Names of the parameters of a disease model that vary between patients."""
    return tuple(p.name for p in disease.parameters if p.between is not None)


def _days(doses: Sequence[Sequence[float]], weeks: np.ndarray, steps: Steps) -> np.ndarray:
    given = {week * WEEK for regimen in doses for week in regimen}
    onsets = {regimen[0] * WEEK for regimen in doses if regimen} | steps.onsets
    asked = {float(week) * WEEK for week in weeks}
    return meshes.graded(max(asked), {*given, *asked, *steps.days}, onsets, WIDEST)


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
    likelihood: Likelihood,
    draws: Draws,
    lanes: Lanes,
    weeks: np.ndarray,
    leavers: Leavers | None = None,
) -> Iterator[Future]:
    """The virtual patients at `weeks`, one draw after another; with `leavers`, those beside."""
    at = day_index(lanes, weeks)

    @jax.jit
    def solve(values: Mapping) -> tuple:
        found = arms.paths(likelihood.disease, values, lanes)
        stayed = found.ratio[at], found.stay[at], found.level[at]
        if leavers is None:
            return stayed, None
        gone = arms.paths(likelihood.disease, values, leavers.lanes)
        return stayed, (gone.ratio[at], gone.level[at], leavers.weight(found.stay, lanes.mesh, at))

    for k in range(len(next(iter(draws.values())))):
        values = {name: np.asarray(draws[name][k]) for name in likelihood.space.names}
        (ratio, stay, level), gone = jax.tree.map(np.asarray, solve(values))
        yield Future(ratio, stay, level, None if gone is None else Left(*gone))
