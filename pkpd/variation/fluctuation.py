"""How a patient's own skin moves around its course: flares that build up, and visit noise.

log y(t) = log S(t) + f(t) + v(t) - var / 2.  v is stationary with SD `visit_sd` and correlation
exp(-|dt| / visit_memory). f is an Ornstein-Uhlenbeck path that starts at 0 at baseline, with SD
`flare_sd` in the long run and time constant `flare_memory` (weeks):

    cov f(t), f(t') = flare_sd^2 (exp(-|t - t'| / flare_memory) - exp(-(t + t') / flare_memory)).

Flares make responders drift back on any regimen; taken for drug wash-out they would bias it.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def covariance(values: Mapping[str, Array], weeks: Float[np.ndarray, " T"]) -> Float[Array, "T T"]:
    """Covariance over visits of a patient's log EASI around its course."""
    apart = np.abs(weeks[:, None] - weeks[None, :])
    both = weeks[:, None] + weeks[None, :]
    slow = values["flare_memory"]
    flare = values["flare_sd"] ** 2 * (jnp.exp(-apart / slow) - jnp.exp(-both / slow))
    return flare + values["visit_sd"] ** 2 * jnp.exp(-apart / values["visit_memory"])


def spread(values: Mapping[str, Array], weeks: Float[np.ndarray, " T"]) -> Float[Array, " T"]:
    """SD of log EASI around its course at each visit."""
    grown = 1 - jnp.exp(-2 * weeks / values["flare_memory"])
    return jnp.sqrt(values["visit_sd"] ** 2 + values["flare_sd"] ** 2 * grown)


def alike(values: Mapping[str, Array], weeks: Float[np.ndarray, " T"]) -> Float[Array, "T T"]:
    """Correlation over visits."""
    sd = spread(values, weeks)
    return covariance(values, weeks) / (sd[:, None] * sd[None, :])
