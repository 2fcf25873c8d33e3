"""Walls about the mode: far off a density from points does not hold, and beyond them it falls."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.stats import chi2

from pkpd.points.tilted import Tilted

STEEP = 1.0
"""How steeply the density falls beyond each wall, per squared SD: no more, for steps that suit the
posterior are unstable on steep slopes. With 100 one of 3,000 draws diverged."""

WHOLE, INSIDE = 1e-9, 1e-6
"""Share of a normal posterior that the walls about its mode leave out, of all numbers and of those
that stand in the likelihood: what the density is expanded in does not hold far off."""

REACHED = 4.0
"""Where the wall stands along numbers that points drift with: their curvatures, and third and
fourth order, do not hold beyond."""


@dataclass(frozen=True)
class Walls:
    """Inverse roots of the posterior's covariance, whole and of `others`; SDs of `carried`."""

    whole: Float[np.ndarray, "P P"]
    inside: Float[np.ndarray, "d d"]
    others: Int[np.ndarray, " d"]
    carried: Int[np.ndarray, " a"]
    sd: Float[np.ndarray, " a"]

    @classmethod
    def about(cls, cloud: Tilted, spread: Float[np.ndarray, "P P"]) -> Walls:
        """Those of a density whose posterior has this covariance."""
        others, carried = cloud.split.others, cloud.split.equations[cloud.columns]
        sd = np.sqrt(np.diag(spread))[carried]
        return cls(_back(spread), _back(spread[np.ix_(others, others)]), others, carried, sd)

    def fall(self, away: Float[Array, " P"]) -> Float[Array, ""]:
        """What the log-density loses so far from the mode; 0 within all walls."""
        ends = chi2.isf([WHOLE, INSIDE], [len(self.whole), max(1, len(self.others))])
        parts = self.whole @ away, self.inside @ away[self.others]
        lengths = jnp.stack([jnp.sqrt((u**2).sum() + 1e-12) for u in parts]) - np.sqrt(ends)
        along = jnp.abs(away[self.carried]) / self.sd - REACHED
        beyond = jnp.maximum(jnp.concatenate([lengths, along]), 0.0)
        return -STEEP * (beyond**2).sum()


def _back(covariance: np.ndarray) -> np.ndarray:
    return np.linalg.inv(np.linalg.cholesky(covariance))
