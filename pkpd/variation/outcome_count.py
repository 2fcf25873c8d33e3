"""Counts with mean f: Poisson, or with more spread negative binomial.

    Poisson              y log f - f - log y!
    negative binomial    variance f + a f^2, a the `dispersion`; r = 1 / a:
                         log Gamma(y + r) / Gamma(r) + y log a - log y!
                         + y log f - (y + r) log(1 + a f)

which is Poisson as a goes to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array

from pkpd.variation.residual import Numbers, held

LEAST = 1e-12
"""Least mean and least dispersion."""

_FEW = 0.01  # dispersion under which Gamma(y + 1 / a) / Gamma(1 / a) is by Stirling's series


@dataclass(frozen=True)
class Count:
    """0, 1, 2, ..: negative binomial if `dispersed`, else Poisson."""

    dispersed: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its numbers."""
        return ("dispersion",) if self.dispersed else ()


def log_density(spec: Count, y: Array | np.ndarray, f: Array, q: Numbers) -> Array:
    """Log-probability of each count."""
    y, f = jnp.asarray(y), held(f, LEAST)
    if not spec.dispersed:
        return y * jnp.log(f) - f - gammaln(y + 1.0)
    a = held(jnp.asarray(q["dispersion"]), LEAST)
    grown = jnp.log1p(a * f)
    return _log_rising(y, a) - gammaln(y + 1.0) + y * jnp.log(f) - (y + 1 / a) * grown


def _log_rising(y: Array, a: Array) -> Array:
    """log a^y Gamma(y + 1 / a) / Gamma(1 / a), the log of (1) (1 + a) .. (1 + a (y - 1)).

    For small a by Stirling's series, whose large terms are taken off by hand.
    """
    few = a < _FEW
    small, large = jnp.where(few, a, _FEW), jnp.where(few, _FEW, a)
    direct = gammaln(y + 1 / large) - gammaln(1 / large) + y * jnp.log(large)
    low, high = 1 / small, y + 1 / small
    series = (high - 0.5) * jnp.log1p(small * y) - y + _stirling(high) - _stirling(low)
    return jnp.where(few, series, direct)


def _stirling(x: Array) -> Array:
    r = 1 / (x * x)
    return (1 / 12 - r * (1 / 360 - r / 1260)) / x


def mean(spec: Count, f: Array, q: Numbers) -> Array:
    """The mean, f."""
    return f


def draw(spec: Count, key: Array, f: Array, q: Numbers) -> Array:
    """One count for each f; dispersed ones are Poisson about a mean that is itself gamma."""
    f = held(f, LEAST)
    if not spec.dispersed:
        return jax.random.poisson(key, f)
    first, second = jax.random.split(key)
    shape = jnp.broadcast_to(1 / held(jnp.asarray(q["dispersion"]), LEAST), f.shape)
    return jax.random.poisson(second, f * jax.random.gamma(first, shape) / shape)


def probabilities(spec: Count, f: Array, q: Numbers, *, most: int) -> Array:
    """Probability of 0, 1, .., `most`, on a last axis."""
    counts = jnp.arange(most + 1.0)
    own = {name: jnp.asarray(value)[..., None] for name, value in q.items()}
    return jnp.exp(log_density(spec, counts, jnp.asarray(f)[..., None], own))
