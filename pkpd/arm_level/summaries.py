"""A study's posted statistics as arrays: arms by features, with masks for what was not posted.

Features run visit by visit, column by column. Counts are kept on Anscombe's scale
T(x) = asin sqrt((x + 3/8) / (n + 3/4)), concentrations as logs, changes as fractions.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int


@dataclass(frozen=True)
class Summaries:
    """What was posted of one study; `A` arms, `T` visits, `F` = T * columns features.

    `entered` marks a study whose patients are responders of another one, re-randomised at
    `weeks[0]`; its first visit is then conditioned on (those results are scored in the study the
    patients came from). `discrepancy` is the SD of the model's own error in every mean change and
    count, on the scale of `observed`.
    """

    study: str
    columns: tuple[str, ...]
    arms: tuple[str, ...]
    run: Int[np.ndarray, " A"]
    n: Float[np.ndarray, " A"]
    weeks: Float[np.ndarray, " T"]
    day: Int[np.ndarray, " T"]
    observed: Float[np.ndarray, "A F"]
    posted: Bool[np.ndarray, "A F"]
    share_seen: Float[np.ndarray, "A T"]
    share_sampled: Float[np.ndarray, "A T"]
    residual: Float[np.ndarray, " A"]
    entered: bool
    discrepancy: float = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Arms, visits, columns."""
        return len(self.arms), len(self.weeks), len(self.columns)

    def kinds(self) -> dict[str, np.ndarray]:
        """For each kind of statistic, which features are of it."""
        column = np.tile(np.array(self.columns), len(self.weeks))
        return {
            "change": column == "EASI_PCHG",
            "level": column == "CONC",
            "count": (column != "EASI_PCHG") & (column != "CONC"),
        }


Numbers = Array | np.ndarray | float


def anscombe(share: Numbers, n: Numbers) -> Array:
    """asin sqrt((n share + 3/8) / (n + 3/4)): counts with nearly constant variance."""
    inner = (n * share + 0.375) / (n + 0.75)
    return jnp.arcsin(jnp.sqrt(jnp.clip(inner, 1e-9, 1 - 1e-9)))


def anscombe_slope(share: Numbers, n: Numbers) -> Array:
    """d anscombe / d share."""
    inner = jnp.clip((n * share + 0.375) / (n + 0.75), 1e-9, 1 - 1e-9)
    return jnp.asarray(n / (n + 0.75)) / (2 * jnp.sqrt(inner * (1 - inner)))


def anscombe_bend(share: Numbers, n: Numbers) -> Array:
    """d2 anscombe / d share2, nothing where counts are rare (fewer than one expected)."""
    inner = jnp.clip((n * share + 0.375) / (n + 0.75), 1e-9, 1 - 1e-9)
    bend = -(1 - 2 * inner) / (4 * (inner * (1 - inner)) ** 1.5) * (n / (n + 0.75)) ** 2
    return jnp.where((n * share > 1.0) & (n * (1 - share) > 1.0), bend, 0.0)
