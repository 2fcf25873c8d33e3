"""Whether a re-randomised trial succeeds, by draw, without simulating it.

Given a draw, the responders re-randomised to an arm are independent, and each still responds with
that arm's own probability: counts are binomial, so the probability that the score test rejects is
a sum over the reference's counts. Assurance is its mean over draws (O'Hagan, Stevens and Campbell
2005, Pharmaceutical Statistics 4:187).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import binom

from pkpd.decision.score_test import MIETTINEN, critical

ALL, ANY = "all", "any"


@dataclass(frozen=True)
class Design:
    """A trial's test: non-inferiority margin, one-sided level, and which score test."""

    margin: float
    level: float
    test: str = MIETTINEN


def success(
    share: Float[np.ndarray, "draws arms"], labels: tuple[str, ...], size: int, design: Design
) -> dict[str, Float[np.ndarray, " draws"]]:
    """Probability that each new arm is shown non-inferior, by draw; the first arm is the reference.

    With several new arms also that `ALL` are and that `ANY` is: they share one reference arm.
    `size` is that of every arm.
    """
    least = critical(size, design.margin, design.level, design.test)
    counts = np.arange(size + 1)
    reference = binom.pmf(counts, size, share[:, :1])
    given = {
        label: binom.sf(least - 1, size, share[:, k : k + 1]) for k, label in enumerate(labels) if k
    }
    parts = np.stack(list(given.values()))
    each = np.einsum("dx,adx->ad", reference, parts)
    found = dict(zip(given, each, strict=True))
    if len(given) > 1:
        found[ALL] = np.einsum("dx,dx->d", reference, parts.prod(axis=0))
        found[ANY] = 1 - np.einsum("dx,dx->d", reference, (1 - parts).prod(axis=0))
    return found


def in_the_limit(
    share: Float[np.ndarray, "draws arms"], labels: tuple[str, ...], design: Design
) -> dict[str, Float[np.ndarray, " draws"]]:
    """What `success` tends to as arms grow: 1 where the true loss is below the margin, else 0."""
    below = share[:, :1] - share < design.margin
    found = {label: below[:, k].astype(float) for k, label in enumerate(labels) if k}
    if len(found) > 1:
        parts = np.stack(list(found.values()))
        found |= {ALL: parts.min(axis=0), ANY: parts.max(axis=0)}
    return found
