"""JointLikelihood: arms and individuals in one log-density (contract C7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level.problem import Likelihood
from pkpd.individual.free import OCCASION, SUBJECT
from pkpd.individual.problem import IndividualLikelihood
from pkpd.joint.links import Links, link, study_effects
from pkpd.variation.space import Space, log_prior


@dataclass(frozen=True)
class JointLikelihood:
    """Everything fixed about a joint fit; free numbers come in, log-densities go out.

    `space` has the arm level's numbers first, then the individual study's trial effects, then the
    numbers that individuals own (see `links.Links.own`), their standardised effects last.
    """

    arms: Likelihood
    individual: IndividualLikelihood
    links: Links
    space: Space

    @cached_property
    def population(self) -> Space:
        """The space without the effects of subjects and occasions, which stand last."""
        kept = (v for v in self.space.variables if v.dim not in (SUBJECT, OCCASION))
        return Space(tuple(kept), self.space.coords)

    def held_at(self, flat: Float[Array | np.ndarray, " arms"]) -> JointLikelihood:
        """The same with every arm's covariance held at a flat arm-level vector."""
        return replace(self, arms=self.arms.held_at(flat))

    def walked(self) -> JointLikelihood:
        """The same as NUTS walks it: individuals in the precision that their engine names."""
        return replace(self, individual=self.individual.walked())

    def by_arm(self, values: Mapping[str, Array]) -> Float[Array, " arms"]:
        """Log-likelihood of each arm, named by `arms.arm_names`."""
        return self.arms.by_arm(values)

    def by_subject(self, values: Mapping[str, Array]) -> Float[Array, " N"]:
        """Log-likelihood of each subject given the random effects."""
        return self.individual.by_subject(self.links.translated(values))

    def log_prior(self, values: Mapping[str, Array]) -> Float[Array, ""]:
        """Log prior density on the natural scale, random effects among it, normalised."""
        parts = [log_prior(v.prior, jnp.asarray(values[v.name])) for v in self.space.variables]
        return sum((part.sum() for part in parts), jnp.zeros(()))

    def log_density(self, values: Mapping[str, Array]) -> float:
        """Log prior plus log-likelihood of arms and subjects; the first call compiles.

        Individuals are solved on a finer mesh than the sampler's, as their own `log_density` is.
        `values` are natural-scale, by the names of `space`. Units: natural log.
        """
        return float(self._density({n: jnp.asarray(values[n], float) for n in self.space.names}))

    @cached_property
    def _density(self) -> Callable[[Mapping[str, Array]], Array]:
        exact = replace(self, individual=self.individual.tightened())

        def density(values: Mapping[str, Array]) -> Array:
            seen = exact.by_arm(values).sum() + exact.by_subject(values).sum()
            return exact.log_prior(values) + seen

        return jax.jit(density)


def joint_likelihood(
    arms: Likelihood, individual: IndividualLikelihood, *, drug: str, study: str
) -> JointLikelihood:
    """Both likelihoods as one; `drug` is the arm level's name of what the individuals are given.

    The individual model is one with the arm level's disease model; see `joint.checks`.
    """
    links = link(arms.disease, individual.made, known=arms.space, own=individual.space, drug=drug)
    own = [
        replace(v, name=links.own[v.name])
        for v in individual.space.variables
        if v.name in links.own
    ]
    variables = (*arms.space.variables, *study_effects(links, study), *own)
    coords = {**arms.space.coords, **individual.space.coords}
    return JointLikelihood(arms, individual, links, Space(variables, coords))
