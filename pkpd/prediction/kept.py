"""Responders re-randomised and followed: what each draw says, kept apart by draw.

Responders are those of the endpoint asked about at the selection visit, in the trial and at the
visit. Every regimen has the same patients with the same luck, in every draw. What counts for those
who leave after selection is told in `prediction.estimands`; under treatment-policy where the plan
follows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pkpd.arm_level.problem import Likelihood
from pkpd.prediction.estimands import COUNTED, NRI, POLICY, after_all, averaged
from pkpd.prediction.patients import Luck, Shown, luck, shown, wandering
from pkpd.prediction.plan import Plan
from pkpd.prediction.simulated import Draws, Future, futures
from pkpd.settings import Predictions

COPIES = 8
"""Lucks of each virtual patient, so that a share is not at the mercy of one."""
Kept = dict[tuple[str, str, str], Float[np.ndarray, "draws regimens visits"]]


def kept(likelihood: Likelihood, plan: Plan, draws: Draws) -> Kept:
    """By (endpoint, estimand, statistic), for every draw, regimen and visit.

    Statistics are `proportion`; for EASI_PCHG `mean_change`, `lower`, `upper` (between patients,
    in per cent); for CONC `concentration_trough`. `median_weeks_to_loss` (infinite where more than
    half still respond at the last visit) and `restricted_mean_weeks_to_loss` count from selection
    to the first visit without response, had nobody left, and stand at the last visit alone.
    """
    asked = likelihood.settings.predictions
    weeks = np.union1d(plan.weeks, plan.trough)
    count = plan.lanes.easi.shape[1] * COPIES
    chance = luck(np.random.default_rng(asked.seed), len(plan.weeks), (count,))
    found: dict[tuple[str, str, str], list[np.ndarray]] = {}
    for k, future in enumerate(futures(likelihood, draws, plan.lanes, weeks, plan.leavers)):
        values = {name: np.asarray(draws[name][k]) for name in likelihood.space.names}
        for key, value in _draw(values, plan, future, weeks, chance, asked).items():
            found.setdefault(key, []).append(value)
    return {key: np.stack(parts) for key, parts in found.items()}


def _draw(
    values: Mapping[str, np.ndarray],
    plan: Plan,
    future: Future,
    weeks: np.ndarray,
    chance: Luck,
    asked: Predictions,
) -> dict[tuple[str, str, str], np.ndarray]:
    """One draw's numbers, each (regimens, visits)."""
    at = np.searchsorted(weeks, plan.weeks)
    ratio, stay = (_copied(part, at) for part in (future.ratio, future.stay))
    drift = wandering(values, chance, plan.weeks)

    def visits(ratio: np.ndarray) -> Shown:
        return shown(
            values,
            ratio=ratio,
            stay=stay,
            easi=np.tile(plan.lanes.easi, COPIES),
            drift=drift,
            chance=chance,
            trial=int(plan.lanes.trial[0]),
        )

    visit, after = visits(ratio), None
    if future.left is not None:
        after = After(visits(_copied(future.left.ratio, at)), _copied(future.left.weight, at))
    found = {}
    for endpoint in asked.endpoints:
        chosen = visit.response[endpoint][0, 0] & visit.present[0, 0]
        found |= _responding(endpoint, visit, after, chosen, plan)
        if endpoint == asked.endpoints[0]:
            found |= _changes(visit, after, ratio, chosen, asked.level)
            found["CONC", "hypothetical", "concentration_trough"] = _troughs(
                future, weeks, plan, chosen
            )
    return found


def _copied(part: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(weeks, regimens, patients) at the visits, as (regimens, visits, patients and luck)."""
    return np.tile(part[at].transpose(1, 0, 2), COPIES)


@dataclass(frozen=True)
class After:
    """What the same patients with the same luck show once they left, and how likely that is."""

    visit: Shown
    weight: Float[np.ndarray, "R V n"]

    def mean(
        self, visit: Shown, chosen: np.ndarray, read: Callable[[Shown], np.ndarray]
    ) -> Float[np.ndarray, "R V"]:
        """The mean over the chosen of what is read off visits, under treatment-policy."""
        here, after = (read(each)[..., chosen] for each in (visit, self.visit))
        return after_all(here, after, visit.staying[..., chosen], self.weight[..., chosen])


def _responding(
    endpoint: str, visit: Shown, after: After | None, chosen: np.ndarray, plan: Plan
) -> dict[tuple[str, str, str], np.ndarray]:
    response, present = visit.response[endpoint][..., chosen], visit.present[..., chosen]
    found = {(endpoint, name, "proportion"): averaged(response, present, name) for name in COUNTED}
    if after is not None:
        told = after.mean(visit, chosen, lambda each: each.response[endpoint])
        found[endpoint, POLICY, "proportion"] = told
    to_loss = weeks_to_loss(response, plan.weeks)
    longest = plan.weeks[-1] - plan.selection
    middle = np.median(to_loss, axis=-1) if chosen.any() else np.full(len(to_loss), np.nan)
    mean = np.minimum(to_loss, longest).sum(axis=-1) / (chosen.sum() or np.nan)
    found[endpoint, "hypothetical", "median_weeks_to_loss"] = middle[:, None]
    found[endpoint, "hypothetical", "restricted_mean_weeks_to_loss"] = mean[:, None]
    return found


def weeks_to_loss(
    response: np.ndarray, weeks: np.ndarray
) -> Float[np.ndarray, "regimens patients"]:
    """Weeks from the first visit to the first at which a patient does not respond; else inf."""
    lost = ~response
    first = weeks[np.argmax(lost, axis=1)] - weeks[0]
    return np.where(lost.any(axis=1), first, np.inf)


def _changes(
    visit: Shown, after: After | None, ratio: np.ndarray, chosen: np.ndarray, level: float
) -> dict[tuple[str, str, str], np.ndarray]:
    """Mean % change as seen, and the spread of patients' own % change without visits' noise."""
    change, present = 100 * (visit.seen[..., chosen] - 1), visit.present[..., chosen]
    own, tail = 100 * (ratio[..., chosen] - 1), (1 - level) / 2
    ends = np.full((3, *ratio.shape[:2]), np.nan)
    if chosen.any():
        ends = np.stack([*np.quantile(own, (tail, 1 - tail), axis=-1), own.mean(axis=-1)])
    means = {name: averaged(change, present, name) for name in COUNTED if name != NRI}
    if after is not None:
        means[POLICY] = after.mean(visit, chosen, lambda each: 100 * (each.seen - 1))
    return {("EASI_PCHG", name, "mean_change"): value for name, value in means.items()} | {
        ("EASI_PCHG", "hypothetical", name): value
        for name, value in zip(("lower", "upper", "middle"), ends, strict=True)
    }


def _troughs(future: Future, weeks: np.ndarray, plan: Plan, chosen: np.ndarray) -> np.ndarray:
    """Mean mg/L of the selected just before their last dose; now, for those who stopped."""
    at = np.searchsorted(weeks, plan.trough)
    level = np.tile(np.stack([future.level[at[r], r] for r in range(len(at))]), COPIES)
    return level[..., chosen].mean(axis=-1) if chosen.any() else np.full(at.shape, np.nan)
