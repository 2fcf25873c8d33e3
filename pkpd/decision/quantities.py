"""The quantities of a decision, by draw: what each interval keeps, costs and loses.

Each is an array (draws, groups, regimens); the first regimen is the reference, then come longer
intervals, then stopping. Quantities that begin with `prob_` are 1 or 0 by draw, their weighted mean
a probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pkpd.decision.asked import DecisionAsked
from pkpd.decision.loss import loss_by_draw
from pkpd.decision.weighed import Weighed, interval, mean

NUMBERS = ("proportion", "difference", "kept_ratio", "expected_loss")
CHANCES = ("prob_loss_within_margin", "prob_kept_share", "prob_dominated", "prob_least_loss")
BEHIND = {
    "prob_loss_within_margin": "difference",
    "prob_kept_share": "kept_ratio",
    "prob_least_loss": "expected_loss",
    **{name: name for name in NUMBERS},
}
"""The number that each quantity is a statement about."""
ByDraw = dict[str, Float[np.ndarray, "draws groups regimens"]]


@dataclass(frozen=True)
class Regimens:
    """What the regimens of a plan are called, how far apart their doses are, and the visits."""

    labels: tuple[str, ...]
    intervals: tuple[float, ...]
    weeks: Float[np.ndarray, " visits"]


def by_draw(
    share: Float[np.ndarray, "draws groups regimens visits"],
    regimens: Regimens,
    asked: DecisionAsked,
    week: float,
) -> ByDraw:
    """Every quantity at one week."""
    upto = int(np.searchsorted(regimens.weeks, week)) + 1
    now, weeks = share[..., upto - 1], regimens.weeks[:upto]
    first = now[..., :1]
    lost = loss_by_draw(share[..., :upto], weeks, regimens.intervals, asked.loss)
    return {
        "proportion": now,
        "difference": now - first,
        "kept_ratio": now / first,
        "expected_loss": lost,
        "prob_loss_within_margin": (first - now <= asked.margin).astype(float),
        "prob_kept_share": (now >= asked.kept_share * first).astype(float),
        "prob_dominated": dominated(now),
        "prob_least_loss": (lost == lost.min(axis=-1, keepdims=True)).astype(float),
    }


def dominated(share: Float[np.ndarray, "... regimens"]) -> Float[np.ndarray, "... regimens"]:
    """1 where some regimen with fewer injections keeps at least as much."""
    best = np.maximum.accumulate(share[..., ::-1], axis=-1)[..., ::-1]
    fewer = np.concatenate([best[..., 1:], np.full_like(share[..., :1], -np.inf)], axis=-1)
    return (fewer >= share).astype(float)


@dataclass(frozen=True)
class Summary:
    """Of one quantity: value and interval, each (groups, regimens); a chance has no interval."""

    value: Float[np.ndarray, "groups regimens"]
    lower: Float[np.ndarray, "groups regimens"]
    upper: Float[np.ndarray, "groups regimens"]


def summaries(found: ByDraw, weight: np.ndarray, level: float) -> dict[str, Summary]:
    """Each quantity's weighted mean and, for numbers, interval."""
    result = {}
    for name, values in found.items():
        value = mean(values, weight)
        ends = (np.full_like(value, np.nan),) * 2
        if name in NUMBERS:
            ends = interval(values, weight, level)
        result[name] = Summary(value, *ends)
    return result


@dataclass(frozen=True)
class Choices:
    """What follows for each group: the place of a regimen among the labels, or None for none."""

    longest_kept: tuple[int | None, ...]
    longest_within_margin: tuple[int | None, ...]
    least_loss: tuple[int, ...]


def choices(said: Mapping[str, Summary], asked: DecisionAsked) -> Choices:
    """The longest interval likely enough, by each criterion, and the regimen of least loss."""

    def longest(name: str) -> tuple[int | None, ...]:
        return tuple(_longest(row, asked.probability) for row in said[name].value)

    return Choices(
        longest("prob_kept_share"),
        longest("prob_loss_within_margin"),
        tuple(int(np.argmin(row)) for row in said["expected_loss"].value),
    )


def _longest(probability: np.ndarray, wanted: float) -> int | None:
    """The last place that, like every one before it, is likely enough."""
    enough = np.append(probability >= wanted - 1e-12, False)
    place = int(np.argmin(enough)) - 1
    return place if place >= 0 else None


def answer(sample: Weighed, regimens: Regimens, asked: DecisionAsked, week: float) -> dict:
    """Summaries of one weighed sample at one week."""
    return summaries(by_draw(sample.share, regimens, asked, week), sample.weight, asked.level)
