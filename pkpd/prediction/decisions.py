"""What follows for a choice of interval: probabilities, the longest interval, time to loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pkpd.arm_level.problem import Likelihood
from pkpd.prediction.kept import ESTIMANDS, Kept
from pkpd.prediction.plan import Plan
from pkpd.prediction.seen import Seen, flag, seen
from pkpd.prediction.summarise import chance
from pkpd.settings import Predictions

DECISIONS = (
    "drug", "induction", "endpoint", "estimand", "regimen", "week", "quantity", "margin",
    "probability", "value", "prior_value", "flag",
)  # fmt: skip
WEEKS = (52.0, 72.0, 104.0)
TIMES = ("median_weeks_to_loss", "restricted_mean_weeks_to_loss")


def decisions(likelihood: Likelihood, made: Plan, found: Kept, prior: Kept | None) -> list[dict]:
    """Rows of decisions.csv for one question.

    `prob_loss_within_margin`: P(share on Q4W - share <= margin), shares of responders.
    `prob_kept_share`: P(share / share on Q4W >= margin).
    `longest_interval`: the longest interval for which that probability, and that of every
    shorter interval, is at least `probability`; infinity for stopping, NaN for none.
    Times to loss count weeks from selection to the first visit without response, had nobody
    left; NaN where more than half still respond at the last visit.
    """
    asked, known = likelihood.settings.predictions, seen(likelihood, made.question.drug)
    shared = {"drug": made.question.drug, "induction": made.question.induction}
    result = []
    for endpoint in asked.endpoints:
        for estimand in ESTIMANDS:
            first = {**shared, "endpoint": endpoint, "estimand": estimand}
            key = (endpoint, estimand, "proportion")
            before = prior[key] if prior else None
            result += [first | row for row in _shares(made, found[key], before, asked, known)]
        first = {**shared, "endpoint": endpoint, "estimand": "hypothetical"}
        result += [first | row for row in _times(made, found, prior, endpoint, known)]
    return result


def _shares(
    made: Plan, share: np.ndarray, prior: np.ndarray | None, asked: Predictions, known: Seen
) -> Iterator[dict]:
    """Rows about shares (draws, regimens, visits) at each decision week."""
    for week in (week for week in WEEKS if week in made.weeks):
        t = int(np.searchsorted(made.weeks, week))
        now = probabilities(share[..., t], asked)
        before = probabilities(prior[..., t], asked) if prior is not None else None
        for name, margin in (
            ("prob_loss_within_margin", asked.margin),
            ("prob_kept_share", asked.kept_share),
        ):
            for r in range(1, len(made.labels)):
                yield {
                    "regimen": made.labels[r],
                    "week": week,
                    "quantity": name,
                    "margin": margin,
                    "probability": np.nan,
                    "value": now[name][r],
                    "prior_value": before[name][r] if before else np.nan,
                    "flag": flag(made, known, r, week),
                }
        best = longest(made, now["prob_kept_share"], asked.probability)
        yield {
            "regimen": "",
            "week": week,
            "quantity": "longest_interval",
            "margin": asked.kept_share,
            "probability": asked.probability,
            "value": made.intervals[best] if best is not None else np.nan,
            "prior_value": _prior_longest(made, before, asked),
            "flag": flag(made, known, best, week) if best is not None else "",
        }


def probabilities(share: np.ndarray, asked: Predictions) -> dict[str, np.ndarray]:
    """By regimen, from shares (draws, regimens) whose first regimen is the reference."""
    first = share[:, :1]
    known = np.isfinite(share) & np.isfinite(first)
    loss = first - share
    return {
        "prob_loss_within_margin": chance(loss <= asked.margin, known),
        "prob_kept_share": chance(share >= asked.kept_share * first, known & (first > 0)),
    }


def longest(made: Plan, probability: np.ndarray, wanted: float) -> int | None:
    """The place of the longest interval that, like every shorter one, is likely enough."""
    enough = np.concatenate([probability >= wanted, [False]])
    place = int(np.argmin(enough)) - 1
    return place if place >= 0 else None


def _prior_longest(made: Plan, before: dict | None, asked: Predictions) -> float:
    if before is None:
        return np.nan
    best = longest(made, before["prob_kept_share"], asked.probability)
    return made.intervals[best] if best is not None else np.nan


def _times(
    made: Plan, found: Kept, prior: Kept | None, endpoint: str, known: Seen
) -> Iterator[dict]:
    for name in TIMES:
        key = (endpoint, "hypothetical", name)
        for r, label in enumerate(made.labels):
            yield {
                "regimen": label,
                "week": np.nan,
                "quantity": name,
                "margin": np.nan,
                "probability": np.nan,
                "value": _middle(found[key][:, r, 0]),
                "prior_value": _middle(prior[key][:, r, 0]) if prior else np.nan,
                "flag": flag(made, known, r, float(made.weeks[-1])),
            }


def _middle(values: np.ndarray) -> float:
    """The median over draws; NaN where it is no finite number."""
    some = values[~np.isnan(values)]
    value = float(np.median(some)) if some.size else np.nan
    return value if np.isfinite(value) else np.nan
