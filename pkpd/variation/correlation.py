"""Correlation matrices from canonical partial correlations, and what LKJ says of these.

Pair (i, j), i < j, holds the partial correlation of i and j given 0, .., i - 1. Pairs go row by
row: (0, 1), (0, 2), .., (0, d - 1), (1, 2), .. Each may be any number within -1 and 1, whatever the
others are, and every correlation matrix comes of exactly one such set (a C-vine; Lewandowski,
Kurowicka and Joe 2009, J Multivar Anal 100:1989-2001).
"""

from __future__ import annotations

from itertools import combinations

import jax.numpy as jnp
from jaxtyping import Array, Float


def cholesky(partials: Float[Array, " pairs"], d: int) -> Float[Array, "d d"]:
    """The lower triangular L with rows of length 1 whose L L' is the correlation matrix.

    L[j, i] = r_ij sqrt(prod_{m < i} (1 - r_mj^2)) for i < j, and L[j, j] the root alone, m < j.
    Raises `ValueError` unless there are d (d - 1) / 2 partials.
    """
    pairs = tuple(combinations(range(d), 2))
    if partials.shape != (len(pairs),):
        raise ValueError(f"{d} effects have {len(pairs)} partials; given is {partials.shape}")
    found = dict(zip(pairs, partials, strict=True))
    zero = jnp.zeros((), partials.dtype)
    rows = []
    for j in range(d):
        row, left = [], zero + 1
        for i in range(j):
            row.append(found[i, j] * left)
            left = left * jnp.sqrt((1 - found[i, j]) * (1 + found[i, j]))
        rows.append(jnp.stack([*row, left, *[zero] * (d - 1 - j)]))
    return jnp.stack(rows)


def partial_shapes(d: int, eta: float) -> tuple[float, ...]:
    """Shapes b of the partials under LKJ(eta), in their order: (r + 1) / 2 ~ beta(b, b), apart.

    b = eta + (d - 1 - k) / 2 for pair (i, j) of level k = i + 1 (Lewandowski et al. 2009, 3.2).
    The density of the matrix R is then proportional to det(R)^(eta - 1).
    """
    return tuple(eta + (d - 2 - i) / 2 for i, _ in combinations(range(d), 2))
