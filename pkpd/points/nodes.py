"""Values of the weakly known numbers of the equations at which all else is solved.

A density from one set of points is of second order along what stands in the equations, which does
not reach to the ends of a posterior that is wide there. So sets are solved at several values of
such numbers: at half and the whole of `REACH` SDs to either side along each principal axis of their
covariance, and at corners between each two. Between these the log-density is interpolated, not at
the same values of all other numbers but along the ridge: as these numbers move, the others go with
them as their covariance has it, and the density along that way hardly changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

REACH = 3.0
"""SDs from the centre to the last node of an axis."""

CORNER = 0.6
"""Where corners lie along their two axes, times `REACH`."""

EDGE = 1.1
"""Where, in units of `REACH`, the interpolation goes on as a line."""

WEAK, MOST = 0.2, 3
"""Posterior SD of a number of the equations, in its prior's, above which it has nodes, and how many
numbers have; those best known have none."""


@dataclass(frozen=True)
class Nodes:
    """Places of the weakly known numbers, nodes at distances `away` from the centre, the first 0.

    `turn` makes axes of distances, 1 at their last nodes; `along` says how far every number goes
    with one of these (itself by 1).
    """

    places: Int[np.ndarray, " h"]
    turn: Float[np.ndarray, "h h"]
    along: Float[np.ndarray, "P h"]
    away: Float[np.ndarray, "M h"]

    @property
    def inverse(self) -> Float[np.ndarray, "M C"]:
        """What makes the nodes' weights of the terms."""
        at = self.away[1:] @ self.turn.T
        basis = np.array([np.asarray(terms(jnp.asarray(u))) for u in at])
        rest = np.linalg.inv(basis).T if len(at) else np.zeros((0, 0))
        return np.concatenate([-rest.sum(axis=0, keepdims=True), rest])

    def weights(self, away: Float[Array, " h"], inverse: Float[Array, "M C"]) -> Float[Array, " M"]:
        """The nodes' weights in the interpolation, 1 in all, by the `inverse` above."""
        first = jnp.zeros(len(self.away)).at[0].set(1.0)
        return first + inverse @ terms(jnp.asarray(self.turn) @ away)


def nodes(
    equations: Int[np.ndarray, " q"], spread: Float[np.ndarray, "P P"], weak: float = WEAK
) -> Nodes:
    """The nodes of those `equations`' numbers that are weakly known, under a covariance."""
    sd = np.sqrt(np.diag(spread))[equations]
    widest = equations[np.argsort(-sd)[:MOST]]
    places = np.sort(widest[np.sqrt(np.diag(spread))[widest] > weak])
    own = spread[np.ix_(places, places)]
    values, vectors = np.linalg.eigh(own)
    scale = REACH * np.sqrt(values)
    along = spread[:, places] @ np.linalg.pinv(own)
    return Nodes(places, (vectors / scale).T, along, _grid(len(places)) * scale @ vectors.T)


def _grid(axes: int) -> Float[np.ndarray, "M h"]:
    """Nodes in units of the axes: the centre, four on each axis, four corners of each two."""
    unit = np.eye(axes)
    alone = [each * one for one in unit for each in (-1.0, -0.5, 0.5, 1.0)]
    corners = [
        CORNER * (first * one + second * two)
        for one, two in combinations(unit, 2)
        for first, second in product((-1.0, 1.0), repeat=2)
    ]
    return np.stack([np.zeros(axes), *alone, *corners])


def terms(u: Float[Array, " h"]) -> Float[Array, " C"]:
    """Powers 1 to 4 along each axis, then u v, u^2 v, u v^2 and u^2 v^2 of each two."""
    near = jnp.clip(u, -EDGE, EDGE)
    beyond, squares = u - near, near**2
    alone = [near**k + k * near ** (k - 1) * beyond for k in range(1, 5)]
    one, two = np.triu_indices(len(u), 1)
    mixed = [f[one] * g[two] for g in (near, squares) for f in (near, squares)]
    return jnp.concatenate([*alone, *mixed])
