"""The conditional law of the effects, for every population, as a map from standard normals.

Near its mode the likelihood of subject i is about normal in its own raw effects r (on the
parameters' scales, so that r and the typical values m enter as a sum): curvature F_i, pulled from
the start's m0 by g_i. With r = A z, A the SDs times the Cholesky factor of their correlations, the
effects given any population are then normal too,

    z | population ~ N(H^-1 A' g, H^-1),  g = g_i + G_i d - F_i (m - m0),  H = I + A' F_i A = C C',
    z = C^-T (C^-1 A' g + v),  v standard normal.

A and m are the population's of the moment, so that v has neither the funnel of effects that the
data do not know nor the ridges of those that they know, nor effects tied to each other in one
subject: partial centring (Papaspiliopoulos, Roberts and Skold 2007, section 4), exact for normal
models, with all effects of a subject at once. G_i, the drift, times the population's way d from the
start makes the derivative of the mode there right for every other number (errors, covariates,
parameters that do not vary). The map's determinant is that of C^-T.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Int

from pkpd.individual.modes import Effects
from pkpd.individual.own import TO, between_sd, typical
from pkpd.variation.correlation import cholesky

HARDEST = 1e4
"""Largest curvature of an effect believed, in units of its prior's."""


@dataclass(frozen=True)
class Whitening:
    """`bend` is F, `pull` g_i, `drift` G and `origin` m0; see the module.

    `cells` says which cell of the flattened (E, N) matrix of effects each flat one is; cells of
    occasions that a subject lacks are of no one.
    """

    effects: Effects
    cells: Int[np.ndarray, " effects"]
    bend: Float[np.ndarray, "N E E"]
    pull: Float[np.ndarray, "N E"]
    origin: Float[np.ndarray, " E"]
    drift: Float[np.ndarray, "N E P"]

    def placed(
        self, v: Float[Array, " effects"], values: Mapping[str, Array], away: Float[Array, " P"]
    ) -> tuple[Float[Array, " effects"], Float[Array, ""]]:
        """The flat effects z, and the log of the map's determinant."""
        factor, middle = self.frame(values, away)
        shifted = (middle + self._matrix(v))[..., None]
        z = solve_triangular(factor, shifted, lower=True, trans=1)[..., 0]
        log_det = -jnp.log(jnp.diagonal(factor, axis1=1, axis2=2)).sum()
        return z.T.ravel()[self.cells], log_det

    def undone(
        self, z: Float[Array, " effects"], values: Mapping[str, Array], away: Float[Array, " P"]
    ) -> Float[Array, " effects"]:
        """The v of `placed`."""
        factor, middle = self.frame(values, away)
        turned = jnp.einsum("nji,nj->ni", factor, self._matrix(z))
        return (turned - middle).T.ravel()[self.cells]

    def frame(
        self, values: Mapping[str, Array], away: Float[Array, " P"]
    ) -> tuple[Float[Array, "N E E"], Float[Array, "N E"]]:
        """C of each subject, and C^-1 A' g."""
        a, bend = mixing(self.effects, values), jnp.asarray(self.bend)
        factor = jnp.linalg.cholesky(jnp.eye(len(a)) + jnp.einsum("ki,nkl,lj->nij", a, bend, a))
        moved = locations(self.effects, values) - self.origin
        pull = self.pull + jnp.asarray(self.drift) @ away - bend @ moved
        right = jnp.einsum("ki,nk->ni", a, pull)
        return factor, solve_triangular(factor, right[..., None], lower=True)[..., 0]

    def _matrix(self, flat: Float[Array, " effects"]) -> Float[Array, "N E"]:
        """The flat effects by subject, 0 in cells that are of no one."""
        count, rows, _ = self.bend.shape
        return jnp.zeros(rows * count).at[self.cells].set(flat).reshape(rows, count).T


def mixing(effects: Effects, values: Mapping[str, Array]) -> Float[Array, "E E"]:
    """A: what turns standardised effects into effects on the parameters' scales."""
    made = {each.name: each for each in effects.likelihood.made}
    own = [name.removesuffix("_eta") for name in effects.names]
    between = [jnp.asarray(between_sd(made[name], values), float) for name in own]
    later = [values[name.removesuffix("_eta")] for name in effects.by_occasion]
    times = (effects.rows - len(own)) // max(len(later), 1)
    sd = jnp.stack([*between, *(later * times)])
    lower = jnp.eye(effects.rows)
    for group in effects.likelihood.tied:
        rows = np.array([own.index(name) for name in group.parameters])
        partials = jnp.stack([values[name] for name in group.partials])
        lower = lower.at[np.ix_(rows, rows)].set(cholesky(partials, len(rows)))
    return sd[:, None] * lower


def locations(effects: Effects, values: Mapping[str, Array]) -> Float[Array, " E"]:
    """m: the typical value of each effect's parameter on its scale; 0 for those of occasions."""
    made = {each.name: each for each in effects.likelihood.made}
    own = [made[name.removesuffix("_eta")] for name in effects.names]
    where = [TO[each.parameter.scale](jnp.asarray(typical(each, values), float)) for each in own]
    return jnp.concatenate([jnp.stack(where), jnp.zeros(effects.rows - len(own))])


def bends(curvature: Float[np.ndarray, "N E E"]) -> Float[np.ndarray, "N E E"]:
    """What the data add to each subject's curvature of the effects, 1 without them.

    Held within 0 and `HARDEST`; what is not a number counts as 0.
    """
    rows = curvature.shape[-1]
    finite = np.isfinite(curvature).all(axis=(1, 2), keepdims=True)
    values, vectors = np.linalg.eigh(np.where(finite, curvature - np.eye(rows), 0.0))
    return np.einsum("nij,nj,nkj->nik", vectors, np.clip(values, 0.0, HARDEST), vectors)
