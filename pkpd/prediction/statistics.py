"""The statistics a study posts, computed from explicit patients."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from pkpd.arm_level.summaries import Summaries, anscombe
from pkpd.prediction.patients import Shown


def features(
    s: Summaries,
    a: int,
    visit: Shown,
    level: np.ndarray,
    ours: Bool[np.ndarray, "B n"],
    enters: Bool[np.ndarray, "B n"],
    random: np.random.Generator,
) -> Float[np.ndarray, "B T K"]:
    """Statistics of arm `a` by visit and column, over its patients `ours`, on natural scales.

    A mean over nobody present is the mean over all of the arm; over an empty arm it is NaN.
    """
    ours = ours[:, None, :]
    there = visit.present & ours
    if s.entered:
        there[:, 0] = ours[:, 0]
    size = np.where(ours.any(axis=-1), ours.sum(axis=-1), np.nan)
    found = []
    for column in s.columns:
        match column:
            case "present":
                found.append(there.sum(axis=-1) / size)
            case "EASI_PCHG":
                found.append(mean_over(visit.seen, there, ours) - 1)
            case "ENTRY":
                entered = np.broadcast_to((enters & ours[:, 0]).sum(axis=-1)[:, None], size.shape)
                found.append(np.broadcast_to(entered / size, there.shape[:-1]))
            case "CONC":
                found.append(_mean_level(s, a, there, level, ours, random))
            case _:
                found.append((visit.response[column] & there).sum(axis=-1) / size)
    return np.stack([np.broadcast_to(part, there.shape[:-1]) for part in found], axis=-1)


def mean_over(value: np.ndarray, there: np.ndarray, else_over: np.ndarray) -> np.ndarray:
    """Mean over patients `there`; where there are none, over `else_over`; else NaN."""
    mask = np.where(there.any(axis=-1, keepdims=True), there, else_over)
    count = mask.sum(axis=-1)
    return np.where(mask, value, 0.0).sum(axis=-1) / np.where(count > 0, count, np.nan)


def _mean_level(
    s: Summaries,
    a: int,
    there: np.ndarray,
    level: np.ndarray,
    ours: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Mean concentration over a random subset of the posted size, with assay error."""
    wanted = np.maximum(np.round(s.share_sampled[a] * s.n[a]), 1).astype(int)
    order = np.where(there, random.random(there.shape), 2.0)
    last = np.minimum(wanted, order.shape[-1])[None, :, None] - 1
    sampled = there & (order <= np.take_along_axis(np.sort(order, axis=-1), last, axis=-1))
    measured = level * (1 + s.residual[a] * random.standard_normal(level.shape))
    return mean_over(measured, sampled, ours)


def with_discrepancy(
    s: Summaries, fitted: Float[np.ndarray, "... A F"], random: np.random.Generator
) -> np.ndarray:
    """Statistics on the fitted scale with the model's own error; counts stay counts."""
    if s.discrepancy == 0:
        return fitted
    kinds, n = s.kinds(), s.n[:, None]
    off = s.discrepancy * random.standard_normal(fitted.shape)
    moved = fitted + np.where(kinds["level"], 0.0, off)
    ends = np.asarray(anscombe(jnp.zeros(1), jnp.asarray(n))), np.asarray(anscombe(jnp.ones(1), n))
    return np.where(kinds["count"], np.clip(moved, *ends), moved)


def on_fitted_scale(s: Summaries, natural: Float[np.ndarray, "... A F"]) -> np.ndarray:
    """Statistics as `Summaries.observed` keeps them: counts by Anscombe, concentrations as logs."""
    kinds = s.kinds()
    count = np.asarray(anscombe(jnp.clip(natural, 0, 1), jnp.asarray(s.n[:, None])))
    level = np.log(np.maximum(natural, 1e-9))
    return np.where(kinds["change"], natural, np.where(kinds["level"], level, count))
