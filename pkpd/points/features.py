"""Features of points, and the weights that these make: one pass over all points for a density.

Log-weights are linear in z and the products of its entries (`points.tilted`). These features are
made where they are needed, some points at a time: reading them from memory would take longer.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

LEAST = 12.0
"""The density leaves out points that weigh so much less, in log, than their subject's heaviest.

Far out the likelihood bends down faster than along d than it does on average, so that its slope
alone would let such points, which weigh nothing, carry off the density.
"""
NEARBY = 1152
"""Points of a subject whose features are made at once: they stay in the processor's cache."""


def features(z: Float[np.ndarray, "... E"]) -> Float[np.ndarray, "... F"]:
    """z and the products of its entries."""
    rows = np.triu_indices(z.shape[-1])
    return np.concatenate([z, z[..., rows[0]] * z[..., rows[1]]], axis=-1)


def feature_rows(z: Float[Array, "E K"]) -> Float[Array, "F K"]:
    """The same of points side by side, where nothing need be turned round."""
    rows = np.triu_indices(len(z))
    return jnp.concatenate([z, z[rows[0]] * z[rows[1]]])


def times_features(z: Float[Array, "E K"], along: Float[Array, " F"]) -> Float[Array, " K"]:
    """Each point's features times a vector, none of them written to memory."""
    found, rest = jnp.zeros(z.shape[1], z.dtype), len(z)
    for i, own in enumerate(z):
        inner = along[i]
        for other in z[i:]:
            inner, rest = inner + along[rest] * other, rest + 1
        found = found + inner * own
    return found


def log_weights_of(
    along: Float[Array, " F"], z: Float[Array, "E K"], base: Float[Array, " K"],
    terms: Float[Array, " C"], way: Float[Array, "C K"],
) -> Float[Array, " K"]:  # fmt: skip
    """Log-weights of one subject's points, none of their features written to memory."""
    found = base + times_features(z, along)
    for term, each in zip(terms, way, strict=True):
        found = found + term * each
    return found


def kept(base: Float[Array, "N K"], found: Float[Array, "N K"]) -> Float[Array, "N K"]:
    """Log-weights `found` without the points that weigh next to nothing, as `LEAST` has it."""
    return jnp.where(base > -LEAST, found, -1e30)


def summed(
    along: Float[Array, "N F"],
    points: Float[Array, "N E K"],
    base: Float[Array, "N K"],
    terms: Float[Array, " C"],
    ways: Float[Array, "N C K"],
) -> tuple[Float[Array, " N"], Float[Array, "N F"], Float[Array, "N C"]]:
    """Of each subject the log of its points' summed weights; its features' and ways' weighted mean.

    Some points of one subject at a time, their features made each time: reading them takes longer.
    """
    count, rows, size = points.shape
    near = next(k for k in range(min(NEARBY, size), 0, -1) if size % k == 0)
    along, terms = along.astype(jnp.float32), terms.astype(jnp.float32)

    def one(place: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        subject, start = place
        z = jax.lax.dynamic_slice(points, (subject, 0, start), (1, rows, near))[0]
        own = jax.lax.dynamic_slice(base, (subject, start), (1, near))[0]
        way = jax.lax.dynamic_slice(ways, (subject, 0, start), (1, len(terms), near))[0]
        weight = log_weights_of(along[subject], z, own, terms, way)
        most = weight.max()
        share = jnp.exp(weight - most)
        total = share.sum()
        share = share / total
        return most + jnp.log(total), feature_rows(z) @ share, way @ share

    starts = jnp.arange(0, size, near)
    subjects = jnp.repeat(jnp.arange(count), len(starts))
    each, means, bent = jax.lax.map(one, (subjects, jnp.tile(starts, count)))
    each = each.astype(float).reshape(count, -1)
    total = jax.nn.logsumexp(each, axis=1)
    share = jnp.exp(each - total[:, None])

    def whole(means: Array) -> Array:
        parts = means.astype(float).reshape(*share.shape, -1)
        return jnp.einsum("nc,ncf->nf", share, parts)

    return total, whole(means), whole(bent)


@jax.jit
def weighed(
    log_weights: Float[Array, "N K"], points: Float[Array, "N E K"]
) -> tuple[Float[Array, " N"], Float[Array, "N F"]]:
    """Of each subject the log of its points' summed weights, and its features' weighted mean."""
    subjects, rows, size = points.shape
    along = jnp.zeros((subjects, rows * (rows + 3) // 2))
    none = jnp.zeros((subjects, 0, size), jnp.float32)
    return summed(along, points, log_weights, jnp.zeros(0), none)[:2]
