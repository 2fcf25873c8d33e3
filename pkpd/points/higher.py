"""What slopes and curvatures of points leave out, as means over all: third and fourth order.

Along numbers of the equations, and how what outcomes' numbers do goes with these.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def arched(away: Float[Array, " d"], arch: Float[Array, "4 q"]) -> Float[Array, ""]:
    """Third and fourth order along numbers of the equations, 0 at the steps of the first two.

    `arch` has both coefficients, those steps, and how far it holds: beyond it stays.
    """
    cubic, quartic, step, end = arch
    d = jnp.clip(away[: len(step)], -end, end)
    return (cubic * (d**3 - step**2 * d) + quartic * (d**4 - step**2 * d**2)).sum()


def coupling(
    away: Float[Array, " d"], coupled: Float[Array, "q 2 o1 o1"], ends: Float[Array, " q"]
) -> Float[Array, ""]:
    """What outcomes' slopes and curvatures change by with each number of the equations.

    `coupled` has the change with the number and with half its square: slopes in the first row and
    column, curvatures in the rest. Beyond `ends` it stays.
    """
    own = jnp.clip(away[: len(ends)], -ends, ends)
    outcomes = jnp.concatenate([jnp.ones(1), away[len(ends) :]])
    each = jnp.einsum("a,qkab,b->qk", outcomes, coupled, outcomes) / 2
    return (own * each[:, 0] + own**2 / 2 * each[:, 1]).sum()


def higher(
    away: Float[Array, " d"], arch: Float[Array, "4 q"], coupled: Float[Array, "q 2 o1 o1"]
) -> Float[Array, ""]:
    """All that is beyond the second order, on average; the same for all points."""
    return arched(away, arch) + coupling(away, coupled, arch[3])
