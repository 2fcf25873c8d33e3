"""Mean and covariance of one arm's features, all visits and endpoints together.

For one patient with stay probability w(t) and statistics g, f = D(t) g(u_t), D the indicator of
a visit that took place, P(D(t) D(t')) = (1 - missed)^2 w(later) for t != t'. With r the
correlation of u_t and u_t' (`variation.fluctuation`), to third order in r

    E[f f'] = (1 - missed)^2 mean_i w(later) (m m' + sum_k r^k d_k d_k' / k!),

m = E[g], d_k = E[g He_k(u)], k to 3; exact at the same visit; Cov = (E[f f'] - E[f] E[f']) / n.
Patients differ in m, w (between) and their visits scatter (within): both are in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level.summaries import Summaries, anscombe, anscombe_bend, anscombe_slope


@dataclass(frozen=True)
class Moments:
    """Predicted features of a study before transformation, and their covariance."""

    mean: Float[Array, "A F"]
    covariance: Float[Array, "A F F"]


def later(order: np.ndarray, values: Array) -> Array:
    """For each pair of features the value at the later one; `values` (A, F, ...) in time order."""
    pick = np.maximum(order[:, None], order[None, :])
    return values[:, pick]


def symmetric(upper: list[list[Array]]) -> list[list[Array]]:
    """The full table of an upper triangle given as shrinking rows."""
    size = len(upper)
    return [[upper[min(j, k)][abs(j - k)] for k in range(size)] for j in range(size)]


def across_visits(
    parts: list[Float[Array, "A F N"]], stay: Float[Array, "A F N"], alike: Float[Array, "F F"]
) -> Float[Array, "A F F"]:
    """mean_i w(later) sum_k r^k d_k d_k' / k!, d_0 = m, for features in time order."""
    patients = stay.shape[-1]
    whole = sum(
        alike**k * jnp.einsum("afn,agn->afg", part, stay * part) / (math.factorial(k) * patients)
        for k, part in enumerate(parts)
    )
    upper = jnp.triu(whole)
    return upper + jnp.swapaxes(jnp.triu(whole, 1), 1, 2)


def same_visit(blocks: Float[Array, "A T K K"]) -> Float[Array, "A F F"]:
    """Visit blocks placed along the diagonal."""
    arms, visits, columns, _ = blocks.shape
    eye = jnp.eye(visits)[None, :, None, :, None]
    wide = blocks[:, :, :, None, :] * eye
    return wide.reshape(arms, visits * columns, visits * columns)


def _safe(kinds: dict[str, np.ndarray], mean: Array) -> tuple[Array, Array]:
    """Concentrations and shares among the features, harmless numbers elsewhere."""
    level = jnp.where(kinds["level"], jnp.maximum(mean, 1e-9), 1.0)
    share = jnp.where(kinds["count"], jnp.clip(mean, 0.0, 1.0), 0.5)
    return level, share


def on_scale(s: Summaries, mean: Float[Array, "A F"], n: Array | np.ndarray) -> Float[Array, "A F"]:
    """Expected features on the scale of `Summaries.observed`, to first order."""
    kinds = s.kinds()
    level, share = _safe(kinds, mean)
    counts = anscombe(share, n[:, None])
    return jnp.where(kinds["change"], mean, jnp.where(kinds["level"], jnp.log(level), counts))


def transformed(
    s: Summaries, moments: Moments, n: Array | np.ndarray, level_sd: Array | float
) -> tuple[Float[Array, "A F"], Float[Array, "A F F"]]:
    """Expected features on the scale of `Summaries.observed`, with covariance.

    Delta method, the means to second order. Counts get Sheppard's 1/12 for being whole numbers;
    mean concentrations `level_sd` on the log scale for visit windows; all others `discrepancy`.
    """
    kinds = s.kinds()
    mean = moments.mean
    size = n[:, None]
    level, share = _safe(kinds, mean)
    expected = on_scale(s, mean, n)
    scale = jnp.where(
        kinds["change"], 1.0, jnp.where(kinds["level"], 1 / level, anscombe_slope(share, size))
    )
    own = jnp.diagonal(moments.covariance, axis1=1, axis2=2)
    bend = jnp.where(
        kinds["change"], 0.0, jnp.where(kinds["level"], -1 / level**2, anscombe_bend(share, size))
    )
    expected = expected + bend * own / 2
    rounding = jnp.where(
        kinds["count"], 1 / (12 * size**2), jnp.where(kinds["level"], (level_sd * level) ** 2, 1e-8)
    )
    covariance = moments.covariance + rounding[:, :, None] * jnp.eye(mean.shape[1])
    own = np.diag(np.where(kinds["level"], 0.0, s.discrepancy**2))
    return expected, covariance * scale[:, :, None] * scale[:, None, :] + own
