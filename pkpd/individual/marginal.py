"""The log marginal posterior of an individual-level fit, its random effects integrated by Laplace.

In the population's standardised coordinates z.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from pkpd.individual.modes import Modes, effects_of
from pkpd.individual.problem import IndividualLikelihood, population_space
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


class Descent:
    """Minus a log marginal posterior, for a search: z -> value and gradient.

    The search for each subject's mode begins at the last one found: `at` (E, N) and what holds
    there, `modes`. `heard` is called each time.
    """

    def __init__(
        self, density: Callable[[Array, Array], tuple], blank: Array, heard: Callable[[], None]
    ) -> None:
        self._density, self._heard = density, heard
        self.at, self.modes = blank, None

    def __call__(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient; `NOWHERE` and none where the density is no number."""
        (value, modes), slope = self._density(jnp.asarray(z), self.at)
        self._heard()
        if not np.isfinite(value) or not np.isfinite(slope).all():
            return NOWHERE, np.zeros_like(z)
        self.at, self.modes = modes.at, modes
        return -float(value), -np.asarray(slope)

    def differences(self, z: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives, along each coordinate, of the gradient (P, P) and the modes (P, E, N).

        By central differences, two points at a time.
        """

        def both(point: np.ndarray) -> np.ndarray:
            (_, modes), slope = self._density(jnp.asarray(point), self.at)
            return np.concatenate([-np.asarray(slope), np.ravel(modes.at)])

        steps = step * np.eye(z.size)
        with ThreadPoolExecutor(2) as pool:
            after, before = np.array(list(pool.map(both, [*(z + steps), *(z - steps)]))).reshape(
                2, z.size, -1
            )
        rows = (after - before) / (2 * step)
        return rows[:, : z.size], rows[:, z.size :].reshape(z.size, *self.at.shape)


def descent(likelihood: IndividualLikelihood, heard: Callable[[], None]) -> Descent:
    """The search of a likelihood's marginal mode, from effects of 0."""
    density = jax.jit(jax.value_and_grad(log_marginal(likelihood), has_aux=True))
    rows = effects_of(likelihood).rows
    return Descent(density, jnp.zeros((rows, likelihood.solver.design.count)), heard)
