"""What stands between a model's output and an observed number, by the words of the settings."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.individual.design import Stream
from pkpd.individual.numbers import outcome_values
from pkpd.settings_individual import Observation
from pkpd.variation import censored
from pkpd.variation.residual import RESIDUALS, Residual

Values = Mapping[str, Array]


def expected(stream: Stream, found: Mapping[str, Array], values: Values) -> Float[Array, " n"]:
    """What the model says of each row, on the scale of the observation."""
    f = found[stream.observation.output]
    return jnp.log(f) if stream.observation.log else f


def log_likelihood(
    stream: Stream, found: Mapping[str, Array], values: Values
) -> Float[Array, " n"]:
    """Log-likelihood of each row given its outputs."""
    seen = stream.observation
    censoring = censored.Censoring(stream.kind, stream.limit)
    q, f = outcome_values(seen, values), expected(stream, found, values)
    return censored.log_density(
        _residual(seen), stream.y, f, q, censoring, blq=seen.blq, tails=seen.tails
    )


def drawn(
    stream: Stream, found: Mapping[str, Array], values: Values, key: Array
) -> Float[Array, " n"]:
    """A new observation for each row."""
    seen = stream.observation
    q, f = outcome_values(seen, values), expected(stream, found, values)
    return censored.draw(_residual(seen), key, f, q, tails=seen.tails)


def _residual(observation: Observation) -> Residual:
    return RESIDUALS[observation.error]
