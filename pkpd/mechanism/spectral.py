"""Closed form of linear models for many subjects, with a derivative that never divides by 0.

With A = V diag(l) W, W the inverse of V,

    exp(A t) = V diag(exp(l t)) W,    its integral from 0 to t = V diag(expm1(l t) / l) W,

and the derivative along B is V (F o (W B V)) W, F the table of divided differences of the function
of l (Daletskii and Krein): eigenvectors are not differentiated, and equal eigenvalues do no harm as
long as V stands. Arrays carry the states first and subjects last, so that each step is a sweep over
subjects. Eigenvalues must be real, as those of compartments that exchange and lose amounts are.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

NUDGE = 1e-10
"""Relative distance given to equal diagonal entries: else no full set of eigenvectors."""


def product(a: Float[Array, "i j ..."], b: Float[Array, "j k ..."]) -> Float[Array, "i k ..."]:
    """Small matrices multiplied over trailing axes, written out."""
    return sum((a[:, j, None] * b[None, j] for j in range(1, len(b))), a[:, 0, None] * b[None, 0])


def applied(a: Float[Array, "i j ..."], x: Float[Array, "j ..."]) -> Float[Array, "i ..."]:
    """Small matrices times vectors over trailing axes."""
    return sum((a[:, j] * x[j] for j in range(1, len(x))), a[:, 0] * x[0])


def eigen(matrix: Float[Array, "n n ..."]) -> tuple[Array, Array, Array]:
    """Eigenvalues (n, ...), right vectors (n, n, ...) and their inverse; not differentiated."""
    size = len(matrix)
    apart = 1 + NUDGE * jnp.arange(size)
    spread = jnp.where(jnp.eye(size, dtype=bool), apart, 1.0)
    back = jnp.moveaxis(jax.lax.stop_gradient(matrix), (0, 1), (-2, -1)) * spread
    values, vectors = jnp.linalg.eig(back)
    real = vectors.real
    inverse = jnp.linalg.inv(real)
    first = partial(jnp.moveaxis, source=(-2, -1), destination=(0, 1))
    return jnp.moveaxis(values.real, -1, 0), first(real), first(inverse)


def real(matrix: Float[Array, "n n ..."]) -> Array:
    """Whether all eigenvalues are real and the vectors span: what the closed form needs."""
    back = jnp.moveaxis(matrix, (0, 1), (-2, -1))
    values, vectors = jnp.linalg.eig(back)
    plain = jnp.abs(values.imag).max() <= 1e-9 * (1e-300 + jnp.abs(values).max())
    return plain & (jnp.linalg.cond(vectors).max() < 1e9)


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def transitions(
    matrix: Float[Array, "n n K N"],
    governs: Float[Array, "T N"],
    duration: Float[Array, "T N"],
    infused: bool,
) -> tuple[Float[Array, "n n T N"], Float[Array, "n n T N"]]:
    """exp(A t) and its integral over each step, A that of the record which governs it.

    With K = 1 one matrix holds throughout. Where nothing is infused the integral is zeros.
    """
    values, right, left = _over(eigen(matrix), governs)
    return _functions(values, right, left, duration, infused)


def _over(parts: tuple[Array, ...], governs: Array) -> tuple[Array, ...]:
    """Each part, of shape (..., K, N), for every step: (..., T, N)."""
    if parts[0].shape[-2] == 1:
        return parts
    at = governs.astype(int)
    return tuple(
        jnp.take_along_axis(part, at[(None,) * (part.ndim - 2)], axis=-2) for part in parts
    )


def _functions(
    values: Array, right: Array, left: Array, duration: Array, infused: bool
) -> tuple[Array, Array]:
    decay = jnp.exp(values * duration)
    remains = product(right * decay[None], left)
    if not infused:
        return remains, jnp.zeros_like(remains)
    return remains, product(right * (duration * _relative(values * duration))[None], left)


def _relative(y: Array) -> Array:
    """expm1(y) / y, 1 at 0."""
    safe = jnp.where(y == 0, 1.0, y)
    return jnp.where(y == 0, 1.0, jnp.expm1(safe) / safe)


def _relative_slope(y: Array) -> Array:
    """Derivative of expm1(y) / y: by its series below 0.03, to 1e-13."""
    series = 1 / 2 + y * (1 / 3 + y * (1 / 8 + y * (1 / 30 + y * (1 / 144 + y / 840))))
    safe = jnp.where(jnp.abs(y) < 0.03, 1.0, y)
    return jnp.where(jnp.abs(y) < 0.03, series, (safe * jnp.exp(safe) - jnp.expm1(safe)) / safe**2)


@transitions.defjvp
def _transitions_jvp(infused: bool, primals: tuple, tangents: tuple) -> tuple:
    matrix, governs, duration = primals
    matrix_dot, _, duration_dot = tangents
    values, right, left = eigen(matrix)
    turned = product(product(left, matrix_dot), right)
    values, right, left, turned = _over((values, right, left, turned), governs)
    remains, gained = _functions(values, right, left, duration, infused)
    y = values * duration
    along = _decay_differences(y) * duration
    remains_dot = product(product(right, along * turned), left)
    remains_dot = remains_dot + product(right * (values * jnp.exp(y))[None], left) * duration_dot
    if not infused:
        return (remains, gained), (remains_dot, jnp.zeros_like(remains_dot))
    slopes = _relative_differences(y) * duration**2
    gained_dot = product(product(right, slopes * turned), left) + remains * duration_dot
    return (remains, gained), (remains_dot, gained_dot)


def _decay_differences(y: Array) -> Array:
    """Divided differences of exp(y), no larger than needed: exp of the greater, times a share."""
    gap = jnp.abs(y[:, None] - y[None, :])
    return jnp.exp(jnp.maximum(y[:, None], y[None, :])) * _relative(-gap)


def _relative_differences(y: Array) -> Array:
    """Divided differences of expm1(y) / y; near the diagonal the slope halfway."""
    gap = y[:, None] - y[None, :]
    near = jnp.abs(gap) < 1e-4
    value = _relative(y)
    apart = (value[:, None] - value[None, :]) / jnp.where(near, 1.0, gap)
    return jnp.where(near, _relative_slope((y[:, None] + y[None, :]) / 2), apart)
