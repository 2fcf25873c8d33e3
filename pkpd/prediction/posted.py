"""Trials simulated to their posted statistics: what a study would have posted.

Each randomised cohort draws its patients with replacement from its virtual patients; those who
enter a later study (`patients.entering`) are spread over that study's arms with the posted
sizes and keep their luck. See `predict.statistics` for how statistics are computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import jax
import numpy as np
from jaxtyping import Float

from pkpd.arm_level import arms
from pkpd.arm_level.problem import Likelihood
from pkpd.prediction.cohort import Cohort, Course
from pkpd.prediction.statistics import on_fitted_scale, with_discrepancy

RESERVE = 8
"""Spare patients, as multiples of a cohort, that fill a later study to its posted sizes."""


def courses(likelihood: Likelihood, draws: Mapping[str, np.ndarray]) -> tuple[Course, ...]:
    """Every study's virtual patients for each draw, in the order of `likelihood.studies`."""
    solve = jax.jit(lambda values: _at_visits(likelihood, values))
    count = len(next(iter(draws.values())))
    names = likelihood.space.names
    found = [solve({name: np.asarray(draws[name][k]) for name in names}) for k in range(count)]
    lanes = likelihood.lanes
    return tuple(
        Course(
            ratio=np.stack([draw[k][0] for draw in found]),
            stay=np.stack([draw[k][1] for draw in found]),
            level=np.stack([draw[k][2] for draw in found]),
            easi=lanes.easi[s.run],
            trial=lanes.trial[s.run],
        )
        for k, s in enumerate(likelihood.studies)
    )


def _at_visits(likelihood: Likelihood, values: Mapping) -> list[tuple]:
    found = arms.paths(likelihood.disease, values, likelihood.lanes)
    parts = (found.ratio, found.stay, found.level)
    return [
        tuple(part[s.day[None, :], s.run[:, None]] for part in parts) for s in likelihood.studies
    ]


def simulated(
    likelihood: Likelihood,
    values: Mapping[str, np.ndarray],
    found: tuple[Course, ...],
    random: np.random.Generator,
    *,
    replicates: int,
    reserve: int = 0,
) -> tuple[Float[np.ndarray, "B A F"], ...]:
    """Posted statistics of every study on natural scales (shares, fractions, mg/L).

    `values` have no leading axis, or one of length `replicates`. With `reserve` a later study is
    filled to its posted sizes from that many times more patients (from the same ones again where
    those run out); without, it takes those there are, and an arm nobody entered is NaN.
    """
    studies = likelihood.studies
    result = [np.full((replicates, *s.shape), np.nan) for s in studies]
    for k, s in enumerate(studies):
        for a in range(len(s.arms)) if not s.entered else ():
            cohort = Cohort(studies, found, (k, a), children(likelihood, k, a), reserve)
            for (study, arm), value in cohort.simulate(values, random, replicates):
                result[study][:, arm] = value
    return tuple(part.reshape(replicates, part.shape[1], -1) for part in result)


def children(likelihood: Likelihood, k: int, a: int) -> tuple[tuple[int, int], ...]:
    """(study, arm) places of the arms that patients of arm `a` of study `k` may enter."""
    own = (likelihood.studies[k].study, likelihood.studies[k].arms[a])
    names = {(arm.study, arm.name) for arm in likelihood.data.arms if arm.parent == own}
    return tuple(
        (place, arm)
        for place, s in enumerate(likelihood.studies)
        for arm, name in enumerate(s.arms)
        if (s.study, name) in names
    )


def simulate_posted(
    likelihood: Likelihood, values: Mapping[str, np.ndarray], random: np.random.Generator
) -> tuple[Float[np.ndarray, "A F"], ...]:
    """One simulated data set, in the form of each study's `Summaries.observed`."""
    found = courses(likelihood, {name: np.asarray(value)[None] for name, value in values.items()})
    natural = simulated(likelihood, values, found, random, replicates=1, reserve=RESERVE)
    return tuple(
        with_discrepancy(s, on_fitted_scale(s, part[0]), random)
        for s, part in zip(likelihood.studies, natural, strict=True)
    )


def simulated_likelihood(
    likelihood: Likelihood, values: Mapping[str, np.ndarray], random: np.random.Generator
) -> Likelihood:
    """The same fit with simulated results in place of the posted ones.

    The share behind each mean (`share_seen`) is the simulated one too: the likelihood takes it
    as known.
    """
    made = zip(likelihood.studies, simulate_posted(likelihood, values, random), strict=True)
    studies = []
    for s, observed in made:
        n, present = s.n[:, None], observed[:, s.columns.index("present") :: len(s.columns)]
        seen = np.clip(((n + 0.75) * np.sin(present) ** 2 - 0.375) / n, 1 / n, 1.0)
        studies.append(replace(s, observed=observed, share_seen=seen))
    return replace(likelihood, studies=tuple(studies))
