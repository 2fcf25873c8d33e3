"""Which visit tells most of whether a response will hold: preposterior analysis by simulation.

R is whether the patient responds at the target week under the target regimen, r its chance for each
weighed draw. A visit would show y; were it known, P(R) would become p(y), and the variance of R
p(y) (1 - p(y)), on average over the y that may be seen

    E[p (1 - p)] = p0 (1 - p0) - var p(y).

K possible y are drawn from the patient's predictive distribution; for each, the other draws are
weighed again by their density at y (nested Monte Carlo; Rainforth and others 2018, ICML). The draw
that made y is left out, and the bias p gets from few draws, its own sampling variance, is taken
off. What no visit can tell is the luck of the target visit itself: var r is all there is to learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pkpd.individual.numbers import outcome, outcome_values
from pkpd.prediction.patient_courses import Courses
from pkpd.prediction.patient_effects import PatientEffects, arrays, by_draw
from pkpd.prediction.patient_tables import Labels
from pkpd.settings_individual import Observation
from pkpd.variation import outcome as outcomes

VISITS = ("id", "response", "target_regimen", "target_week", "regimen", "week", "observation",
          "probability", "variance", "learnable", "expected_variance", "reduction", "share_learnt",
          "mcse", "behind_best", "behind_mcse", "ess", "status")  # fmt: skip
OUTER, GROUPS = 400, 10
"""Possible observations of each visit, and groups of population draws left out in turn."""

NOTHING = 1e-4
"""Variance of a patient's own probability below which there is nothing to learn: an SD of 0.01."""

KINDS = ("continuous", "bounded")
"""Outcomes of observations that a visit may bring."""


@dataclass(frozen=True)
class Target:
    """A response, and the places of its regimen and week among those asked."""

    response: str
    regimen: int
    week: int


@dataclass(frozen=True)
class Learnt:
    """Of one visit: p (1 - p) for each possible y, its mean without each group, median ESS."""

    after: Float[np.ndarray, " K"]
    without: Float[np.ndarray, " G"]
    ess: float


def visit_table(
    drawn: Courses, effects: PatientEffects, labels: Labels, target: Target,
    candidates: Sequence[int], observations: Sequence[Observation], *, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """One row a patient and possible visit: regimen until then, week, what is measured.

    `candidates` are places of weeks. Monte-Carlo errors count both the possible y and the draws.
    """
    told = [o for o in observations if o.outcome in KINDS and o.label in drawn.level]
    rows: list[dict] = []
    for n, who in enumerate(labels.patients):
        chance = drawn.chance[target.response][:, target.regimen, n, target.week]
        weights = effects.weights[:, n]
        some = _systematic(weights, np.random.default_rng([seed, n]))
        found, names = [], []
        for r, regimen in enumerate(labels.regimens):
            for t in candidates:
                for each in told:
                    log_density = _densities(each, drawn, effects, some, (r, n, t))
                    found.append(_learnt(log_density, weights, chance, some, effects.draw))
                    names.append({"regimen": regimen, "week": labels.weeks[t],
                                  "observation": each.label})  # fmt: skip
        first = {"id": who, "response": target.response,
                 "target_regimen": labels.regimens[target.regimen],
                 "target_week": labels.weeks[target.week], "status": labels.status[n]}  # fmt: skip
        for name, told_of in zip(names, _told(found, weights, chance, effects.draw), strict=True):
            rows.append({**first, **name, **told_of})
    return pd.DataFrame(rows, columns=list(VISITS))


def _systematic(weights: np.ndarray, chance: np.random.Generator) -> Int[np.ndarray, " K"]:
    """Places of draws, as often as their weights say."""
    at = (np.arange(OUTER) + chance.random()) / OUTER
    return np.searchsorted(np.cumsum(weights), at * weights.sum()).clip(max=weights.size - 1)


def _densities(
    observation: Observation, drawn: Courses, effects: PatientEffects, some: np.ndarray,
    at: tuple[int, int, int],
) -> Float[np.ndarray, "K S"]:  # fmt: skip
    """log p(y | draw) of each possible observation under each draw."""
    y = drawn.seen[observation.label][(some, *at)]
    y = np.log(y) if observation.log else y
    f = drawn.level[observation.label][(slice(None), *at)]
    population = arrays({n: value[effects.draw] for n, value in effects.population.items()})
    q = outcome_values(observation, population)
    wide = np.broadcast_to(y[:, None], (y.size, f.size))
    return np.asarray(outcomes.log_density(outcome(observation), wide, f[None, :], q))


def _learnt(
    log_density: Float[np.ndarray, "K S"], weights: np.ndarray, chance: np.ndarray,
    some: Int[np.ndarray, " K"], draw: Int[np.ndarray, " S"],
) -> Learnt:  # fmt: skip
    """The variance of the response that is left after each possible observation."""
    ratio = np.exp(log_density - log_density.max(axis=1, keepdims=True)) * weights
    ratio[np.arange(some.size), some] = 0.0  # the draw that made y would know it too well
    after, ess = _after(ratio, chance, draw)
    group = draw % GROUPS
    without = [_after(ratio * (group != g), chance, draw)[0].mean() for g in range(GROUPS)]
    return Learnt(after, np.array(without), float(np.median(ess)))


def _after(
    ratio: Float[np.ndarray, "K S"], chance: np.ndarray, draw: np.ndarray
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """p (1 - p) of each row of weights, its bias taken off, and how many draws the row is worth."""
    share = ratio / ratio.sum(axis=1, keepdims=True)
    p = share @ chance
    off = by_draw((share * (chance - p[:, None])).T, draw)
    return p * (1 - p) + (off**2).sum(axis=0), 1 / (share**2).sum(axis=1)


def _told(
    found: Sequence[Learnt], weights: np.ndarray, chance: np.ndarray, draw: np.ndarray
) -> Iterator[dict]:
    """The cells of every visit of one patient; each is compared with the best of them."""
    p = float(weights @ chance)
    now, learnable = p * (1 - p), float(weights @ (chance - p) ** 2)
    group = draw % GROUPS
    nows = np.array([_variance(weights * (group != g), chance) for g in range(GROUPS)])
    best = min(found, key=lambda each: each.after.mean())
    for each in found:
        left = float(each.after.mean())
        behind = each.after - best.after
        yield {
            "probability": p,
            "variance": now,
            "learnable": learnable,
            "expected_variance": left,
            "reduction": now - left,
            "share_learnt": (now - left) / learnable if learnable > NOTHING else np.nan,
            "mcse": _error(each.after, nows - each.without),
            "behind_best": float(behind.mean()),
            "behind_mcse": _error(behind, each.without - best.without),
            "ess": each.ess,
        }


def _variance(weights: np.ndarray, chance: np.ndarray) -> float:
    p = float(weights @ chance) / float(weights.sum())
    return p * (1 - p)


def _error(outer: Float[np.ndarray, " K"], without: Float[np.ndarray, " G"]) -> float:
    """Monte-Carlo error: of the possible observations, and of the draws by the jackknife."""
    inner = (GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum()
    return float(np.sqrt(outer.var(ddof=1) / outer.size + inner))
