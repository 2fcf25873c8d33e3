"""The parts of a joint fit's marginal log-density, with gradients, where a search asks for them.

Both take the population's centred coordinates (`joint.coordinates`). One is the log prior with the
arms' log-likelihood, covariances held. The other is sum_i log p(y_i | population), subjects'
effects integrated by Laplace (`individual.modes`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level.gradient import ValueAndGradient
from pkpd.individual.modes import Modes, effects_of
from pkpd.individual.problem import population_space
from pkpd.joint import coordinates as walked
from pkpd.joint.problem import JointLikelihood
from pkpd.variation import standard

Part = Callable[[np.ndarray], tuple[float, np.ndarray]]


def of_longer(call: ValueAndGradient, size: int) -> ValueAndGradient:
    """The same function of a longer vector, of which it sees the first `size` numbers."""

    def of(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = call(flat[:size])
        return value, np.concatenate([slope, np.zeros(flat.size - size)])

    return of


def arms_part(likelihood: JointLikelihood, call: ValueAndGradient) -> Part:
    """Log prior and the arms' log-likelihood, up to a constant; `call` solves the arms."""
    wide = of_longer(call, likelihood.arms.space.size)

    def natural(c: Array) -> Array:
        return walked.to_natural(likelihood, c)

    place = jax.jit(natural)
    pull = jax.jit(lambda c, slope: jax.vjp(natural, c)[1](slope)[0])
    prior = jax.jit(jax.value_and_grad(lambda c: walked.log_prior(likelihood, c)))

    def at(c: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = wide(np.asarray(place(c)))
        before, tilt = prior(c)
        return value + float(before), np.asarray(pull(c, slope) + tilt)

    return at


@dataclass(frozen=True)
class Marginal:
    """Compiled programs of the individuals' share.

    `place` gives the individual level's standardised population q of centred coordinates c, `pull`
    a gradient in q back in c; `laplace(q, begin)` is ((value, `Modes`), gradient), the search for
    modes beginning at `begin`: `blank`, or modes found elsewhere.
    """

    place: Callable[[Any], Array]
    pull: Callable[[Any, Any], Array]
    laplace: Callable[[Array, Array], Any]
    blank: Float[Array, "E N"]

    def standing(self, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The effects' conditional modes at c and their variances, at most the prior's, (E, N)."""
        (_, modes), _ = self.laplace(self.place(c), self.blank)
        variance = jnp.diagonal(jnp.linalg.inv(modes.curvature), axis1=1, axis2=2).T
        variance = np.nan_to_num(np.asarray(variance), nan=1.0)
        return np.asarray(modes.at), np.clip(variance, 1e-4, 1.0)


def marginal(likelihood: JointLikelihood) -> Marginal:
    """The programs of a joint likelihood; each compiles when first called."""
    effects = effects_of(likelihood.individual)
    population = population_space(likelihood.individual)
    translated = walked.of_individuals(likelihood)

    def place(c: Array) -> Array:
        return translated(walked.to_natural(likelihood, c))

    @partial(jax.value_and_grad, has_aux=True)
    def laplace(q: Array, begin: Array) -> tuple[Array, Modes]:
        values = population.unpack(standard.to_natural(population, q))
        found, modes = effects.laplace(values, begin)
        return found.sum(), modes

    return Marginal(
        jax.jit(place),
        jax.jit(lambda c, slope: jax.vjp(place, c)[1](slope)[0]),
        jax.jit(laplace),
        jnp.zeros((effects.rows, likelihood.individual.solver.design.count)),
    )


def individuals_part(found: Marginal) -> Part:
    """The individuals' marginal log-likelihood.

    It remembers each q's answer, so that moves of numbers that are the arms' alone cost nothing,
    and the modes found last, to begin from; where nothing is found from there, from none.
    """
    known: dict[bytes, tuple[float, np.ndarray]] = {}
    last = {"modes": found.blank}

    def asked(q: np.ndarray) -> tuple[float, np.ndarray]:
        for begin in (last["modes"], found.blank):
            (value, modes), slope = found.laplace(jnp.asarray(q), begin)
            if np.isfinite(value) and np.isfinite(slope).all():
                last["modes"] = modes.at
                break
        return float(value), np.asarray(slope)

    def at(c: np.ndarray) -> tuple[float, np.ndarray]:
        q = np.asarray(found.place(c))
        if q.tobytes() not in known:
            known[q.tobytes()] = asked(q)
        value, slope = known[q.tobytes()]
        return value, np.asarray(found.pull(c, slope))

    return at
