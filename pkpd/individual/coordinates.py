"""Coordinates in which a sampler walks: centred by parameter as far as the data know it.

With z_i the standardised effect, g(typical) and s typical value and SD on the parameter's scale, m0
and s0 what these were at the start, and a share q of centring,

    w_i = q (g(typical) - m0) / s0 + (s / s0)^q z_i

is the effect itself for q = 0 and the subject's own value for q = 1. Where data know each subject
well, z and s, and z and the typical value, lie along bent ridges that w with q = 1 does not have;
where they know little, that w has a funnel that z does not have; q = 1 - (posterior variance over
prior's) lies between (Papaspiliopoulos, Roberts and Skold 2007, section 4). Correlated effects go
together, L z_i for z_i. c = centre + factor u for the population, which stands first, and
c = centre + scale u for the effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from pkpd.individual.own import TO, between_sd, typical
from pkpd.individual.problem import IndividualLikelihood
from pkpd.variation import standard
from pkpd.variation.correlation import cholesky


@dataclass(frozen=True)
class Coordinates:
    """`centred` holds (q, m0, s0) of each parameter with q > 0; `factor` is the population's."""

    likelihood: IndividualLikelihood
    centred: Mapping[str, tuple[float, float, float]]
    centre: Float[np.ndarray, " size"]
    factor: Float[np.ndarray, "P P"]
    scale: Float[np.ndarray, " effects"]

    def placed(self, u: Float[Array, " size"]) -> Float[Array, " size"]:
        """c of u."""
        size = len(self.factor)
        wide = jnp.concatenate([jnp.asarray(self.factor) @ u[:size], self.scale * u[size:]])
        return jnp.asarray(self.centre) + wide

    def standard(self, u: Float[Array, " size"]) -> tuple[Array, Float[Array, ""]]:
        """Flat standardised coordinates, and the log of the Jacobian's determinant."""
        space = self.likelihood.space
        c = self.placed(u)
        values = space.unpack(standard.to_natural(space, c))
        log_jacobian = jnp.zeros(())
        place = space.places
        for group in self._groups():
            w = jnp.stack([c[place[f"{name}_eta"]] for name in group])
            z, log_det = self._from_own(group, w, values)
            log_jacobian = log_jacobian - w.shape[1] * log_det
            for k, name in enumerate(group):
                c = c.at[place[f"{name}_eta"]].set(z[k])
        return c, log_jacobian

    def inverse(self, values: Mapping[str, Array]) -> Float[Array, " size"]:
        """The coordinates u of natural values."""
        space = self.likelihood.space
        c = standard.to_standard(space, space.pack(values))
        for group in self._groups():
            size, lower, centre = self._frame(group, values)
            z = jnp.stack([jnp.asarray(values[f"{name}_eta"]) for name in group])
            w = centre + size * (lower @ z)
            for k, name in enumerate(group):
                c = c.at[space.places[f"{name}_eta"]].set(w[k])
        size, away = len(self.factor), c - self.centre
        first = jnp.linalg.solve(jnp.asarray(self.factor), away[:size])
        return jnp.concatenate([first, away[size:] / self.scale])

    def natural(self, u: Float[Array, " size"]) -> Float[Array, " size"]:
        """Flat natural values."""
        return standard.to_natural(self.likelihood.space, self.standard(u)[0])

    def _groups(self) -> list[tuple[str, ...]]:
        """Centred parameters, those correlated together."""
        tied = [group.parameters for group in self.likelihood.tied]
        inside = {name for group in tied for name in group}
        alone = [(name,) for name in self.centred if name not in inside]
        return [group for group in tied if group[0] in self.centred] + alone

    def _frame(self, group: tuple[str, ...], values: Mapping[str, Array]) -> tuple:
        made = {each.name: each for each in self.likelihood.made}
        sd = jnp.stack([jnp.asarray(between_sd(made[name], values)) for name in group])
        where = [
            TO[made[name].parameter.scale](jnp.asarray(typical(made[name], values)))
            for name in group
        ]
        lower = jnp.eye(len(group))
        for each in self.likelihood.tied:
            if each.parameters == group:
                partials = jnp.stack([values[name] for name in each.partials])
                lower = cholesky(partials, len(group))
        q, m0, s0 = jnp.asarray([self.centred[name] for name in group]).T
        size = jnp.exp(q * jnp.log(sd / s0))
        return size[:, None], lower, (q * (jnp.stack(where) - m0) / s0)[:, None]

    def _from_own(
        self,
        group: tuple[str, ...],
        w: Float[Array, "E N"],
        values: Mapping[str, Array],
    ) -> tuple[Float[Array, "E N"], Float[Array, ""]]:
        size, lower, centre = self._frame(group, values)
        z = solve_triangular(lower, (w - centre) / size, lower=True)
        return z, jnp.log(size).sum() + jnp.log(jnp.diagonal(lower)).sum()
