"""What an observation is, by the words of the settings, and the numbers it brings with priors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jaxtyping import Array

from pkpd.errors import Fault
from pkpd.settings_individual import IndividualSettings, Observation
from pkpd.variation.outcome import Continuous, Outcome
from pkpd.variation.outcome_bounded import Bounded
from pkpd.variation.outcome_categories import Binary, Markov, Ordinal
from pkpd.variation.outcome_count import Count
from pkpd.variation.outcome_event import Event
from pkpd.variation.prior import HalfNormal, LogNormal, Normal, Prior
from pkpd.variation.residual import RESIDUALS

Values = Mapping[str, Array]


@dataclass(frozen=True)
class Number:
    """One number of an outcome, free or held."""

    name: str
    prior: Prior
    meaning: str


def outcome(observation: Observation) -> Outcome:
    """The outcome that an observation states."""
    residual = RESIDUALS[observation.error]
    match observation.outcome:
        case "continuous":
            return Continuous(residual, observation.blq, observation.tails)
        case "bounded":
            return Bounded(residual, observation.low, observation.high, observation.step)
        case "ordinal":
            return Ordinal(observation.categories)
        case "binary":
            return Binary("logit" if observation.logit else "identity")
        case "count":
            return Count(dispersed=observation.dispersed)
        case "event":
            return Event()
        case "markov":
            return Markov()


def numbers(observation: Observation) -> tuple[Number, ...]:
    """The numbers of an outcome with their priors, made of what `priors` gives for each.

    SDs of errors, gaps, slope, dispersion: half-normal with that SD. The first threshold: normal
    about 0 with it. `nu` and `power`: log-normal with that median, SD of the log 0.8 and 0.3.
    """
    return tuple(_number(name, observation) for name in outcome(observation).parameters)


def _number(name: str, observation: Observation) -> Number:
    given = observation.priors.get(name, 1.0)
    if name == "nu":
        return Number(name, LogNormal(given, 0.8), "degrees of freedom of Student's t")
    if name == "power":
        return Number(name, LogNormal(given, 0.3), "power of the prediction in the error's SD")
    if name == "threshold_1":
        return Number(name, Normal(0.0, given), "first threshold on the logit scale")
    meanings = {"slope": "slope on the logit scale", "dispersion": "dispersion of counts"}
    meaning = meanings.get(name, f"{name} residual error")
    if name.startswith("gap_"):
        meaning = f"threshold {name[4:]} above the one before"
    return Number(name, HalfNormal(given), meaning)


def outcome_faults(settings: IndividualSettings, where: str) -> Iterator[Fault]:
    """Numbers without a prior (there is no default), and priors of numbers that there are not."""
    for each in settings.observations:
        known = outcome(each).parameters
        place = f"{where}, observations.{each.label}"
        for name in known:
            if name not in each.priors and name not in each.fixed:
                yield Fault(place, f"no prior for '{name}'", f"Give priors.{name}, or fixed.{name}")
        for name in (*each.priors, *each.fixed):
            if name not in known:
                listed = ", ".join(known) or "none"
                yield Fault(place, f"a {each.outcome} outcome has no '{name}'", f"It has: {listed}")
        if each.outcome == "event" and each.cumulative is None:
            yield Fault(place, "an event needs its cumulative hazard", "Give cumulative, an output")
        if (each.outcome == "markov") != bool(each.chain):
            found = "a markov outcome needs a chain, no other has one"
            yield Fault(place, found, "Give chain, the states that are probabilities of categories")


def outcome_values(observation: Observation, values: Values) -> dict[str, Array | float]:
    """The outcome's numbers, held or free."""
    return {
        name: observation.fixed[name]
        if name in observation.fixed
        else values[f"{observation.label}_{name}"]
        for name in outcome(observation).parameters
    }
