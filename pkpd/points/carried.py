"""Points that drift with the numbers of the equations, each subject's as its posterior mean does.

Where a subject's own effects can stand in for such a number, its log-likelihood at a point held
rises and falls steeply along the number, and along the point that goes with it hardly at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.points.heights import Heights
from pkpd.points.proposal import normalised
from pkpd.points.split import Split
from pkpd.points.standing import Standing


@dataclass(frozen=True)
class Carried:
    """Heights of points z that drift from where they are at the `centre`; standardised there."""

    heights: Heights
    centre: Float[np.ndarray, " P"]
    drift: Float[np.ndarray, "N E q"]

    @property
    def split(self) -> Split:
        """What the population's numbers do."""
        return self.heights.split

    def at(self, z: np.ndarray, points: Float[np.ndarray, "K E N"]) -> Float[np.ndarray, "K N"]:
        """As `Heights.at`, of a population that differs from the centre in what stands in them."""
        return self.heights.at(z, points + self._shift(z))

    def sloped(
        self, z: np.ndarray, points: Float[np.ndarray, "K E N"]
    ) -> tuple[Float[np.ndarray, "K o N"], Float[np.ndarray, "K o N"]]:
        """As `Heights.sloped`."""
        return self.heights.sloped(z, points + self._shift(z))

    def curved(
        self, z: np.ndarray, points: Float[np.ndarray, "K E N"]
    ) -> tuple[Float[np.ndarray, "K o N"], Float[np.ndarray, "K o o N"]]:
        """As `Heights.curved`."""
        return self.heights.curved(z, points + self._shift(z))

    def _shift(self, z: np.ndarray) -> Float[np.ndarray, "E N"]:
        return (self.drift @ (z - self.centre)[self.split.equations]).T


def carried(heights: Heights, now: Standing) -> Carried:
    """Points that go as a round before has found, if one has."""
    drift = np.zeros((*now.proposal.mean.shape, len(heights.split.equations)))
    if now.drift is not None:
        mix = np.asarray(heights.split.law(jnp.asarray(now.centre))[1])
        drift = np.linalg.solve(mix, now.drift)
    return Carried(heights, now.centre, drift)


def drifting(
    z: Float[np.ndarray, "N K E"],
    scores: Float[np.ndarray, "N K q"],
    log_weights: Float[np.ndarray, "N K"],
    covariance: Float[np.ndarray, "N E E"],
) -> Float[np.ndarray, "N E q"]:
    """How far each subject's posterior mean goes with the numbers that `scores` are along.

    That is the posterior's covariance of effects and scores: of the effects, times the scores'
    regression on them, which is far less uncertain than a covariance of few points.
    """
    weights = normalised(log_weights / 2)
    x = z - np.einsum("nk,nke->ne", weights, z)[:, None]
    y = scores - np.einsum("nk,nkq->nq", weights, scores)[:, None]
    square = np.einsum("nk,nke,nkf->nef", weights, x, x, optimize=True)
    worth = 1 / (weights**2).sum(axis=1)
    ridge = np.eye(z.shape[-1]) * (np.einsum("nee->ne", square) / worth[:, None] + 1e-12)[:, None]
    along = np.einsum("nk,nke,nkq->neq", weights, x, y, optimize=True)
    return covariance @ np.linalg.solve(square + ridge, along)


def spread_of(
    z: Float[np.ndarray, "N K E"], log_weights: Float[np.ndarray, "N K"]
) -> Float[np.ndarray, "N E E"]:
    """Each subject's weighted covariance; less of it where few points carry the weight."""
    weights = normalised(log_weights)
    away = z - np.einsum("nk,nke->ne", weights, z)[:, None]
    worth = 1 / (weights**2).sum(axis=1)
    found = np.einsum("nk,nke,nkf->nef", weights, away, away, optimize=True)
    return found * (worth / (worth + z.shape[-1]))[:, None, None]
