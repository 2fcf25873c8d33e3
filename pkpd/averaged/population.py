"""What draws of the population are proposed from: outer numbers, then inner ones given these.

Outer are the numbers that stand in the likelihood, so that the equations are solved anew for each;
inner ones make only the law of the effects, so that many of them go with every outer draw. Both are
Student's t, as the parts of subjects' points are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

from pkpd.points.mixture import TAILS, t_log_density

Outer = Float[np.ndarray, "S a"]
Numbers = Float[np.ndarray, "S M P"]
Weights = Float[np.ndarray, "S M"]


@dataclass(frozen=True)
class Population:
    """Mean and covariance of the standardised numbers, and the places of the `outer` ones."""

    mean: Float[np.ndarray, " P"]
    covariance: Float[np.ndarray, "P P"]
    outer: Int[np.ndarray, " a"]

    @cached_property
    def order(self) -> Int[np.ndarray, " P"]:
        """Outer places, then inner ones."""
        inner = np.setdiff1d(np.arange(self.mean.size), self.outer)
        return np.concatenate([self.outer, inner])

    @cached_property
    def root(self) -> Float[np.ndarray, "P P"]:
        """Lower triangular, in this order."""
        return np.linalg.cholesky(self.covariance[np.ix_(self.order, self.order)])

    def drawn(self, outer: int, inner: int, rng: np.random.Generator) -> Numbers:
        """So many draws of the outer numbers, and of the inner ones with each."""
        size = self.outer.size
        first = np.repeat(_student((outer, 1, size), rng), inner, axis=1)
        second = _student((outer, inner, self.mean.size - size), rng)
        return self._placed(np.concatenate([first, second], axis=-1))

    def middle(self, numbers: Float[np.ndarray, "S P"]) -> tuple[Float[np.ndarray, "S P"], Outer]:
        """Inner numbers in the middle of what goes with the outer ones; these standardised."""
        x, size = self._undone(numbers), self.outer.size
        x[:, size:] = 0.0
        return self._placed(x), x[:, :size]

    def log_density(self, numbers: Numbers) -> Weights:
        """Log-density that they are drawn with."""
        x, size = self._undone(numbers), self.outer.size
        log_det = np.log(np.diagonal(self.root)).sum()
        return t_log_density(x[..., :size]) + t_log_density(x[..., size:]) - log_det

    def moved(self, numbers: Numbers, log_weights: Weights, worth: float) -> Population:
        """The next proposal, by weights flattened until outer draws are worth so many.

        The covariance is mixed with the one before, as that of as many draws as there are numbers.
        """
        weights = shares(flattening(log_weights, worth) * log_weights)
        mean = np.einsum("sm,smp->p", weights, numbers)
        away = numbers - mean
        found = np.einsum("sm,smp,smq->pq", weights, away, away, optimize=True)
        known = 1 / (weights.sum(axis=1) ** 2).sum()
        mixed = (known * found + mean.size * self.covariance) / (known + mean.size)
        return Population(mean, mixed, self.outer)

    def _placed(self, x: Float[np.ndarray, "... P"]) -> Float[np.ndarray, "... P"]:
        found = np.empty(x.shape)
        found[..., self.order] = self.mean[self.order] + x @ self.root.T
        return found

    def _undone(self, numbers: Float[np.ndarray, "... P"]) -> Float[np.ndarray, "... P"]:
        return (numbers - self.mean)[..., self.order] @ np.linalg.inv(self.root).T


def pooled(
    drawn: Sequence[tuple[Population, Numbers, Weights]],
) -> tuple[Numbers, Weights]:
    """Draws of several proposals together, each weighed by the mixture of all these.

    The deterministic mixture of Owen and Zhou (2000), Journal of the American Statistical
    Association 95:135; all proposals have drawn alike.
    """
    numbers = np.concatenate([each[1] for each in drawn])
    heights = [weights + own.log_density(each) for own, each, weights in drawn]
    mixed = logsumexp([own.log_density(numbers) for own, _, _ in drawn], axis=0)
    return numbers, np.concatenate(heights) - mixed + np.log(len(drawn))


def flattening(log_weights: Weights, worth: float) -> float:
    """The greatest power up to 1 at which outer draws are worth so many."""
    power = 1.0
    while worth_of(power * log_weights) < worth and power > 1e-3:
        power *= 0.9
    return power


def worth_of(log_weights: Weights) -> float:
    """How many equal outer draws weighted ones are worth (Kish)."""
    return float(1 / (shares(log_weights).sum(axis=1) ** 2).sum())


def shares(log_weights: Weights) -> Weights:
    """Weights, 1 in all."""
    return np.exp(log_weights - logsumexp(log_weights))


def _student(size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    tails = np.sqrt(TAILS / rng.chisquare(TAILS, size=(*size[:-1], 1)))
    return rng.normal(size=size) * tails
