"""Outcomes in categories 0, 1, ..: ordered scores, yes or no, and chains that remember the last.

Each says the log-probability of every category, on a last axis; likelihood, probabilities and
draws follow from that.

* Ordinal, K + 1 categories: P(y <= k) = expit(t_k - `slope` f), t_0 = `threshold_1` and each next
  one higher by `gap_2`, .., `gap_K`, all above 0. The greater f, the higher the category.
* Binary: P(y = 1) = f, or expit(f) with link "logit".
* Markov: P(y = k) = f[.., k], the row of a transition matrix that the last category picks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_sigmoid
from jax.scipy.linalg import expm
from jaxtyping import Array, Float, Int

from pkpd.variation.residual import Numbers, held

LEAST = 1e-12
"""Least probability that a prediction may give to what may be seen."""


@dataclass(frozen=True)
class Ordinal:
    """Ordered categories 0 to `categories` - 1 by cumulative logits."""

    categories: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its numbers; every gap is above 0."""
        gaps = (f"gap_{k}" for k in range(2, self.categories))
        return ("threshold_1", *gaps, "slope")


@dataclass(frozen=True)
class Binary:
    """0 or 1; f is the probability of 1, or with link "logit" its logit."""

    link: Literal["identity", "logit"] = "identity"
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Markov:
    """A category given the last one; f holds the probabilities on its last axis."""

    parameters: tuple[str, ...] = ()


Categorical = Ordinal | Binary | Markov


def log_probabilities(spec: Categorical, f: Array, q: Numbers) -> Float[Array, "... categories"]:
    """Log-probability of every category, on a last axis; finite with finite slopes."""
    match spec:
        case Ordinal(categories):
            return _ordinal(categories, f, q)
        case Binary("logit"):
            return jnp.stack([log_sigmoid(-f), log_sigmoid(f)], axis=-1)
        case Binary():
            yes = held(f, LEAST)
            return jnp.stack([jnp.log(held(1 - f, LEAST)), jnp.log(yes)], axis=-1)
        case Markov():
            return jnp.log(held(f, LEAST))


def _ordinal(categories: int, f: Array, q: Numbers) -> Array:
    """The log-probabilities between thresholds; none is a difference of near numbers.

    With u the upper and l the lower threshold, less `slope` f,
    expit(u) - expit(l) = expit(u) expit(-l) (1 - exp(-(u - l))).
    """
    gaps = [jnp.asarray(q[f"gap_{k}"]) for k in range(2, categories)]
    under = [jnp.asarray(q["threshold_1"]) - q["slope"] * f]
    for gap in gaps:
        under.append(under[-1] + gap)
    inner = [
        log_sigmoid(high) + log_sigmoid(-low) + jnp.log(-jnp.expm1(-gap))
        for low, high, gap in zip(under[:-1], under[1:], gaps, strict=True)
    ]
    return jnp.stack([log_sigmoid(under[0]), *inner, log_sigmoid(-under[-1])], axis=-1)


def log_density(spec: Categorical, y: Array | np.ndarray, f: Array, q: Numbers) -> Array:
    """Log-probability of each category seen."""
    seen = jnp.asarray(y).astype(int)[..., None]
    return jnp.take_along_axis(log_probabilities(spec, f, q), seen, axis=-1)[..., 0]


def probabilities(spec: Categorical, f: Array, q: Numbers) -> Float[Array, "... categories"]:
    """Probability of every category, on a last axis."""
    return jnp.exp(log_probabilities(spec, f, q))


def mean(spec: Categorical, f: Array, q: Numbers) -> Array:
    """Expected category: of a binary outcome the probability of 1."""
    found = probabilities(spec, f, q)
    return found @ jnp.arange(found.shape[-1], dtype=found.dtype)


def draw(spec: Categorical, key: Array, f: Array, q: Numbers) -> Array:
    """One category for each f."""
    return jax.random.categorical(key, log_probabilities(spec, f, q), axis=-1)


def generator(rates: Float[Array, "... k k"]) -> Float[Array, "... k k"]:
    """The generator of a chain: rates from row to column, the diagonal such that rows add to 0."""
    apart = rates * (1 - jnp.eye(rates.shape[-1]))
    return apart - apart.sum(axis=-1)[..., None] * jnp.eye(rates.shape[-1])


def transition_matrix(
    generator: Float[Array, "... k k"], dt: Float[Array, "..."]
) -> Float[Array, "... k k"]:
    """exp(generator dt): from row to column over a time dt, in the unit of 1 / rates.

    Right up to |generator dt| of about 2e10 (32 squarings); NaN beyond.
    """
    return expm(generator * jnp.asarray(dt)[..., None, None], max_squarings=32)


def row(matrix: Float[Array, "... k k"], last: Int[Array, "..."]) -> Float[Array, "... k"]:
    """The probabilities given the last category: the f of `Markov`."""
    return jnp.take_along_axis(matrix, jnp.asarray(last)[..., None, None], axis=-2)[..., 0, :]
