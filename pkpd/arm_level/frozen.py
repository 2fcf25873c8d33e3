"""Covariances held at a reference point: what the sampled likelihood scores are the means.

With the covariance free to move, a normal reads information out of scatter and correlation that
sums over some fifty patients do not hold: on simulated data the score then varied 1.7 times as
much as the likelihood claims (up to 5 times along the best-known direction), all of the excess from
the covariance. Held at a reference, the ratio is 0.9 to 1.2 (tests/arm_level/calibration.py). So
each arm's covariance is computed once by the model at the mode and kept:

    log p = -|W (observed - expected)|^2 / 2 - sum log diag L - k log(2 pi) / 2,   W = L^-1,

L the Cholesky factor of the arm's posted features, visit by visit. An entered study's first visit
is conditioned on: the rows of W that whiten it are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import solve_triangular

from pkpd.arm_level import blocks
from pkpd.arm_level.summaries import Summaries


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Frozen:
    """One study: whitening of each arm's residuals, shift of its means, and the constant."""

    whitening: Float[np.ndarray, "A F F"]
    bend: Float[np.ndarray, "A F"]
    constant: Float[np.ndarray, " A"]


def freeze(s: Summaries, moments: blocks.Moments, level_sd: Array | float) -> Frozen:
    """Hold a study's covariance, and the second-order part of its means, at these moments."""
    expected, covariance = blocks.transformed(s, moments, s.n, level_sd)
    plain = blocks.on_scale(s, moments.mean, s.n)
    arms, features = s.observed.shape
    first = len(s.columns) if s.entered else 0
    whitening, constant = np.zeros((arms, features, features)), np.zeros(arms)
    for arm in range(arms):
        kept = np.flatnonzero(s.posted[arm])
        factor = np.linalg.cholesky(np.asarray(covariance[arm])[np.ix_(kept, kept)])
        inverse = solve_triangular(factor, np.eye(kept.size), lower=True)
        scored = kept >= first
        whitening[arm][np.ix_(kept[scored], kept)] = inverse[scored]
        logs = np.log(np.diag(factor))[scored]
        constant[arm] = -logs.sum() - logs.size * np.log(2 * np.pi) / 2
    return Frozen(whitening, np.asarray(expected - plain), constant)


def blank(s: Summaries) -> Frozen:
    """Of the right shape and no meaning: what a program is compiled for."""
    arms, features = s.observed.shape
    return Frozen(np.zeros((arms, features, features)), np.zeros((arms, features)), np.zeros(arms))


def whitened(s: Summaries, mean: Float[Array, "A F"], held: Frozen) -> Float[Array, "A F"]:
    """W (observed - expected) of each arm, features expected at `mean` (untransformed)."""
    expected = blocks.on_scale(s, mean, s.n) + held.bend
    residual = jnp.where(jnp.asarray(s.posted), jnp.asarray(s.observed) - expected, 0.0)
    return jnp.einsum("afg,ag->af", jnp.asarray(held.whitening), residual)


def log_density(s: Summaries, mean: Float[Array, "A F"], held: Frozen) -> Float[Array, " A"]:
    """Log-likelihood of each arm whose features are expected at `mean` (untransformed)."""
    white = whitened(s, mean, held)
    return -0.5 * (white * white).sum(axis=1) + jnp.asarray(held.constant)


def freeze_all(
    studies: tuple[Summaries, ...], moments: tuple[blocks.Moments, ...], values: Mapping[str, Array]
) -> tuple[Frozen, ...]:
    """Every study held at the same point."""
    level_sd = values["level_sd"]
    return tuple(freeze(s, m, level_sd) for s, m in zip(studies, moments, strict=True))
