"""Where each subject's points lie: about its own mean, and some from the population's law.

Points are Sobol's, shifted at random for each subject, so that errors of subjects are independent.
The second kind bounds the weights: however far a subject's own law is from normal, no point weighs
more than its likelihood times the inverse of that kind's share (defensive mixture: Hesterberg 1995,
Technometrics 37:185). A round of weighted points says where to draw next (adaptive importance
sampling: Cappe 2008, Statistics and Computing 18:447).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from pkpd.points.split import Law, normal_log_density

WIDER = 1.3
"""Times the covariance of a subject's weighted points is the covariance that it draws from."""

LAW_SHARE = 8
"""One point of the population's law for so many about the subject's mean."""

WORTH = 3.0
"""Effective points for each effect that a step of a proposal rests on, at least."""

EDGE = 1e-10


@dataclass(frozen=True)
class Proposal:
    """Mean and covariance of each subject's effects, on the scales of their parameters."""

    mean: Float[np.ndarray, "N E"]
    covariance: Float[np.ndarray, "N E E"]

    def points(
        self, law: Law, count: int, seed: int
    ) -> tuple[Float[np.ndarray, "N K E"], Float[np.ndarray, "N K"]]:
        """`count` points about the mean and `count / LAW_SHARE` of the law; their log-densities."""
        root, rng = np.linalg.cholesky(self.covariance * WIDER), np.random.default_rng(seed)
        away = normals(self.mean.shape, count, rng)[0] @ np.swapaxes(root, 1, 2)
        log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)[:, None]

        def density(points: Float[np.ndarray, "N K E"]) -> Float[np.ndarray, "N K"]:
            back = (points - self.mean[:, None]) @ np.swapaxes(np.linalg.inv(root), 1, 2)
            return normal_log_density(back) - log_det

        return beside_law(law, self.mean[:, None] + away, density, rng)

    def moved(
        self, points: Float[np.ndarray, "N K E"], log_weights: Float[np.ndarray, "N K"]
    ) -> tuple[Proposal, Float[np.ndarray, " N"]]:
        """The next proposal, and to which power each subject's weights were believed.

        Where few points carry all weight, weights are flattened until enough do.
        """
        rows, (weights, power) = points.shape[-1], flattened(points, log_weights)
        worth = 1 / (weights**2).sum(axis=1)
        mean = np.einsum("nk,nke->ne", weights, points)
        away = points - mean[:, None]
        found = np.einsum("nk,nke,nkf->nef", weights, away, away)
        trust = (worth / (worth + rows))[:, None, None]
        return Proposal(mean, trust * found + (1 - trust) * self.covariance), power


def beside_law(
    law: Law,
    own: Float[np.ndarray, "N K E"],
    density: Callable[[np.ndarray], Float[np.ndarray, "N K"]],
    rng: np.random.Generator,
    share: int = LAW_SHARE,
) -> tuple[Float[np.ndarray, "N K E"], Float[np.ndarray, "N K"]]:
    """A subject's `own` points and one of the law for `share` of them; log-densities of both."""
    mean, mix = (np.asarray(part) for part in law)
    wide = normals(mean.shape, own.shape[1] // share, rng)[0] @ mix.T + mean[:, None]
    points = np.concatenate([own, wide], axis=1)
    far = (points - mean[:, None]) @ np.linalg.inv(mix).T
    by_law = normal_log_density(far) - np.linalg.slogdet(mix)[1]
    far_off = wide.shape[1] / points.shape[1]
    return points, np.logaddexp(density(points) + np.log1p(-far_off), by_law + np.log(far_off))


def of_law(law: Law) -> Proposal:
    """The law itself, for every subject."""
    mean, mix = (np.asarray(part) for part in law)
    return Proposal(mean, np.tile(mix @ mix.T, (len(mean), 1, 1)))


def normalised(log_weights: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N K"]:
    """Weights of each subject's points, 1 in all; equal where none is a number."""
    known = np.where(np.isfinite(log_weights), log_weights, -np.inf)
    lost = ~np.isfinite(known).any(axis=1, keepdims=True)
    known = np.where(lost, 0.0, known)
    return np.exp(known - logsumexp(known, axis=1, keepdims=True))


def effective(log_weights: Float[np.ndarray, "N K"]) -> Float[np.ndarray, " N"]:
    """How many equal points each subject's weighted ones are worth (Kish)."""
    return 1 / (normalised(log_weights) ** 2).sum(axis=1)


def tempering(log_weights: Float[np.ndarray, "N K"], worth: float) -> Float[np.ndarray, " N"]:
    """The greatest power up to 1 at which each subject's weights are worth so many points."""
    low, high = np.zeros(len(log_weights)), np.ones(len(log_weights))
    enough = effective(log_weights) >= worth
    for _ in range(20):
        middle = (low + high) / 2
        good = effective(middle[:, None] * np.maximum(log_weights, -1e300)) >= worth
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return np.where(enough, 1.0, low)


def flattened(
    points: Float[np.ndarray, "N K E"], log_weights: Float[np.ndarray, "N K"]
) -> tuple[Float[np.ndarray, "N K"], Float[np.ndarray, " N"]]:
    """Weights, flattened where few points carry all, and the power that did it."""
    power = tempering(log_weights, WORTH * points.shape[-1])
    return normalised(power[:, None] * log_weights), power


def normals(
    size: tuple[int, int], count: int, rng: np.random.Generator, *, uniform: int = 0
) -> tuple[Float[np.ndarray, "N K E"], Float[np.ndarray, "N K u"]]:
    """Sobol points of the unit cube, shifted for each subject, as standard normals (N, K, E).

    Beside them so many `uniform` columns, as they are in the cube.
    """
    subjects, rows = size
    cube = qmc.Sobol(rows + uniform, rng=rng).random(count)
    shifted = (cube + rng.random((subjects, 1, rows + uniform))) % 1.0
    shifted = np.clip(shifted, EDGE, 1 - EDGE)
    return ndtri(shifted[..., :rows]), shifted[..., rows:]
