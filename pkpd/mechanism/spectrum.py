"""Eigenvalues and eigenvectors of small matrices with all their derivatives, where these exist.

With W = V^-1 and G = W (dA) V:  dl = diag G,  dV = V C,  dW = -C W,  C_ij = G_ij / (l_j - l_i) for
i != j, else 0. Where two eigenvalues meet there is no derivative: the pair's C is then left at 0.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.mechanism.small import product

Spectrum = tuple[Array, Array, Array]
MEET = 1e-9
"""Eigenvalues nearer than this share of the largest are taken to meet."""


@jax.custom_jvp
def spectrum(matrix: Float[Array, "n n K N"]) -> Spectrum:
    """Real eigenvalues (n, K, N), right vectors (n, n, K, N) and their inverse."""
    if len(matrix) == 1:
        return matrix[0], jnp.ones_like(matrix), jnp.ones_like(matrix)
    values, vectors = jnp.linalg.eig(jnp.moveaxis(matrix, (0, 1), (-2, -1)))
    right = jnp.moveaxis(vectors.real, (-2, -1), (0, 1))
    left = jnp.moveaxis(jnp.linalg.inv(vectors.real), (-2, -1), (0, 1))
    return jnp.moveaxis(values.real, -1, 0), right, left


@spectrum.defjvp
def _along(primals: tuple, tangents: tuple) -> tuple[Spectrum, Spectrum]:
    values, right, left = found = spectrum(primals[0])
    turned = product(product(left, tangents[0]), right)
    gap = values[None] - values[:, None]
    meet = jnp.abs(gap) <= MEET * jnp.abs(values).max(axis=0)
    mixed = jnp.where(meet, 0.0, turned / jnp.where(meet, 1.0, gap))
    slope = jnp.stack([turned[k, k] for k in range(len(values))])
    return found, (slope, product(right, mixed), -product(mixed, left))
