"""The log marginal posterior from points solved at every node of the weakly known numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.points.nodes import Nodes, nodes
from pkpd.points.split import Split
from pkpd.points.tilted import Tilted, Value, prior


@dataclass(frozen=True)
class Clouds:
    """Solved points at each node, those at the centre first; a density as one `Tilted` has it.

    Each is asked where the ridge through the population asked for meets its node.
    """

    each: tuple[Tilted, ...]
    nodes: Nodes

    @property
    def split(self) -> Split:
        """What the population's numbers do."""
        return self.each[0].split

    @property
    def centre(self) -> Float[np.ndarray, " P"]:
        """The population that the first were solved at."""
        return self.each[0].centre

    def log_likelihood(self, z: Float[np.ndarray, " P"]) -> Value:
        """The marginal log-likelihood and its gradient, in standardised coordinates."""
        if len(self.each) == 1:
            return self.each[0].log_likelihood(z)
        found = [c.log_likelihood(at) for c, at in zip(self.each, self.asked(z), strict=True)]
        values, slopes = (
            np.array([each[0] for each in found]),
            np.array([each[1] for each in found]),
        )
        weights, by_away = self.weights(z)
        first = values[0]
        value = first + weights @ (values - first)
        return float(value), self.pulled(weights @ slopes, (values - first) @ by_away)

    def density(self, z: Float[np.ndarray, " P"]) -> Value:
        """The same with the prior."""
        value, slope = self.log_likelihood(z)
        more, along = prior(self.split, jnp.asarray(z))
        return value + float(more), slope + np.asarray(along)

    def asked(self, z: Float[np.ndarray, " P"]) -> Float[np.ndarray, "M P"]:
        """Where each node's points are asked."""
        return np.asarray(z) + (self.nodes.away - self._away(z)) @ self.nodes.along.T

    def weights(
        self, z: Float[np.ndarray, " P"]
    ) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, "M h"]]:
        """The nodes' weights, and their derivatives by the distances from the centre."""
        found = self._weights(self._away(z))
        return np.asarray(found[0]), np.asarray(found[1])

    def pulled(
        self, slope: Float[np.ndarray, "... P"], by_away: Float[np.ndarray, "... h"]
    ) -> Float[np.ndarray, "... P"]:
        """Derivatives by the population, from those by where nodes are asked and by distances."""
        found = np.array(slope)
        found[..., self.nodes.places] += by_away - slope @ self.nodes.along
        return found

    def nearest(self, z: Float[np.ndarray, " P"]) -> Tilted:
        """The points of the node that is nearest, in SDs."""
        apart = (self.nodes.away - self._away(z)) @ self.nodes.turn.T
        return self.each[int((apart**2).sum(axis=1).argmin())]

    def _away(self, z: Float[np.ndarray, " P"]) -> Float[np.ndarray, " h"]:
        return (np.asarray(z) - self.centre)[self.nodes.places]

    @cached_property
    def _weights(self) -> jax.stages.Wrapped:
        nodes, inverse = self.nodes, jnp.asarray(self.nodes.inverse)

        @jax.jit
        def both(away: jax.Array) -> tuple[jax.Array, jax.Array]:
            def weights(away: jax.Array) -> jax.Array:
                return nodes.weights(away, inverse)

            return weights(away), jax.jacfwd(weights)(away)

        return both


def alone(cloud: Tilted) -> Clouds:
    """Points that are solved at the centre alone."""
    size = cloud.centre.size
    return Clouds((cloud,), nodes(cloud.split.equations[:0], np.eye(size)))
