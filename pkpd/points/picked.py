"""Subjects' effects for draws of the population: one point of each, picked by its weight."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.points.higher import higher
from pkpd.points.split import Split
from pkpd.points.tilted import Tilted, along_ways, feature_rows, weighed

THREADS = 2


def picked(weights: Float[Array, "N K"], chance: Float[Array, " N"]) -> Int[Array, " N"]:
    """The point of each subject at which its summed weights reach a share `chance` of them all."""
    ends = jnp.cumsum(weights, axis=1)
    below = (ends < chance[:, None] * ends[:, -1:]).sum(axis=1)
    return jnp.minimum(below, weights.shape[1] - 1)


def with_effects(
    cloud: Tilted, z: Float[np.ndarray, "draws P"], seed: int
) -> tuple[Float[np.ndarray, "draws E N"], Float[np.ndarray, " draws"]]:
    """Standardised effects for each population, and the log-likelihood as it was walked."""
    key = jax.random.key(seed)
    heights, arrays = jnp.asarray(cloud.heights), cloud.arrays

    def one(number: int) -> tuple[np.ndarray, float]:
        own = jax.random.fold_in(key, number)
        some, value = _drawn(cloud.split, own, jnp.asarray(z[number]), heights, *arrays)
        return np.asarray(some), float(value)

    with ThreadPoolExecutor(THREADS) as pool:
        effects, values = zip(*pool.map(one, range(len(z))), strict=True)
    return np.array(effects), np.array(values)


@partial(jax.jit, static_argnums=0)
def _drawn(split: Split, key: Array, z: Array, heights: Array, *arrays: Array):
    centre, points, base, _, bend, drift, columns, ways, *beyond = arrays
    log_weights, leant, away = weighed(split, z, *arrays)
    share = jnp.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    chosen = picked(share, jax.random.uniform(key, (len(base),)))
    rows = jnp.arange(len(base))
    found = points[rows, :, chosen].astype(float)
    leaning = (leant[:, 1:] * feature_rows(found.T).T).sum(axis=1)
    along = ways[rows, :, chosen].astype(float) @ along_ways(away, columns)
    height = heights[rows, chosen] + leant[:, 0] + leaning + along
    (m, a), (m0, a0) = split.law(z), split.law(centre)
    own = found @ a0.T + m0 + drift @ (z - centre)[split.equations] - m
    rest = away @ bend @ away / 2 + higher(away, *beyond)
    return jnp.linalg.solve(a, own.T), height.sum() + rest
