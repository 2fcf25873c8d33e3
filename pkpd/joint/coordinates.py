"""Coordinates in which a sampler walks a joint fit.

Population: c = centre + factor u, trial effects themselves as in `variation.centring`, the
individual study's among them: w = x_trial_sd x_study / (prior median of x_trial_sd). Effects of
subjects: as in `individual.coordinates`, about the typical values and spreads that follow from c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.individual.coordinates import Coordinates
from pkpd.individual.problem import population_space
from pkpd.joint.problem import JointLikelihood
from pkpd.variation import centring, standard


def _scaled(likelihood: JointLikelihood, c: Array, sign: int) -> tuple[Array, Array]:
    """The study's effects times (x_trial_sd / its median)^sign, and the log of all ratios."""
    space, total = likelihood.population, jnp.zeros(())
    variables = {v.name: v for v in space.variables}
    for each in likelihood.links.shared:
        if each.study not in variables:
            continue
        spread = variables[f"{each.parameter.name}_trial_sd"]
        value = standard.natural(spread.prior, c[space.places[spread.name]][0])
        log_ratio = jnp.log(value / spread.prior.median)
        c = c.at[space.places[each.study]].multiply(jnp.exp(sign * log_ratio))
        total = total + log_ratio
    return c, total


def to_standard(
    likelihood: JointLikelihood, c: Float[Array, " P"]
) -> tuple[Float[Array, " P"], Float[Array, ""]]:
    """Standardised coordinates of the population's centred ones, and log |dz/dc|."""
    z, total = _scaled(likelihood, c, -1)
    z, log_jacobian = centring.to_standard(likelihood.population, z)
    return z, log_jacobian - total


def from_natural(likelihood: JointLikelihood, flat: Float[Array, " P"]) -> Float[Array, " P"]:
    """The population's centred coordinates of its flat natural vector."""
    c = centring.from_natural(likelihood.population, flat)
    return _scaled(likelihood, c, 1)[0]


def to_natural(likelihood: JointLikelihood, c: Float[Array, " P"]) -> Float[Array, " P"]:
    """The population's flat natural vector; inverse of `from_natural`."""
    return standard.to_natural(likelihood.population, to_standard(likelihood, c)[0])


def log_prior(likelihood: JointLikelihood, c: Float[Array, " P"]) -> Float[Array, ""]:
    """Log prior density of the population's centred coordinates, up to a constant."""
    z, log_jacobian = to_standard(likelihood, c)
    return standard.log_prior_standard(likelihood.population, z) + log_jacobian


def of_individuals(likelihood: JointLikelihood) -> Callable[[Array], Array]:
    """From the population's flat natural vector to the individual level's, standardised."""
    population = population_space(likelihood.individual)

    def translated(flat: Float[Array, " P"]) -> Float[Array, " Q"]:
        values = likelihood.links.translated(likelihood.population.unpack(flat))
        return standard.to_standard(population, population.pack(values))

    return translated


@dataclass(frozen=True)
class JointCoordinates:
    """`effects` has the individual level's centring; its own centre, factor and scale are 0 and 1.

    `centre` and `factor` are of the population, `middle` and `scale` of the subjects' effects.
    """

    likelihood: JointLikelihood
    effects: Coordinates
    centre: Float[np.ndarray, " P"]
    factor: Float[np.ndarray, "P P"]
    middle: Float[np.ndarray, " effects"]
    scale: Float[np.ndarray, " effects"]

    def standard(self, u: Float[Array, " size"]) -> tuple[Array, Float[Array, ""]]:
        """Flat standardised coordinates, and the log of the Jacobian's determinant."""
        size = self.centre.size
        c = jnp.asarray(self.centre) + jnp.asarray(self.factor) @ u[:size]
        z, log_jacobian = to_standard(self.likelihood, c)
        flat = standard.to_natural(self.likelihood.population, z)
        own = of_individuals(self.likelihood)(flat)
        walked = jnp.concatenate([own, self.middle + self.scale * u[size:]])
        inner, more = self.effects.standard(walked)
        return jnp.concatenate([z, inner[own.size :]]), log_jacobian + more

    def parted(
        self, flat: Float[Array, " size"]
    ) -> tuple[Float[Array, " P"], Float[Array, " effects"]]:
        """The population's c and the effects' w of a flat natural vector."""
        likelihood, size = self.likelihood, self.centre.size
        values = likelihood.links.translated(likelihood.space.unpack(flat))
        w = self.effects.inverse(values)[population_space(likelihood.individual).size :]
        return from_natural(likelihood, flat[:size]), w

    def natural(self, u: Float[Array, " size"]) -> Float[Array, " size"]:
        """Flat natural values."""
        return standard.to_natural(self.likelihood.space, self.standard(u)[0])
