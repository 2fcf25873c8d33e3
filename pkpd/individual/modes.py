"""Each subject's conditional mode given the population, its curvature there, and what follows.

Random effects of all subjects are one matrix Z (E, N): rows are effects, a padded set for each
occasion. Subjects are independent, so one gradient of the sum gives all their gradients, and E
products with unit tangents all their Hessians. With h_i(Z) = log p(y_i | Z) - |Z_i|^2 / 2,

    Laplace:  log p(y) = sum_i h_i(Z*) - log det(-h_i''(Z*)) / 2     (+ log prior of the population)

(Tierney and Kadane 1986). Derivatives with respect to the population run through one step of
Newton's method from the stopped mode, which has those of the implicit function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from pkpd.individual.free import OCCASION, SUBJECT
from pkpd.individual.problem import IndividualLikelihood

ROUNDS = 60
SETTLED = 1e-9
SOFTEST = 0.2
"""Smallest curvature that a step of the search believes; the prior alone has 1."""


@dataclass(frozen=True)
class Modes:
    """Conditional modes (E, N), log-densities there (N,), minus Hessians (N, E, E)."""

    at: Float[Array, "E N"]
    height: Float[Array, " N"]
    curvature: Float[Array, "N E E"]


def effects_of(likelihood: IndividualLikelihood) -> Effects:
    """The effects of a likelihood, which gets the second derivatives that curvatures need."""
    return Effects(replace(likelihood, solver=replace(likelihood.solver, smooth=True)))


@dataclass(frozen=True)
class Effects:
    """The random effects of a likelihood as a matrix, and back: see `effects_of`."""

    likelihood: IndividualLikelihood

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Variables of subjects, then of occasions."""
        return tuple(v.name for v in self.likelihood.space.variables if v.dim == SUBJECT)

    @cached_property
    def by_occasion(self) -> tuple[str, ...]:
        """Variables by occasion."""
        return tuple(v.name for v in self.likelihood.space.variables if v.dim == OCCASION)

    @cached_property
    def slots(self) -> Int[np.ndarray, "occasions 2"]:
        """For each occasion, its subject and its number within the subject."""
        design = self.likelihood.solver.design
        subject = [design.subjects.index(label.rsplit(":", 1)[0]) for label in design.occasions]
        number = [subject[:k].count(s) for k, s in enumerate(subject)]
        return np.array([subject, number], int).reshape(2, -1).T

    @property
    def rows(self) -> int:
        """E: how many effects a subject has at most."""
        most = int(self.slots[:, 1].max()) + 1 if len(self.slots) else 0
        return len(self.names) + most * len(self.by_occasion)

    def values(self, matrix: Float[Array, "E N"]) -> dict[str, Array]:
        """The effects by variable name."""
        found = {name: matrix[k] for k, name in enumerate(self.names)}
        subject, number = self.slots.T
        for k, name in enumerate(self.by_occasion):
            row = len(self.names) + number * len(self.by_occasion) + k
            found[name] = matrix[row, subject]
        return found

    def height(self, population: Mapping[str, Array], matrix: Array) -> Float[Array, " N"]:
        """h_i: log-likelihood of each subject with its effects' standard normal kernel."""
        values = {**population, **self.values(matrix)}
        return self.likelihood.by_subject(values) - (matrix**2).sum(axis=0) / 2

    def slope(self, population: Mapping[str, Array], matrix: Array) -> Float[Array, "E N"]:
        """The gradient of each h_i."""
        return jax.grad(lambda z: self.height(population, z).sum())(matrix)

    def bend(self, population: Mapping[str, Array], matrix: Array) -> Float[Array, "N E E"]:
        """Minus the Hessian of each h_i."""

        def column(_: None, tangent: Array) -> tuple[None, Array]:
            wide = jnp.broadcast_to(tangent[:, None], matrix.shape)
            return None, jax.jvp(lambda z: self.slope(population, z), (matrix,), (wide,))[1]

        found = jax.lax.scan(column, None, jnp.eye(self.rows))[1]
        bent = -jnp.moveaxis(found, 2, 0)
        return (bent + jnp.swapaxes(bent, 1, 2)) / 2

    def find(self, population: Mapping[str, Array], start: Float[Array, "E N"]) -> Modes:
        """The modes, by Newton's method with the step halved where a subject does not improve."""

        def going(state: tuple) -> Bool[Array, ""]:
            number, _, _, moved = state
            return (number < ROUNDS) & (moved > SETTLED)

        def round_(state: tuple) -> tuple:
            number, at, size, _ = state
            here = self.height(population, at)
            step = _newton(self.bend(population, at), self.slope(population, at))
            there = self.height(population, at + size * step)
            better = there >= here - 1e-12 * (1 + jnp.abs(here))
            after = jnp.where(better, at + size * step, at)
            moved = jnp.where(better, jnp.abs(size * step).max(axis=0), size).max()
            return number + 1, after, jnp.where(better, jnp.minimum(1.0, 2 * size), size / 4), moved

        size = jnp.ones(start.shape[1])
        found = jax.lax.while_loop(going, round_, (0, start, size, jnp.asarray(jnp.inf)))[1]
        found = jax.lax.stop_gradient(found)
        return Modes(found, self.height(population, found), self.bend(population, found))

    def laplace(
        self, population: Mapping[str, Array], start: Float[Array, "E N"]
    ) -> tuple[Float[Array, " N"], Float[Array, "E N"]]:
        """Each subject's marginal log-likelihood by Laplace, and the modes to begin from next."""
        modes = self.find(jax.lax.stop_gradient(population), start)
        bent = jax.lax.stop_gradient(modes.curvature)
        step = _newton(bent, self.slope(population, modes.at), believed=True)
        at = modes.at + step  # no move in value, the implicit derivative in slope
        sign, log_det = jnp.linalg.slogdet(self.bend(population, at))
        marginal = self.height(population, at) - jnp.where(sign > 0, log_det, jnp.inf) / 2
        return marginal, modes.at


def _newton(bent: Float[Array, "N E E"], slope: Float[Array, "E N"], *, believed: bool = False):
    """Newton's step for each subject; unless believed, curvatures are made positive."""
    if bent.shape[-1] == 0:
        return slope
    if believed:
        return jnp.linalg.solve(bent, slope.T[..., None])[..., 0].T
    values, vectors = jnp.linalg.eigh(jnp.where(jnp.isfinite(bent), bent, jnp.eye(bent.shape[-1])))
    values = jnp.maximum(jnp.abs(values), SOFTEST)
    turned = jnp.einsum("nij,in->nj", vectors, slope) / values
    return jnp.einsum("nij,nj->in", vectors, turned)
