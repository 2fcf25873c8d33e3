"""A score between two ends, many of them exactly at one: a normal seen through a window.

The latent score is normal about f with SD s of a `Residual`; what is seen is that score cut off at
`low` and `high` (Tobit) and, where the score has steps, rounded to the nearest `step`:

    y = low                  log P((low + step / 2 - f) / s)
    y = high                 log P(-(high - step / 2 - f) / s)
    between, no steps        log p((y - f) / s) - log s
    between, in steps        log (P((y + step / 2 - f) / s) - P((y - step / 2 - f) / s))
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from pkpd.variation.censored import Rows, by_rows
from pkpd.variation.normal import below, density
from pkpd.variation.outcome_laws import law
from pkpd.variation.residual import Numbers, Residual


@dataclass(frozen=True)
class Bounded:
    """A score from `low` to `high`; `step` is 0 where it may take any value between."""

    residual: Residual
    low: float
    high: float
    step: float = 0.0

    def __post_init__(self) -> None:
        if self.residual.logarithmic:
            raise ValueError("a bounded score is normal on its own scale: no log-normal error")
        if not (self.low < self.high and 0 <= self.step < self.high - self.low):
            raise ValueError(f"no score lies on {self.low:g} to {self.high:g} by {self.step:g}")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its numbers."""
        return self.residual.parameters


def log_density(spec: Bounded, y: np.ndarray, f: Array, q: Numbers) -> Array:
    """Log-likelihood of each score; y is data, and at or past an end counts as at it."""
    y = np.asarray(y, float)
    normal, half = law("normal"), spec.step / 2

    def of_end(end: int, at: Rows) -> Array:
        seen, level, numbers = jnp.asarray(at.data(y)), at.each(f), at.numbers(q)

        def z(value: Array | float) -> Array:
            return spec.residual.score(jnp.asarray(value), level, numbers)

        if end < 0:
            return normal.log_below(z(spec.low + half))
        if end > 0:
            return normal.log_below(-z(spec.high - half))
        if spec.step:
            return normal.log_between(z(seen - half), z(seen + half))
        return normal.log_density(z(seen)) - spec.residual.log_unit(seen, level, numbers)

    return by_rows((y >= spec.high).astype(int) - (y <= spec.low), of_end)


def draw(spec: Bounded, key: Array, f: Array, q: Numbers) -> Array:
    """One score for each f."""
    latent = spec.residual.unscored(jax.random.normal(key, jnp.shape(f)), f, q)
    if spec.step:
        latent = spec.low + spec.step * jnp.round((latent - spec.low) / spec.step)
    return jnp.clip(latent, spec.low, spec.high)


def mean(spec: Bounded, f: Array, q: Numbers) -> Array:
    """Expected score, as if without steps: with a, b the standardised ends, P and p the normal's.

    low P(a) + high (1 - P(b)) + f (P(b) - P(a)) - s (p(b) - p(a))
    """
    s = spec.residual.scale(f, q)
    a, b = (spec.low - f) / s, (spec.high - f) / s
    ends = spec.low * below(a) + spec.high * below(-b)
    return ends + f * (below(b) - below(a)) - s * (density(b) - density(a))


def ends(spec: Bounded, f: Array, q: Numbers) -> tuple[Array, Array]:
    """P(y = low) and P(y = high)."""
    s, half = spec.residual.scale(f, q), spec.step / 2
    return below((spec.low + half - f) / s), below(-(spec.high - half - f) / s)
