"""The multivariate normal log-density with its gradient by hand, batched and masked."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular
from jaxtyping import Array, Bool, Float


def masked(
    residual: Float[Array, "arms f"],
    covariance: Float[Array, "arms f f"],
    mask: Bool[Array, "arms f"],
) -> Float[Array, " arms"]:
    """Log-density of the residuals where `mask` holds; the rest is left out of the vector."""
    keep = mask.astype(residual.dtype)
    kept = covariance * keep[:, :, None] * keep[:, None, :]
    kept = kept + jax.vmap(jnp.diag)(1.0 - keep)
    return centred(residual * keep, kept) - 0.9189385332046727 * keep.sum(axis=1)


@jax.custom_vjp
def centred(residual: Float[Array, "arms f"], covariance: Float[Array, "arms f f"]) -> Array:
    """-(r' C^-1 r + log det C) / 2, without the constant; one value an arm."""
    return _forward(residual, covariance)[0]


def _forward(residual: Array, covariance: Array) -> tuple[Array, tuple[Array, Array]]:
    factor = jnp.linalg.cholesky(covariance)
    whole = jax.vmap(lambda L, r: cho_solve((L, True), r))(factor, residual)
    diagonal = jnp.diagonal(factor, axis1=1, axis2=2)
    value = -0.5 * (residual * whole).sum(axis=1) - jnp.log(diagonal).sum(axis=1)
    return value, (factor, whole)


def inverse_factor(factor: Float[Array, "arms f f"]) -> Float[Array, "arms f f"]:
    """Inverse of lower triangular matrices by halves: products beat triangular solves here."""
    size = factor.shape[-1]
    if size <= 40:
        unit = jnp.eye(size)
        return jax.vmap(lambda L: solve_triangular(L, unit, lower=True))(factor)
    half = size // 2
    top, bottom = inverse_factor(factor[:, :half, :half]), inverse_factor(factor[:, half:, half:])
    corner = -bottom @ (factor[:, half:, :half] @ top)
    upper = jnp.zeros((factor.shape[0], half, size - half))
    return jnp.concatenate(
        [jnp.concatenate([top, upper], axis=2), jnp.concatenate([corner, bottom], axis=2)], axis=1
    )


def _backward(kept: tuple[Array, Array], slope: Array) -> tuple[Array, Array]:
    """d/dr = -C^-1 r;  d/dC = (C^-1 r r' C^-1 - C^-1) / 2."""
    factor, whole = kept
    root = inverse_factor(factor)
    inverse = jnp.swapaxes(root, 1, 2) @ root
    outer = whole[:, :, None] * whole[:, None, :]
    return -slope[:, None] * whole, 0.5 * slope[:, None, None] * (outer - inverse)


centred.defvjp(_forward, _backward)
