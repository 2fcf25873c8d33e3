"""Each subject's conditional mode given the population, its curvature there, and what follows.

Random effects of all subjects are one matrix Z (E, N): rows are effects, a padded set for each
occasion. Subjects are independent, so one gradient of the sum gives all their gradients, and E
products with unit tangents all their Hessians. With h_i(Z) = log p(y_i | Z) - |Z_i|^2 / 2,

    Laplace:  log p(y) = sum_i h_i(Z*) - log det(-h_i''(Z*)) / 2     (+ log prior of the population)

(Tierney and Kadane 1986). Its derivative with respect to the population t, Z* moving with it:

    dh/dt + sum_k v_k' (dh''/dt) v_k / 2 + (d/dt) (dh/dZ) w,
    w = H^-1 (d/dZ) sum_k v_k' h'' v_k / 2

with H = -h'', v_k held and sum_k v_k v_k' = H^-1. Each v' h'' v, and the last term, is a central
difference of h along a subject's own direction, so that no derivative but the first is ever
compiled in reverse: 2 E + 3 plain gradients in all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float, Int

from pkpd.individual.free import OCCASION, SUBJECT
from pkpd.individual.problem import IndividualLikelihood

Named = Mapping[str, Array]
ROUNDS = 60
SETTLED = 1e-8
"""A Newton step below this is not taken: the error left is about its square."""

PROBE = 3e-3
"""Step, in SDs of a subject's effects, of the differences that stand for third derivatives."""

SOFTEST = 0.2
"""Smallest curvature that a step of the search believes; the prior alone has 1."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Point:
    """Log-densities h_i (N,) somewhere, their slopes (E, N) and minus Hessians (N, E, E)."""

    height: Float[Array, " N"]
    slope: Float[Array, "E N"]
    curvature: Float[Array, "N E E"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Modes:
    """Conditional modes (E, N), and what holds there: see `Point`."""

    at: Float[Array, "E N"]
    height: Float[Array, " N"]
    slope: Float[Array, "E N"]
    curvature: Float[Array, "N E E"]


def effects_of(likelihood: IndividualLikelihood) -> Effects:
    """The effects of a likelihood, which gets the second derivatives that curvatures need."""
    solver = likelihood.solver
    solver = replace(solver, smooth="squaring" if solver.meets else "spectrum")
    return Effects(replace(likelihood, solver=solver))


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
        return self.point(population, matrix).curvature

    def point(self, population: Mapping[str, Array], matrix: Array) -> Point:
        """Height, slope and curvature, by one program: the equations stand in it once."""

        def both(z: Array) -> tuple[Array, Array]:
            def summed(z: Array) -> tuple[Array, Array]:
                height = self.height(population, z)
                return height.sum(), height

            slope, height = jax.grad(summed, has_aux=True)(z)
            return height, slope

        def column(_: tuple, tangent: Array) -> tuple[tuple, Array]:
            wide = jnp.broadcast_to(tangent[:, None], matrix.shape)
            here, (_, along) = jax.jvp(both, (matrix,), (wide,))
            return here, along

        blank = (jnp.zeros(matrix.shape[1]), jnp.zeros_like(matrix))
        if self.rows == 0:
            return Point(*both(matrix), jnp.zeros((matrix.shape[1], 0, 0)))
        (height, slope), found = jax.lax.scan(column, blank, jnp.eye(self.rows))
        bent = -jnp.moveaxis(found, 2, 0)
        return Point(height, slope, (bent + jnp.swapaxes(bent, 1, 2)) / 2)

    def find(self, population: Mapping[str, Array], start: Float[Array, "E N"]) -> Modes:
        """The modes, by Newton's method with the step cut where a subject does not improve.

        It ends where every next step is below `SETTLED`, and does not take that step.
        """

        def going(state: tuple) -> Bool[Array, ""]:
            number, _, _, step = state
            return (number < ROUNDS) & ((number == 0) | (jnp.abs(step).max(initial=0.0) > SETTLED))

        def round_(state: tuple) -> tuple:
            number, modes, size, step = state
            at = modes.at + step
            there = self.point(population, at)
            better = there.height >= modes.height - 1e-12 * (1 + jnp.abs(modes.height))
            modes = Modes(
                jnp.where(better, at, modes.at),
                jnp.where(better, there.height, modes.height),
                jnp.where(better, there.slope, modes.slope),
                jnp.where(better[:, None, None], there.curvature, modes.curvature),
            )
            size = jnp.where(better, jnp.minimum(1.0, 2 * size), size / 4)
            return number + 1, modes, size, size * _newton(modes.curvature, modes.slope)

        count = start.shape[1]
        unknown = jnp.full(count, -jnp.inf)
        bent = jnp.zeros((count, self.rows, self.rows))
        begin = Modes(start, unknown, jnp.zeros_like(start), bent)
        first = (0, begin, jnp.ones(count), jnp.zeros_like(start))
        return jax.lax.stop_gradient(jax.lax.while_loop(going, round_, first)[1])

    def laplace(
        self, population: Mapping[str, Array], start: Float[Array, "E N"]
    ) -> tuple[Float[Array, " N"], Modes]:
        """Each subject's marginal log-likelihood by Laplace, and the modes it is made of.

        It has a first derivative, in reverse mode, with respect to the population.
        """
        modes = self.find(jax.lax.stop_gradient(population), start)
        if self.rows == 0:
            return self.height(population, modes.at), modes

        @jax.custom_vjp
        def marginal(population: Named) -> Array:
            return modes.height - log_det(modes.curvature) / 2

        marginal.defvjp(
            lambda population: (marginal(population), population),
            lambda population, each: (self._back(population, modes, each),),
        )
        return marginal(population), modes

    def _back(self, population: Named, modes: Modes, each: Float[Array, " N"]) -> Named:
        """The gradient of Laplace's approximation, summed with weights `each`; see the module."""

        def slopes(z: Array) -> tuple[Named, Array]:
            def total(population: Named, z: Array) -> Array:
                return (each * self.height(population, z)).sum()

            return jax.grad(total, argnums=(0, 1))(population, z)

        here = slopes(modes.at)

        def column(total: tuple[Named, Array], v: Array) -> tuple[tuple, None]:
            after, before = slopes(modes.at + PROBE * v), slopes(modes.at - PROBE * v)
            second = jax.tree.map(lambda a, b, c: (a + b - 2 * c) / PROBE**2, after, before, here)
            return jax.tree.map(lambda t, s: t + s / 2, total, second), None

        blank = jax.tree.map(jnp.zeros_like, (population, modes.at))
        (held, moved), _ = jax.lax.scan(column, blank, roots(modes.curvature))
        w = PROBE * _newton(modes.curvature, moved, believed=True)
        after, before = slopes(modes.at + w)[0], slopes(modes.at - w)[0]
        along = jax.tree.map(lambda a, b: (a - b) / (2 * PROBE), after, before)
        return jax.tree.map(lambda h, s, a: h + s + a, held, here[0], along)


def log_det(bent: Float[Array, "N E E"]) -> Float[Array, " N"]:
    """log det, not a number where a matrix is not positive definite."""
    return 2 * jnp.log(jnp.diagonal(jnp.linalg.cholesky(bent), axis1=1, axis2=2)).sum(axis=1)


def roots(bent: Float[Array, "N E E"]) -> Float[Array, "E E N"]:
    """Vectors v_k of each subject, k first, with sum_k v_k v_k' the inverse of its matrix."""
    lower = jnp.linalg.cholesky(bent)
    unit = jnp.broadcast_to(jnp.eye(bent.shape[-1]), bent.shape)
    inverse = solve_triangular(lower, unit, lower=True)  # row k is v_k
    return jnp.moveaxis(inverse, 0, 2)


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
