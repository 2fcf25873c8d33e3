"""The log-density of an individual-level fit: names and natural-scale numbers in, a float out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.individual.design import Stream
from pkpd.individual.free import Group
from pkpd.individual.makeup import Makeup
from pkpd.individual.outcomes import log_likelihood
from pkpd.individual.own import own_parameters
from pkpd.individual.solve import Solver, finer
from pkpd.model import Model
from pkpd.settings_individual import IndividualSettings
from pkpd.variation.space import Space, log_prior

TIGHTER = 4
"""How many times finer than the sampler's the mesh of an exact log-density is."""


@dataclass(frozen=True)
class IndividualLikelihood:
    """Everything fixed about a fit; free numbers come in, log-densities go out (contract C7)."""

    settings: IndividualSettings
    model: Model
    made: tuple[Makeup, ...]
    tied: tuple[Group, ...]
    space: Space
    solver: Solver

    def own(self, values: Mapping[str, Array]) -> dict[str, Float[Array, "K N"]]:
        """Each subject's own parameters."""
        return own_parameters(self.model, self.made, self.tied, self.solver.design.known, values)

    def fitted(self, values: Mapping[str, Array]) -> list[dict[str, Float[Array, " n"]]]:
        """The model's outputs at the rows of each observation, all outputs by name.

        Of an event also the cumulative hazard at the subject's record before, as `.. before`.
        """
        outputs = self.solver.outputs(self.own(values))
        return [_at_rows(outputs, each) for each in self.solver.design.streams]

    def by_row(self, values: Mapping[str, Array]) -> list[Float[Array, " n"]]:
        """Log-likelihood of each observed row given the random effects, by observation."""
        pairs = zip(self.solver.design.streams, self.fitted(values), strict=True)
        return [log_likelihood(stream, found, values) for stream, found in pairs]

    def by_subject(self, values: Mapping[str, Array]) -> Float[Array, " N"]:
        """Log-likelihood of each subject given the random effects."""
        total = jnp.zeros(self.solver.design.count)
        for stream, rows in zip(self.solver.design.streams, self.by_row(values), strict=True):
            total = total + jax.ops.segment_sum(rows, stream.subject, self.solver.design.count)
        return total

    def log_prior(self, values: Mapping[str, Array]) -> Float[Array, ""]:
        """Log prior density on the natural scale, random effects among it, normalised."""
        parts = [log_prior(v.prior, jnp.asarray(values[v.name])) for v in self.space.variables]
        return sum((part.sum() for part in parts), jnp.zeros(()))

    def log_density(self, values: Mapping[str, Array]) -> float:
        """Log prior plus log-likelihood; the first call compiles. Units: natural log.

        Solved on a mesh `TIGHTER` times finer than the sampler's, whose error is then divided by
        that to the fourth power, so that other programs find the same to 1e-6.
        `values` are natural-scale: population values, SDs of random effects, standardised
        individual effects; see `space.names`.
        """
        return float(self._density({n: jnp.asarray(values[n], float) for n in self.space.names}))

    @cached_property
    def _density(self) -> Callable[[Mapping[str, Array]], Array]:
        exact = self.tightened()
        return jax.jit(lambda values: exact.log_prior(values) + exact.by_subject(values).sum())

    def walked(self) -> IndividualLikelihood:
        """The same as NUTS walks it: in the precision that `engine.precision` names."""
        single = self.settings.engine.precision == "single"
        return replace(self, solver=replace(self.solver, single=single))

    def tightened(self) -> IndividualLikelihood:
        """The same on a mesh `TIGHTER` times finer; itself where there is a closed form."""
        return replace(self, solver=finer(self.solver, TIGHTER))


def _at_rows(outputs: Mapping[str, Array], stream: Stream) -> dict[str, Float[Array, " n"]]:
    found = {name: value[stream.record, stream.subject] for name, value in outputs.items()}
    if stream.observation.outcome == "event":
        name, before = str(stream.observation.cumulative), np.maximum(stream.record - 1, 0)
        found[f"{name} before"] = outputs[name][before, stream.subject]
    return found


def unseen(likelihood: IndividualLikelihood) -> IndividualLikelihood:
    """The same for subjects of whom nothing was seen: their chain runs on from where it begins."""
    fixed = replace(likelihood.solver.design, renew=None, chain=())
    return replace(likelihood, solver=replace(likelihood.solver, design=fixed))


def population_space(likelihood: IndividualLikelihood) -> Space:
    """The space of the population's numbers alone, which stand first."""
    space = likelihood.space
    return Space(tuple(v for v in space.variables if v.dim is None), space.coords)
