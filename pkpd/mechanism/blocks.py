"""Many subjects solved block by block: what a block needs stays in the cache, memory is bounded.

A reverse derivative keeps what a block was given and solves it once more: one solve of about six,
won back by the cache (1,000 subjects: 0.7 of the time and a third of the memory of no blocks).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

BLOCK = 64
"""Subjects a block, about; 96 measured a little slower."""

ALONE = 96
"""So many are one block."""

WIDE = 512
"""Subjects a block of steps in single precision without derivatives: these are so fast that few
calls win over the cache (40 ns a subject and part of nine states against 55 in blocks of 64)."""

LANES = 8
"""Blocks are a multiple of it: what a vector register holds."""


def in_blocks(
    run: Callable[[Any], Float[Array, "T S N"]], given: Any, count: int, block: int = BLOCK
) -> Float[Array, "T S N"]:
    """`run` of a tree of arrays, subjects last, block by block, about `block` in each.

    Leaves whose last axis is not `count` long are the same for all subjects. The last subject
    fills up the last block.
    """
    if count <= max(ALONE, block):
        return run(given)
    number = -(-count // block)
    size = -(-count // (number * LANES)) * LANES
    number = -(-count // size)
    leaves, tree = jax.tree.flatten(given)
    own = [jnp.ndim(leaf) > 0 and jnp.shape(leaf)[-1] == count for leaf in leaves]

    @jax.checkpoint
    def one(parts: list[Array]) -> Array:
        mine = iter(parts)
        return run(tree.unflatten(next(mine) if o else x for o, x in zip(own, leaves, strict=True)))

    split = [_split(leaf, number, size) for leaf, o in zip(leaves, own, strict=True) if o]
    path = jnp.moveaxis(jax.lax.map(one, split), 0, -2)
    return path.reshape(*path.shape[:-2], number * size)[..., :count]


def _split(leaf: Array, number: int, size: int) -> Float[Array, "blocks ... n"]:
    fill = [(0, 0)] * (leaf.ndim - 1) + [(0, number * size - leaf.shape[-1])]
    wide = jnp.pad(leaf, fill, mode="edge")
    return jnp.moveaxis(wide.reshape(*leaf.shape[:-1], number, size), -2, 0)
