"""Where each subject's points lie: parts in the coordinates that a start has made round.

The start's whitening says what a subject's effects are about, given the population; there their law
is nearly standard normal, whatever the population. Parts fitted to weighted points take up what it
is not, and a slope how far its mean follows the outer numbers beyond that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pkpd.averaged.population import Outer, shares
from pkpd.points.mixture import Mixture, mixture
from pkpd.points.proposal import Proposal, normals

WIDE = 1.3
"""Covariance of the first proposal, in the round coordinates."""

FITTED = 4096
"""Points of each subject that parts are fitted to, at most."""

FAR = 4.0
"""SDs of an outer number up to which the slope follows it."""

Points = Float[np.ndarray, "S K N E"]


@dataclass(frozen=True)
class Places:
    """`parts` of each subject, about `slope` times the outer numbers."""

    parts: Mixture
    slope: Float[np.ndarray, "N E a"]

    def drawn(self, outer: Outer, count: int, rng: np.random.Generator) -> Points:
        """`count` points (a power of two) of every subject for each outer draw.

        Points of one subject and draw are Sobol's, shifted at random.
        """
        draws, (subjects, rows) = len(outer), self.slope.shape[:2]
        made = normals((subjects * draws, rows), count, rng, uniform=2)
        drawn, chance = (x.reshape(subjects, draws * count, -1) for x in made)
        found = self.parts.placed(drawn, chance).reshape(subjects, draws, count, rows)
        return np.moveaxis(found, 0, 2) + self._leaning(outer)[:, None]

    def log_density(self, outer: Outer, points: Points) -> Float[np.ndarray, "S K N"]:
        """Log-density that points are drawn with."""
        draws, count, subjects, rows = points.shape
        away = np.moveaxis(points - self._leaning(outer)[:, None], 2, 0)
        found = self.parts.log_density(away.reshape(subjects, -1, rows))
        return np.moveaxis(found.reshape(subjects, draws, count), 0, 2)

    def refitted(
        self, outer: Outer, points: Points, weights: Float[np.ndarray, "S K N"], seed: int
    ) -> Places:
        """The places that weighted points tell; `weights` of a draw sum to its own."""
        moved = Places(self.parts, _slope(outer, points, weights))
        subjects, rows = moved.slope.shape[:2]
        away = np.moveaxis(points - moved._leaning(outer)[:, None], 2, 0)
        log_weights = np.log(np.maximum(np.moveaxis(weights, 2, 0), 1e-300))
        away, log_weights = away.reshape(subjects, -1, rows), log_weights.reshape(subjects, -1)
        some = np.random.default_rng(seed).permutation(away.shape[1])[:FITTED]
        own = Proposal(np.zeros((subjects, rows)), _units(subjects, rows))
        return Places(mixture(own, away[:, some], log_weights[:, some]), moved.slope)

    def _leaning(self, outer: Outer) -> Float[np.ndarray, "S N E"]:
        return np.einsum("nea,sa->sne", self.slope, np.clip(outer, -FAR, FAR))


def round_places(subjects: int, rows: int, outer: int) -> Places:
    """What is proposed first: one part, a little wider than the start's law."""
    wide = WIDE * _units(subjects, rows)[:, None]
    one = Mixture(np.ones((subjects, 1)), np.zeros((subjects, 1, rows)), wide)
    return Places(one, np.zeros((subjects, rows, outer)))


def _slope(
    outer: Outer, points: Points, weights: Float[np.ndarray, "S K N"]
) -> Float[np.ndarray, "N E a"]:
    """The regression of each subject's mean on the outer numbers, pulled to none by three draws."""
    own = np.maximum(weights.sum(axis=1), 1e-300)
    mean = np.einsum("skn,skne->sne", weights / own[:, None], points)
    share = shares(np.log(own[:, :1]))[:, 0]
    x = np.clip(outer, -FAR, FAR)
    x, y = x - share @ x, mean - np.einsum("s,sne->ne", share, mean)
    inside = np.einsum("s,sa,sb->ab", share, x, x) + 3 * (share**2).sum() * np.eye(x.shape[1])
    beside = np.einsum("s,sa,sne->ane", share, x, y)
    return np.einsum("ab,bne->nea", np.linalg.inv(inside), beside)


def _units(subjects: int, rows: int) -> Float[np.ndarray, "N E E"]:
    return np.tile(np.eye(rows), (subjects, 1, 1))
