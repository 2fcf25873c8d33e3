"""Closed form of linear models for many subjects at once; its derivative never divides by zero.

With A = V diag(l) W, W the inverse of V,

    exp(A t) = V diag(exp(l t)) W,    its integral from 0 to t = V diag(expm1(l t) / l) W,

and the derivative along B is V (F o (W B V)) W, F the table of divided differences of the function
of l (Daletskii and Krein 1965; Higham 2008, Functions of Matrices, theorem 3.11): eigenvectors are
not differentiated, and equal eigenvalues do no harm as long as V stands. Where it does not (ka
equal to cl / v1, a chain of transit compartments) or eigenvalues are complex, all subjects of the
call go by Taylor's series and squarings (`squared`), several times slower. Arrays carry the states
first and subjects last, so that each step is a sweep over subjects.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from pkpd.mechanism.small import product
from pkpd.mechanism.spectrum import Spectrum, spectrum

STANDS = 1e4
"""The greatest condition number of V at which it is used: the derivative then keeps 1e-8."""

TERMS = 13
"""The next term of the series is below (1/2)^14 / 14! = 7e-16 of |E|."""

Smooth = Literal["", "spectrum", "squaring"]

APART = 1e-4
"""Eigenvalues nearer than this share of the largest are too near for `spectrum`'s derivatives."""

SQUARINGS = 32
"""Enough for rates 2e9 times as fast as the step is long."""


def eigen(matrix: Float[Array, "n n *rest"]) -> tuple[Spectrum, Bool[Array, ""]]:
    """The spectrum, and whether it is real and well enough conditioned for all; no derivative."""
    matrix = jax.lax.stop_gradient(matrix)
    if len(matrix) == 1:
        return (matrix[0], jnp.ones_like(matrix), jnp.ones_like(matrix)), jnp.asarray(True)
    values, vectors = jnp.linalg.eig(jnp.moveaxis(matrix, (0, 1), (-2, -1)))
    right = vectors.real
    left = jnp.linalg.inv(right)
    condition = jnp.sqrt((right**2).sum((-2, -1)) * (left**2).sum((-2, -1)))
    fine = ((condition < STANDS) & (values.imag == 0).all(-1)).all()  # not finite: not fine
    first = partial(jnp.moveaxis, source=(-2, -1), destination=(0, 1))
    return (jnp.moveaxis(values.real, -1, 0), first(right), first(left)), fine


def apart(matrix: Float[np.ndarray, "n n *rest"]) -> bool:
    """Whether eigenvalues are real and far enough from one another for "spectrum"."""
    values = np.linalg.eigvals(np.moveaxis(np.asarray(matrix), (0, 1), (-2, -1)))
    order = np.sort(np.real(values), axis=-1)
    gap = np.diff(order, axis=-1) / np.maximum(np.abs(order).max(axis=-1, keepdims=True), 1e-300)
    return bool((np.imag(values) == 0).all() and (gap > APART).all())


def transitions(
    matrix: Float[Array, "n n K N"],
    governs: Float[Array, "T N"],
    duration: Float[Array, "T N"],
    infused: bool,
    smooth: Smooth = "",
) -> tuple[Float[Array, "n n T N"], Float[Array, "n n T N"]]:
    """exp(A t) and its integral over each step, A that of the record which governs it.

    With K = 1 one matrix holds throughout. Where nothing is infused the integral is zeros. By
    default there is a first derivative alone, right even where eigenvalues meet. With `smooth`
    there are all: by "spectrum" right where they do not meet, by "squaring" everywhere, slowly.
    """
    if smooth == "squaring":
        return squared(matrix, governs, duration, infused)
    if smooth == "spectrum":
        values, right, left = governing(spectrum(matrix), governs)
        return _functions(values, right, left, duration, infused)
    known, fine = eigen(matrix)

    def by_eigenvectors(matrix: Array, duration: Array) -> tuple[Array, Array]:
        return _by_eigenvectors(matrix, known, governs, duration, infused)

    def by_squaring(matrix: Array, duration: Array) -> tuple[Array, Array]:
        return squared(matrix, governs, duration, infused)

    return jax.lax.cond(fine, by_eigenvectors, by_squaring, matrix, duration)


@partial(jax.custom_jvp, nondiff_argnums=(4,))
def _by_eigenvectors(
    matrix: Array, spectrum: Spectrum, governs: Array, duration: Array, infused: bool
) -> tuple[Array, Array]:
    values, right, left = governing(spectrum, governs)
    return _functions(values, right, left, duration, infused)


@_by_eigenvectors.defjvp
def _along(infused: bool, primals: tuple, tangents: tuple) -> tuple:
    """The values and, by divided differences, their derivative along B."""
    _, (values, right, left), governs, duration = primals
    matrix_dot, _, _, duration_dot = tangents
    turned = product(product(left, matrix_dot), right)
    values, right, left, turned = governing((values, right, left, turned), governs)
    remains, gained = _functions(values, right, left, duration, infused)
    y = values * duration
    inner = _decay_differences(y) * duration * turned
    inner += jnp.eye(len(y))[:, :, None, None] * (values * jnp.exp(y) * duration_dot)
    remains_dot = product(product(right, inner), left)
    if not infused:
        return (remains, gained), (remains_dot, jnp.zeros_like(remains_dot))
    slopes = _relative_differences(y) * duration**2
    gained_dot = product(product(right, slopes * turned), left) + remains * duration_dot
    return (remains, gained), (remains_dot, gained_dot)


def governing(parts: tuple[Array, ...], governs: Float[Array, "T N"]) -> tuple[Array, ...]:
    """Each part, of shape (..., K, N), for every step: (..., T, N), or (..., 1, N) where K = 1."""
    if parts[0].shape[-2] == 1:
        return parts
    at = governs.astype(int)
    return tuple(
        jnp.take_along_axis(part, at[(None,) * (part.ndim - 2)], axis=-2) for part in parts
    )


def _functions(
    values: Array, right: Array, left: Array, duration: Array, infused: bool
) -> tuple[Array, Array]:
    remains = product(right * jnp.exp(values * duration)[None], left)
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


def squared(
    matrix: Float[Array, "n n K N"],
    governs: Float[Array, "T N"],
    duration: Float[Array, "T N"],
    infused: bool,
) -> tuple[Float[Array, "n n T N"], Float[Array, "n n T N"]]:
    """exp(A t) and its integral over each step, as `spectral.transitions`: one step at a time."""

    @jax.checkpoint
    def one(matrix: Array, at: Array, duration: Array) -> tuple[Array, Array]:
        if matrix.shape[2] > 1:
            own = jnp.take_along_axis(matrix, at.astype(int)[None, None, None], axis=2)[:, :, 0]
        else:
            own = matrix[:, :, 0]
        return _squared(own * duration, duration, infused)

    remains, gained = jax.lax.map(lambda step: one(matrix, *step), (governs, duration))
    return jnp.moveaxis(remains, 0, 2), jnp.moveaxis(gained, 0, 2)


def _squared(
    exponent: Float[Array, "n n N"], duration: Float[Array, " N"], infused: bool
) -> tuple[Array, Array]:
    size = jax.lax.stop_gradient(jnp.abs(exponent).sum(0).max())
    count = jnp.clip(jnp.ceil(jnp.log2(jnp.maximum(size, 1e-300))) + 1, 0, SQUARINGS)
    small = exponent * 2.0**-count
    one = jnp.eye(len(exponent))[:, :, None]

    def horner(pair: tuple[Array, Array], k: Array) -> tuple[tuple, None]:
        remains, gained = pair  # I + B (I + B / 2 (I + B / 3 (...))), and a place further on
        more = one + product(small, gained) / (k + 1) if infused else gained
        return (one + product(small, remains) / k, more), None

    first = one + jnp.zeros_like(exponent)
    series = jax.lax.scan(horner, (first, first), jnp.arange(TERMS, 0.0, -1.0))[0]
    remains, gained = series[0], (series[1] * duration * 2.0**-count if infused else 0 * series[1])

    def double(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        remains, gained = pair
        more = gained + product(remains, gained) if infused else gained
        return product(remains, remains), more

    def step(pair: tuple, k: Array) -> tuple[tuple, None]:
        return jax.lax.cond(k < count, double, lambda same: same, pair), None

    return jax.lax.scan(step, (remains, gained), jnp.arange(SQUARINGS))[0]
