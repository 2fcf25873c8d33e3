"""Subjects' effects for draws of the population: one point of each, picked by its weight."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.points.features import feature_rows, kept, log_weights_of
from pkpd.points.higher import higher
from pkpd.points.split import Split
from pkpd.points.tilted import Tilted, along_ways, turns
from pkpd.threads import side_by_side

BLOCK = 64


def picked(weights: Float[Array, " K"], chance: Float[Array, ""]) -> Int[Array, ""]:
    """The point of a subject at which its summed weights reach a share `chance` of them all.

    Looked for among blocks of points, then within one: sums along all take fifteen times as long.
    """
    blocks = jnp.pad(weights, (0, -len(weights) % BLOCK)).reshape(-1, BLOCK)
    ends = jnp.cumsum(blocks.sum(axis=1))
    first = jnp.minimum((ends < chance * ends[-1]).sum(), len(blocks) - 1)
    before = jnp.where(first > 0, ends[first - 1], 0.0)
    within = before + jnp.cumsum(blocks[first])
    return first * BLOCK + (within < jnp.minimum(chance * ends[-1], within[-1])).sum()


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

    effects, values = zip(*side_by_side(one, range(len(z))), strict=True)
    return np.array(effects), np.array(values)


@partial(jax.jit, static_argnums=0)
def _drawn(split: Split, key: Array, z: Array, heights: Array, *arrays: Array):
    centre, points, base, _, bend, drift, columns, ways, *beyond = arrays
    own, terms, leant, away = turns(split, z, *arrays)

    def one(of: tuple[Array, ...]) -> Int[Array, ""]:
        turn, z, base, way, chance = of
        found = log_weights_of(turn, z, base, terms, way)
        return picked(jnp.exp(found - found.max()), chance)

    chances = jax.random.uniform(key, (len(base),))
    chosen = jax.lax.map(one, (own, points, kept(base, base), ways, chances))
    rows = jnp.arange(len(base))
    found = points[rows, :, chosen].astype(float)
    leaning = (leant[:, 1:] * feature_rows(found.T).T).sum(axis=1)
    along = ways[rows, :, chosen].astype(float) @ along_ways(away, columns)
    height = heights[rows, chosen] + leant[:, 0] + leaning + along
    (m, a), (m0, a0) = split.law(z), split.law(centre)
    own = found @ a0.T + m0 + drift @ (z - centre)[split.equations] - m
    rest = away @ bend @ away / 2 + higher(away, *beyond)
    return jnp.linalg.solve(a, own.T), height.sum() + rest
