"""Outcomes: what a row may be, and for each its likelihood, draws and what is expected.

Every outcome is called alike: `(spec, y, f, q)`, f what the model predicts for each row (for an
event its hazards, for a chain the probabilities), q its numbers by the names in `spec.parameters`.
y is data, known before anything is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array

from pkpd.variation import (
    censored,
    outcome_bounded,
    outcome_categories,
    outcome_count,
    outcome_event,
)
from pkpd.variation.censored import Blq, Censoring
from pkpd.variation.outcome_bounded import Bounded
from pkpd.variation.outcome_categories import Binary, Markov, Ordinal
from pkpd.variation.outcome_count import Count
from pkpd.variation.outcome_event import Event
from pkpd.variation.outcome_laws import Tails
from pkpd.variation.residual import Numbers, Residual


@dataclass(frozen=True)
class Continuous:
    """A number about f with residual error, some of them censored."""

    residual: Residual
    blq: Blq = "M3"
    tails: Tails = "normal"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its numbers."""
        return (*self.residual.parameters, *(("nu",) if self.tails == "student" else ()))


Outcome = Continuous | Bounded | Ordinal | Binary | Count | Event | Markov


def log_density(
    spec: Outcome, y: np.ndarray, f: Any, q: Numbers, censoring: Censoring | None = None
) -> Array:
    """Log-likelihood of each row, of the shape of y; only continuous rows may be censored."""
    match spec:
        case Continuous(residual, blq, tails):
            known = censored.seen(y) if censoring is None else censoring
            return censored.log_density(residual, y, f, q, known, blq=blq, tails=tails)
        case _ if censoring is not None and np.any(censoring.kind):
            raise ValueError(f"{type(spec).__name__} rows know no censoring")
        case Bounded():
            return outcome_bounded.log_density(spec, y, f, q)
        case Count():
            return outcome_count.log_density(spec, y, f, q)
        case Event():
            return outcome_event.log_density(spec, y, f, q)
        case _:
            return outcome_categories.log_density(spec, y, f, q)


def draw(spec: Outcome, key: Array, f: Any, q: Numbers) -> Array:
    """One observation for each row, without censoring; of an event whether it has come."""
    match spec:
        case Continuous(residual, _, tails):
            return censored.draw(residual, key, f, q, tails=tails)
        case Bounded():
            return outcome_bounded.draw(spec, key, f, q)
        case Count():
            return outcome_count.draw(spec, key, f, q)
        case Event():
            return outcome_event.draw(spec, key, f, q)
        case _:
            return outcome_categories.draw(spec, key, f, q)


def mean(spec: Outcome, f: Any, q: Numbers) -> Array:
    """What is expected of each row: f itself if continuous (the median, under a log-normal error).

    Of a bounded score its mean, of a count f, of an event P(it has come), of categories the mean
    category: the probability of 1 where there are two.
    """
    match spec:
        case Continuous():
            return f
        case Bounded():
            return outcome_bounded.mean(spec, f, q)
        case Count():
            return outcome_count.mean(spec, f, q)
        case Event():
            return outcome_event.mean(spec, f, q)
        case _:
            return outcome_categories.mean(spec, f, q)


def probabilities(spec: Ordinal | Binary | Markov, f: Array, q: Numbers) -> Array:
    """Probability of each category, on a last axis."""
    return outcome_categories.probabilities(spec, f, q)
