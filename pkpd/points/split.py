"""The population's numbers, by what they do to a subject whose own parameters are given.

Some make only the law of those parameters: typical values, SDs and correlations of what varies,
and coefficients of covariates that a subject keeps, on parameters that vary on the log scale. The
others stand in the likelihood: in its equations, or in the outcomes alone.

A subject's effects are points r = m + A z on the scales of their parameters, what covariates
multiply in it, so that typical values and coefficients enter through m alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.individual.makeup import Makeup
from pkpd.individual.modes import Effects
from pkpd.individual.own import coefficient, factor
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual.whitening import locations, mixing
from pkpd.settings_individual import CovariateEffect
from pkpd.variation import standard

Named = Mapping[str, Array]
Law = tuple[Float[Array, "N E"], Float[Array, "E E"]]
LEAST = 1e-6
"""Least factor of which a logarithm is taken."""


@dataclass(frozen=True, eq=False)
class Split:
    """Places of the numbers in the population's flat vector: `equations`, then `outcomes`.

    Those that neither names make the law alone.
    """

    effects: Effects
    equations: Int[np.ndarray, " q"]
    outcomes: Int[np.ndarray, " o"]

    @property
    def others(self) -> Int[np.ndarray, " d"]:
        """Places of all that stands in the likelihood."""
        return np.concatenate([self.equations, self.outcomes])

    def values(self, z: Float[Array, " P"]) -> dict[str, Array]:
        """Natural values of the population's standardised coordinates."""
        space = population_space(self.effects.likelihood)
        return space.unpack(standard.to_natural(space, z))

    def law(self, z: Float[Array, " P"]) -> Law:
        """Mean m of each subject and mixing A of the effects, m + A times standard normals."""
        values = self.values(z)
        middle = jnp.asarray(locations(self.effects, values))
        return middle + self._shifts(values), mixing(self.effects, values)

    def _shifts(self, values: Named) -> Float[Array, "N E"]:
        """What kept covariates add to the logarithm of each parameter that varies on that scale."""
        likelihood, effects = self.effects.likelihood, self.effects
        known = likelihood.solver.design.known.covariates
        found = jnp.zeros((likelihood.solver.design.count, effects.rows))
        for each, column in _varying(effects):
            for effect in _kept(likelihood, each):
                x = jnp.asarray(known[effect.name.upper()])[0]
                times = factor(effect, x, coefficient(each, effect, values))
                found = found.at[:, column].add(jnp.log(jnp.maximum(times, LEAST)))
        return found


def _varying(effects: Effects) -> list[tuple[Makeup, int]]:
    """The parameters that vary between subjects, and the columns of their effects."""
    made = {each.name: each for each in effects.likelihood.made}
    return [(made[name.removesuffix("_eta")], k) for k, name in enumerate(effects.names)]


def _kept(likelihood: IndividualLikelihood, each: Makeup) -> list[CovariateEffect]:
    """Effects of covariates that do not change with time, on a parameter of log scale."""
    known = likelihood.solver.design.known.covariates
    same = [c for c in each.covariates if np.shape(known[c.name.upper()])[0] == 1]
    return same if each.parameter.scale == "log" else []


def split(likelihood: IndividualLikelihood) -> Split:
    """The split of a likelihood's population."""
    effects, space = Effects(likelihood), population_space(likelihood)
    own = {name.removesuffix("_eta") for name in effects.names}
    law = own | {f"{name}_between" for name in own}
    law |= {name.removesuffix("_eta") for name in effects.by_occasion}
    law |= {name for group in likelihood.tied for name in group.partials}
    law |= {
        f"{each.name}_{c.name.lower()}"
        for each, _ in _varying(effects)
        for c in _kept(likelihood, each)
    }
    inside = {each.name for each in likelihood.made}
    inside |= {f"{e.name}_{c.name.lower()}" for e in likelihood.made for c in e.covariates}

    def places(wanted: set[str]) -> np.ndarray:
        found = [
            np.arange(space.size)[space.places[name]] for name in space.names if name in wanted
        ]
        return np.concatenate([np.zeros(0, int), *found])

    names = set(space.names) - law
    return Split(effects, places(names & inside), places(names - inside))


def standardised(points: Float[np.ndarray, "N K E"], law: Law) -> Float[np.ndarray, "N K E"]:
    """Effects as the standard normals that a law makes them of."""
    mean, mix = (np.asarray(part) for part in law)
    return (points - mean[:, None]) @ np.linalg.inv(mix).T


def normal_log_density(z: Float[np.ndarray, "... E"]) -> Float[np.ndarray, "..."]:
    """Log-density of standard normals."""
    return -(z**2).sum(axis=-1) / 2 - z.shape[-1] * np.log(2 * np.pi) / 2
