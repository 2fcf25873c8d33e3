"""Individual-level fits of many data sets by programs compiled once: start, coordinates, chains.

What `individual_sampling.draw` does, with the observations and the coordinates as arguments of the
programs and not constants in them; a fit of its own compiles for its data and takes minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from pkpd import pymc_bridge
from pkpd.individual import start as starts
from pkpd.individual.marginal import Descent
from pkpd.individual.modes import effects_of
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual.whitened import Whitened, whitened
from pkpd.individual.whitening import Whitening
from pkpd.settings import Sampler
from pkpd.variation import standard


def with_data(likelihood: IndividualLikelihood, y: list) -> IndividualLikelihood:
    """The same with other observations, which may be traced where none is censored."""
    old = likelihood.solver.design
    streams = tuple(replace(s, y=seen) for s, seen in zip(old.streams, y, strict=True))
    solver = replace(likelihood.solver, design=replace(old, streams=streams))
    return replace(likelihood, solver=solver)


@dataclass(frozen=True)
class Walker:
    """A likelihood whose observations are changed from data set to data set."""

    likelihood: IndividualLikelihood

    @cached_property
    def blank(self) -> list:
        """Observations of the right shapes."""
        return [jnp.asarray(s.y) for s in self.likelihood.solver.design.streams]

    @cached_property
    def log_likelihood(self) -> Callable:
        """Compiled: (named values, y) -> log-likelihood given the random effects."""
        return jax.jit(lambda values, y: with_data(self.likelihood, y).by_subject(values).sum())

    @cached_property
    def marginal(self) -> Callable:
        """Compiled: (z, modes to begin from, y) -> ((marginal log posterior, modes), gradient)."""
        space = population_space(self.likelihood)

        @partial(jax.value_and_grad, has_aux=True)
        def density(z, begin, y):
            effects = effects_of(with_data(self.likelihood, y))
            found, modes = effects.laplace(space.unpack(standard.to_natural(space, z)), begin)
            return found.sum() + standard.log_prior_standard(space, z), modes

        return jax.jit(density)

    @cached_property
    def joint(self) -> Callable:
        """Compiled: (u, frame, y) -> (log posterior in coordinates u, gradient)."""
        space = self.likelihood.space
        model = pymc_bridge.pymc_model(space, lambda flat: (0.0, flat))
        prior = pymc_bridge._standard_prior(space, model)

        @jax.value_and_grad
        def density(u, frame, y):
            z, log_jacobian = _coordinates(self.likelihood, frame).standard(u)
            values = space.unpack(standard.to_natural(space, z))
            return prior(z) + log_jacobian + with_data(self.likelihood, y).by_subject(values).sum()

        return jax.jit(density)

    @cached_property
    def natural(self) -> Callable:
        """Compiled: (u, frame) -> named values."""
        space = self.likelihood.space
        return jax.jit(lambda u, f: space.unpack(_coordinates(self.likelihood, f).natural(u)))

    def start(self, y: list) -> starts.Start:
        """As `individual.start.find_start`, by the shared program."""
        effects = effects_of(self.likelihood)
        space = population_space(self.likelihood)
        blank = jnp.zeros((effects.rows, self.likelihood.solver.design.count))
        negative = Descent(lambda z, begin: self.marginal(z, begin, y), blank, lambda: None)
        found = minimize(negative, np.zeros(space.size), jac=True, method="L-BFGS-B",
                         options={"maxfun": starts.MOST, "ftol": 1e-10, "gtol": 1e-4})  # fmt: skip
        return starts.described(self.likelihood, negative, found.x)

    def draws(self, y: list, sampler: Sampler):
        """Draws of the posterior given these observations."""
        found = whitened(self.start(y))
        frame, space = _arrays(found), self.likelihood.space

        def density(u, **_):
            value, slope = self.joint(u, frame, y)
            return float(value), np.asarray(slope)

        def expand(u, **_):
            values = self.natural(u, frame)
            return {name: np.asarray(values[name]) for name in space.names}

        program = pymc_bridge._for_nutpie(space, density, expand, corner=0.5)
        return pymc_bridge.run_chains(program, sampler, lambda share: None)


def _arrays(found: Whitened) -> tuple:
    """All numbers of the coordinates: what is another from data set to data set."""
    made = found.whitening
    parts = (found.centre, found.factor, made.bend, made.pull, made.origin, made.drift)
    return tuple(jnp.asarray(part) for part in parts)


def _coordinates(likelihood: IndividualLikelihood, frame: tuple) -> Whitened:
    centre, factor, *parts = frame
    effects = effects_of(likelihood)
    numbers = np.arange(effects.rows * likelihood.solver.design.count).reshape(effects.rows, -1)
    cells = starts.flat_effects(likelihood, effects.values(numbers)).astype(int)
    return Whitened(likelihood, centre, factor, Whitening(effects, cells, *parts))
