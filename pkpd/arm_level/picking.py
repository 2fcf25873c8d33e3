"""Picking a study's visits out of the paths of all runs, with a cheap gradient.

The gradient of a gather is a scatter, which on a CPU costs more than the solve. Each (day, run) is
picked once at most, so the gradient is a gather too: every place of the path asks which visit, if
any, it became.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int


def picker(
    days: Int[np.ndarray, " visits"], runs: Int[np.ndarray, " arms"], shape: tuple[int, ...]
) -> Callable[[Float[Array, "days runs patients"]], Float[Array, "arms visits patients"]]:
    """Path of a (days, runs, patients) `shape` -> the arms' visits. Days are all different.

    Arms that share a run have the ordinary gradient.
    """

    def pick(path: Array) -> Array:
        return path[days[None, :], runs[:, None]]

    if np.unique(runs).size < runs.size:
        return pick
    visit, arm = np.full(shape[0], days.size), np.full(shape[1], runs.size)
    visit[days], arm[runs] = np.arange(days.size), np.arange(runs.size)

    def back(_: None, slope: Array) -> tuple[Array]:
        ended = jnp.pad(slope, ((0, 1), (0, 1), (0, 0)))
        return (ended[arm[None, :], visit[:, None]],)

    made = jax.custom_vjp(pick)
    made.defvjp(lambda path: (pick(path), None), back)
    return made
