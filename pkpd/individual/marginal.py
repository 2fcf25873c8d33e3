"""The log marginal posterior of an individual-level fit, its random effects integrated by Laplace.

In the population's standardised coordinates z.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from pkpd.individual.modes import Modes, effects_of
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.start import population_space
from pkpd.variation import standard

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
NOWHERE = 1e10
"""What a search hears where the density is no number."""


def log_marginal(likelihood: IndividualLikelihood) -> Callable[[Array, Array], tuple]:
    """(z, modes to begin from) -> (log marginal posterior, subjects' `Modes`): a JAX function."""
    effects, space = effects_of(likelihood), population_space(likelihood)

    def density(z: Array, begin: Array) -> tuple[Array, Modes]:
        population = space.unpack(standard.to_natural(space, z))
        marginal, modes = effects.laplace(population, begin)
        return marginal.sum() + standard.log_prior_standard(space, z), modes

    return density


def negative_log_marginal(likelihood: IndividualLikelihood, heard: Callable[[], None]) -> Objective:
    """Z -> minus the log marginal posterior and its gradient; `heard` is called each time.

    The search for each subject's mode begins at the last one found.
    """
    density = jax.jit(jax.value_and_grad(log_marginal(likelihood), has_aux=True))
    rows = effects_of(likelihood).rows
    state = {"modes": jnp.zeros((rows, likelihood.solver.design.count))}

    def negative(z: np.ndarray) -> tuple[float, np.ndarray]:
        (value, modes), slope = density(jnp.asarray(z), state["modes"])
        heard()
        if not np.isfinite(value) or not np.isfinite(slope).all():
            return NOWHERE, np.zeros_like(z)
        state["modes"] = modes.at
        return -float(value), -np.asarray(slope)

    return negative
