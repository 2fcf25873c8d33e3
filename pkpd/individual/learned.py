"""What a pilot run teaches: coordinates about the posterior's mean, round by its own covariance.

At the marginal mode the Hessian tells the posterior's shape only where that is normal. Where few
subjects are, or numbers are known by little more than their priors, the mean lies away from the
mode and the spread is another. A short run knows both, by as many draws as it is worth: its
covariance S in the coordinates walked, of n effective draws, is pulled to the one expected there,
the unit matrix,

    (n S + P I) / (n + P)     P the population's numbers,

as a Wishart prior of P draws would. The subjects' modes and curvatures are found again at the mean;
how modes move with the population is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import arviz_stats
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.individual.modes import effects_of
from pkpd.individual.problem import population_space
from pkpd.individual.start import Start, shrinkage_of, variance_of
from pkpd.variation import standard

_AZ: Any = arviz_stats  # not `arviz`, which brings its plots along


def learned(start: Start, draws: Mapping[str, np.ndarray]) -> Start:
    """The start at the mean of a pilot's draws (chains, draws); unchanged if modes are lost."""
    space = population_space(start.likelihood)
    flat = np.stack([np.asarray(draws[name]) for name in space.names], axis=-1)
    place = jax.jit(jax.vmap(jax.vmap(lambda x: standard.to_standard(space, x))))
    z = np.asarray(place(jnp.asarray(flat)))
    centre = z.mean(axis=(0, 1))
    effects = effects_of(start.likelihood)
    values = space.unpack(standard.to_natural(space, jnp.asarray(centre)))
    modes = jax.jit(effects.find)(values, jnp.asarray(start.effects))
    curvature = np.asarray(modes.curvature)
    if not np.isfinite(curvature).all():
        return start
    variance = variance_of(modes)
    return replace(
        start,
        population=centre,
        covariance=_covariance(start.covariance, z),
        effects=np.asarray(modes.at),
        variance=variance,
        shrinkage=shrinkage_of(effects, variance),
        curvature=curvature,
    )


def _covariance(
    expected: Float[np.ndarray, "P P"], z: Float[np.ndarray, "chains draws P"]
) -> Float[np.ndarray, "P P"]:
    """The draws' covariance, pulled to the expected one: see the module."""
    root = np.linalg.cholesky(expected)
    u = np.linalg.solve(root, (z - z.mean(axis=(0, 1))).reshape(-1, len(root)).T)
    worth = min(float(_AZ.ess(z[..., k])) for k in range(z.shape[-1]))
    mixed = (worth * np.cov(u) + len(root) * np.eye(len(root))) / (worth + len(root))
    return root @ mixed @ root.T
