"""What stands between a model's outputs and an observed row: predictor, likelihood, new draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.individual.design import Stream
from pkpd.individual.numbers import outcome, outcome_values
from pkpd.variation import outcome as outcomes
from pkpd.variation.censored import Censoring
from pkpd.variation.outcome_event import Hazards

Values = Mapping[str, Array]
LEAST = 1e-3
"""Least prediction of which an ordinal outcome takes the logarithm."""


def predictor(stream: Stream, found: Mapping[str, Array]) -> Any:
    """What the outcome is about: the output, times a covariate where asked, its log where asked.

    Of an event its hazards, of a chain the probabilities given the category last seen. `found`
    holds the outputs at the stream's rows.
    """
    seen = stream.observation
    if seen.outcome == "event":
        cumulative = str(seen.cumulative)
        return Hazards(found[seen.output], found[cumulative], found[f"{cumulative} before"])
    if seen.outcome == "markov":
        return jnp.stack([found[name] for name in seen.chain], axis=-1)
    f = found[seen.output]
    if stream.times is not None:
        f = f * stream.times
    if seen.log:
        return jnp.log(f)
    return jnp.log(jnp.maximum(f, LEAST)) if seen.outcome == "ordinal" else f


def expected(stream: Stream, found: Mapping[str, Array], values: Values) -> Float[Array, " n"]:
    """What is expected of each row, on the scale of the observation."""
    q = outcome_values(stream.observation, values)
    return outcomes.mean(outcome(stream.observation), predictor(stream, found), q)


def log_likelihood(
    stream: Stream, found: Mapping[str, Array], values: Values
) -> Float[Array, " n"]:
    """Log-likelihood of each row given its outputs; 0 where a chain begins."""
    spec, q = outcome(stream.observation), outcome_values(stream.observation, values)
    censoring = Censoring(stream.kind, stream.limit)
    rows = outcomes.log_density(spec, stream.y, predictor(stream, found), q, censoring)
    return rows if stream.begins is None else jnp.where(stream.begins, 0.0, rows)


def drawn(
    stream: Stream, found: Mapping[str, Array], values: Values, key: Array
) -> Float[Array, " n"]:
    """A new observation for each row."""
    spec, q = outcome(stream.observation), outcome_values(stream.observation, values)
    return outcomes.draw(spec, key, predictor(stream, found), q)
