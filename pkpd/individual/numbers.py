"""The numbers of each outcome: SDs of errors, degrees of freedom, thresholds, and their priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Array

from pkpd.settings_individual import Observation
from pkpd.variation.prior import HalfNormal, LogNormal, Prior
from pkpd.variation.residual import RESIDUALS

Values = Mapping[str, Array]


@dataclass(frozen=True)
class Number:
    """One number of an outcome, free or held."""

    name: str
    prior: Prior
    meaning: str


def numbers(observation: Observation) -> tuple[Number, ...]:
    """The numbers of an outcome; SDs are half-normal, `nu` log-normal about the value given."""
    found = [Number(n, HalfNormal(_given(observation, n)), f"{n} residual error")
             for n in RESIDUALS[observation.error].parameters]  # fmt: skip
    if observation.tails == "student":
        prior = LogNormal(observation.priors.get("nu", 10.0), 0.8)
        found.append(Number("nu", prior, "degrees of freedom of Student's t"))
    return tuple(found)


def _given(observation: Observation, name: str) -> float:
    return observation.priors.get(name, 1.0)


def outcome_values(observation: Observation, values: Values) -> dict[str, Array | float]:
    """The outcome's numbers, held or free."""
    return {
        n.name: observation.fixed[n.name]
        if n.name in observation.fixed
        else values[f"{observation.label}_{n.name}"]
        for n in numbers(observation)
    }
