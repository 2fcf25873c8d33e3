"""The table decisions.csv: a row for each quantity of each regimen, subgroup, week and model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from pkpd.decision.asked import DecisionAsked
from pkpd.decision.beside import Beside, beside
from pkpd.decision.loss import injections
from pkpd.decision.quantities import CHANCES, NUMBERS, Summary, answer, choices
from pkpd.decision.sources import Sources
from pkpd.prediction.summarise import KIND

COLUMNS = (
    "drug", "induction", "subgroup", "endpoint", "estimand", "week", "regimen", "quantity",
    "margin", "probability", "model", "value", "lower", "upper", "level", "kind", "prior_value",
    "prior_lower", "prior_upper", "prior_sensitivity", "likelihood_sensitivity", "scaled_least",
    "scaled_greatest", "flag", "status",
)  # fmt: skip
LONGEST_KEPT, LONGEST_WITHIN, LEAST_LOSS = "longest_interval", "longest_within_margin", "least_loss"
DECISIONS = {
    LONGEST_KEPT: "longest_kept",
    LONGEST_WITHIN: "longest_within_margin",
    LEAST_LOSS: "least_loss",
}
"""Decisions by the name they have in the table."""


def rows(sources: Sources, status: str) -> list[dict]:
    """All rows of one question; `status` says whether the posterior met its demands."""
    first = {
        "drug": sources.question.drug,
        "induction": sources.question.induction,
        "endpoint": sources.asked.endpoint,
        "estimand": sources.asked.estimand,
    }
    found = [row for week in sources.asked.weeks for row in _week(sources, week)]
    return [{**first, **row, "status": status} for row in found]


def _week(sources: Sources, week: float) -> Iterator[dict]:
    asked = sources.asked
    for name, sample in sources.models.items():
        said = answer(sample, sources.regimens, asked, week)
        own = beside(sources, week) if name == sources.own else Beside(asked)
        first = {"week": week, "model": name, "level": asked.level, "kind": KIND}
        yield from (first | row for row in _quantities(sources, said, own, week))
        yield from (first | row for row in _decisions(sources, said, own, week))
    yield from _burden(sources, week)


def _quantities(
    sources: Sources, said: Mapping[str, Summary], own: Beside, week: float
) -> Iterator[dict]:
    """Rows of a number or chance by group and regimen; those of the reference to itself too."""
    flags = sources.flags[week]
    for quantity in (*NUMBERS, *CHANCES):
        found = said[quantity]
        for g, group in enumerate(sources.groups.names):
            for r, label in enumerate(sources.regimens.labels):
                yield {
                    "subgroup": group,
                    "regimen": label,
                    "quantity": quantity,
                    "margin": _limit(quantity, sources.asked),
                    "value": found.value[g, r],
                    "lower": found.lower[g, r],
                    "upper": found.upper[g, r],
                    "flag": flags[r],
                    **own.of(quantity, g, r),
                }


def _limit(quantity: str, asked: DecisionAsked) -> float:
    limits = {
        "prob_loss_within_margin": asked.margin,
        "prob_kept_share": asked.kept_share,
        LONGEST_WITHIN: asked.margin,
        LONGEST_KEPT: asked.kept_share,
    }
    return limits.get(quantity, np.nan)


def _decisions(
    sources: Sources, said: Mapping[str, Summary], own: Beside, week: float
) -> Iterator[dict]:
    """Rows of what is decided: `regimen` names it, `value` is its weeks between doses."""
    made, intervals = choices(said, sources.asked), sources.regimens.intervals
    for quantity, name in DECISIONS.items():
        for g, group in enumerate(sources.groups.names):
            place = getattr(made, name)[g]
            sure = np.nan if quantity == LEAST_LOSS else sources.asked.probability
            yield {
                "subgroup": group,
                "regimen": "" if place is None else sources.regimens.labels[place],
                "quantity": quantity,
                "margin": _limit(quantity, sources.asked),
                "probability": sure,
                "value": np.nan if place is None else intervals[place],
                "flag": "" if place is None else sources.flags[week][place],
                **own.chosen(name, g, intervals),
            }


def _burden(sources: Sources, week: float) -> Iterator[dict]:
    each = injections(sources.regimens.intervals)
    for label, value in zip(sources.regimens.labels, each, strict=True):
        yield {
            "week": week,
            "subgroup": sources.groups.names[0],
            "regimen": label,
            "quantity": "injections_per_year",
            "model": sources.own,
            "value": value,
            "flag": "",
        }
