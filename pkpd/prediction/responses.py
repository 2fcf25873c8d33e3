"""Responses by name: EASI75 is a fall by 75 % from the patient's own baseline, IGA01 clear skin.

Any score that an observation multiplies with a baseline (`times`) has them, and any ordered score
has 0/1. A response is what a visit shows, noise among it; or what the course would show without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from pkpd.errors import Fault
from pkpd.individual.numbers import outcome
from pkpd.settings_individual import Observation
from pkpd.variation import censored
from pkpd.variation.normal import below
from pkpd.variation.outcome import Continuous, probabilities
from pkpd.variation.outcome_bounded import Bounded
from pkpd.variation.outcome_categories import Ordinal
from pkpd.variation.residual import Numbers

FALLS = (50, 75, 90)


@dataclass(frozen=True)
class Response:
    """A name, the observation it is of, and what of the baseline may be left: None if 0/1."""

    name: str
    observation: str
    left: float | None


def known_responses(observations: Sequence[Observation]) -> tuple[Response, ...]:
    """The responses that are told unless others are asked for."""
    found = []
    for each in observations:
        if _score(each):
            found += [_fall(each, percent) for percent in FALLS]
        elif _ordered(each):
            found.append(Response(f"{each.label.upper()}01", each.label, None))
    return tuple(found)


def asked_responses(
    words: Iterable[str], observations: Sequence[Observation]
) -> tuple[tuple[Response, ...], list[Fault]]:
    """The responses that words name (EASI75, vIGA 0/1), and a fault for each that is none."""
    found, faults = [], []
    for word in words:
        plain = re.fullmatch(r"([a-z]+)(\d\d)", re.sub(r"[^a-z0-9]", "", word.lower()))
        own = next(_named(plain[1], plain[2], observations), None) if plain else None
        if own is None:
            known = ", ".join(r.name for r in known_responses(observations)) or "none"
            faults.append(Fault(f"--response {word}", "no such response", f"Of this fit: {known}"))
        else:
            found.append(own)
    return tuple(dict.fromkeys(found)), faults


def _named(stem: str, digits: str, observations: Sequence[Observation]) -> Any:
    for each in observations:
        names = (each.label.lower(), (each.dvid or "").lower())
        if not any(name == stem or (_ordered(each) and name.endswith(stem)) for name in names):
            continue
        if _score(each) and 0 < int(digits) < 100:
            yield _fall(each, int(digits))
        elif _ordered(each) and digits == "01":
            yield Response(f"{each.label.upper()}01", each.label, None)


def _score(observation: Observation) -> bool:
    return observation.times is not None and observation.outcome in ("continuous", "bounded")


def _ordered(observation: Observation) -> bool:
    return observation.outcome == "ordinal" and observation.categories > 2


def _fall(observation: Observation, percent: int) -> Response:
    return Response(f"{observation.label.upper()}{percent}", observation.label, 1 - percent / 100)


def chance(
    response: Response, observation: Observation, f: Array, q: Numbers, baseline: Array | float
) -> Array:
    """P(a visit shows the response), of the shape of f."""
    spec, left = outcome(observation), 0.0 if response.left is None else response.left
    cut = jnp.asarray(baseline) * left
    match spec:
        case Ordinal():
            return probabilities(spec, f, q)[..., :2].sum(axis=-1)
        case Bounded(residual, low, _, step):
            if step:  # the highest score of the scale that is low enough, and what rounds to it
                cut = low + step * (jnp.floor((cut - low) / step + 1e-9) + 0.5)
            return below(residual.score(cut, f, q))
        case Continuous(residual, _, tails):
            return censored.cdf(residual, cut, f, q, tails=tails)
    raise ValueError(f"{response.name} is of no score")


def holds(response: Response, f: Array, baseline: Array | float) -> Array:
    """Whether the course shows the response, without noise; not a number of ordered scores."""
    if response.left is None:
        return jnp.full(jnp.shape(f), jnp.nan)
    return (f <= baseline * response.left).astype(float)
