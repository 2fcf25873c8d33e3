"""NONMEM's first-order conditional objective with interaction, for continuous outcomes.

At the conditional modes z*, with f the prediction of a row, V its variance there,

    OFV = sum_i [ sum_j ( (y_ij - f_ij)^2 / V_ij + log V_ij ) + |z_i|^2 + log det H_i ],
    H_i = 1 + sum_j ( a a' / V + c c' / 2 ),   a = df/dz,  c = (dV/dz) / V,

z the standardised effects, so that log det Omega and eta' Omega^-1 eta are in it, n log(2 pi) not
(Almquist, Leander and Jirstrand 2015, J Pharmacokinet Pharmacodyn 42:191-209, equation 21 and
appendix; NONMEM's METHOD=1 INTERACTION). An approximation of -2 log p(y): a quick look, and the
place where this package can be held against NONMEM to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.errors import ModelError
from pkpd.individual.design import Stream
from pkpd.individual.modes import Effects, effects_of
from pkpd.individual.numbers import outcome_values
from pkpd.individual.outcomes import expected
from pkpd.individual.problem import IndividualLikelihood
from pkpd.variation.residual import RESIDUALS


@dataclass(frozen=True)
class Objective:
    """The objective of each subject, and its standardised conditional modes."""

    by_subject: Float[Array, " N"]
    modes: Float[Array, "E N"]

    @property
    def total(self) -> float:
        """The objective function value."""
        return float(self.by_subject.sum())


def foce(likelihood: IndividualLikelihood, population: Mapping[str, Array]) -> Objective:
    """The objective at natural population values; see the module.

    Raises `ModelError` where an outcome is not continuous with normal, additive errors, or rows are
    censored: the objective is not defined for these.
    """
    streams = likelihood.solver.design.streams
    for stream in streams:
        seen = stream.observation
        plain = seen.outcome == "continuous" and seen.tails == "normal" and (stream.kind == 0).all()
        if not plain or RESIDUALS[seen.error].logarithmic:
            raise ModelError(f"{seen.label}: FOCE is for uncensored rows with normal errors.")
    effects = effects_of(likelihood)
    start = jnp.zeros((effects.rows, likelihood.solver.design.count))
    numbers = {name: jnp.asarray(value, float) for name, value in population.items()}
    return Objective(*jax.jit(partial(_objective, effects))(numbers, start))


def _objective(effects: Effects, population: dict, start: Array) -> tuple[Array, Array]:
    found = effects.find(population, start)
    count = found.at.shape[1]
    total = (found.at**2).sum(axis=0)
    bent = jnp.broadcast_to(jnp.eye(effects.rows), (count, effects.rows, effects.rows))
    for k, stream in enumerate(effects.likelihood.solver.design.streams):

        def seen(z: Array, k: int = k, stream: Stream = stream) -> tuple[Array, Array]:
            values = {**population, **effects.values(z)}
            f = expected(stream, effects.likelihood.fitted(values)[k], values)
            scale = RESIDUALS[stream.observation.error].scale
            return f, scale(f, outcome_values(stream.observation, values)) ** 2

        f, v = seen(found.at)
        rows = (stream.y - f) ** 2 / v + jnp.log(v)
        total = total + jax.ops.segment_sum(rows, stream.subject, count)
        tangents = [jnp.zeros_like(found.at).at[e].set(1.0) for e in range(effects.rows)]
        slopes = [jax.jvp(seen, (found.at,), (tangent,))[1] for tangent in tangents]
        a = jnp.stack([slope[0] for slope in slopes], axis=1)
        c = jnp.stack([slope[1] for slope in slopes], axis=1) / v[:, None]
        outer = a[:, :, None] * a[:, None] / v[:, None, None] + c[:, :, None] * c[:, None] / 2
        bent = bent + jax.ops.segment_sum(outer, stream.subject, count)
    return total + jnp.linalg.slogdet(bent)[1], found.at
