"""Small matrices over trailing axes: states first, subjects last, each product a few sweeps."""

from __future__ import annotations

from jaxtyping import Array, Float


def product(a: Float[Array, "i j ..."], b: Float[Array, "j k ..."]) -> Float[Array, "i k ..."]:
    """Small matrices multiplied over trailing axes."""
    return sum((a[:, j, None] * b[None, j] for j in range(1, len(b))), a[:, 0, None] * b[None, 0])


def applied(a: Float[Array, "i j ..."], x: Float[Array, "j ..."]) -> Float[Array, "i ..."]:
    """Small matrices times vectors over trailing axes."""
    return sum((a[:, j] * x[j] for j in range(1, len(x))), a[:, 0] * x[0])
