"""The sampler's coordinates that a start makes: see `whitening` for the effects' part of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.individual.modes import effects_of
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual.start import Start, flat_effects
from pkpd.individual.whitening import Whitening, bends, locations, mixing
from pkpd.variation import standard


@dataclass(frozen=True)
class Whitened:
    """The sampler's coordinates: c = centre + factor u of the population, then v of the effects."""

    likelihood: IndividualLikelihood
    centre: Float[np.ndarray, " P"]
    factor: Float[np.ndarray, "P P"]
    whitening: Whitening

    def standard(self, u: Float[Array, " size"]) -> tuple[Array, Float[Array, ""]]:
        """Flat standardised coordinates, and the log of the Jacobian's determinant."""
        away = jnp.asarray(self.factor) @ u[: self.centre.size]
        first = jnp.asarray(self.centre) + away
        values = self._population(first)
        z, log_jacobian = self.whitening.placed(u[self.centre.size :], values, away)
        return jnp.concatenate([first, z]), log_jacobian

    def inverse(self, values: Mapping[str, Array]) -> Float[Array, " size"]:
        """The coordinates u of natural values."""
        space = self.likelihood.space
        c = standard.to_standard(space, space.pack(values))
        away = c[: self.centre.size] - self.centre
        v = self.whitening.undone(c[self.centre.size :], values, away)
        return jnp.concatenate([jnp.linalg.solve(jnp.asarray(self.factor), away), v])

    def natural(self, u: Float[Array, " size"]) -> Float[Array, " size"]:
        """Flat natural values."""
        return standard.to_natural(self.likelihood.space, self.standard(u)[0])

    def _population(self, c: Float[Array, " P"]) -> dict[str, Array]:
        space = population_space(self.likelihood)
        return space.unpack(standard.to_natural(space, c))


def whitened(start: Start) -> Whitened:
    """The sampler's coordinates of a start that knows each subject's curvature and drift."""
    if start.curvature is None or start.drift is None:
        raise ValueError("a start without curvature and drift has no whitening: see `find_start`")
    eigen, vectors = np.linalg.eigh(start.covariance)
    bare = _bare(start, bends(start.curvature))
    walk = Whitened(start.likelihood, start.population, vectors * np.sqrt(eigen), bare)
    return replace(walk, whitening=replace(bare, drift=_pulled(start, walk, start.drift)))


def _pulled(
    start: Start, bare: Whitened, drift: Float[np.ndarray, "E N P"]
) -> Float[np.ndarray, "N E P"]:
    """What moves the pull so that the modes of the effects follow the population as `drift` says.

    Along a mode the v of the map without drift change; A^-T C times that is a change of the pull.
    """
    effects, space = effects_of(start.likelihood), population_space(start.likelihood)
    known, size = bare.whitening, space.size

    def scores(z: Array, matrix: Array) -> Array:
        values = {**space.unpack(standard.to_natural(space, z)), **effects.values(matrix)}
        return bare.inverse(values)[size:]

    at = jnp.asarray(start.population), jnp.asarray(start.effects)
    along = jax.jit(jax.vmap(lambda z, matrix: jax.jvp(scores, at, (z, matrix))[1]))
    wide = np.zeros((size, start.effects.size))
    wide[:, known.cells] = along(jnp.eye(size), jnp.asarray(np.moveaxis(drift, 2, 0)))
    values = start.values()
    factor = np.asarray(known.frame(values, jnp.zeros(size))[0])
    inverse = np.linalg.inv(np.asarray(mixing(effects, values)))
    moved = wide.reshape(size, *start.effects.shape)
    return np.einsum("ki,nkl,pln->nip", inverse, factor, moved)


def _bare(start: Start, added: Float[np.ndarray, "N E E"]) -> Whitening:
    """The map without drift; `added` is what the data add to the curvatures."""
    effects, values = effects_of(start.likelihood), start.values()
    inverse = np.linalg.inv(np.asarray(mixing(effects, values)))
    total = np.einsum("nij,jn->ni", added + np.eye(effects.rows), start.effects)
    numbers = jnp.arange(start.effects.size).reshape(start.effects.shape)
    count, size = start.effects.shape[1], start.population.size
    return Whitening(
        effects,
        flat_effects(start.likelihood, effects.values(numbers)).astype(int),
        np.einsum("ki,nkl,lj->nij", inverse, added, inverse),
        np.einsum("ki,nk->ni", inverse, total),
        np.asarray(locations(effects, values)),
        np.zeros((count, effects.rows, size)),
    )
