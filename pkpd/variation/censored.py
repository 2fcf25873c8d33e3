"""Log-likelihood of continuous observations, some of them known only as below, above or between.

With z(y) the standardised residual (`Residual.score`), s its unit, p and P the density and
distribution of the normal or of Student's t:

    kind  0, seen            log p(z(y)) - log s
    kind  1, below y         log P(z(y))
    kind -1, above y         log P(-z(y))
    kind  2, limit to y      log (P(z(y)) - P(z(limit)))

Below the limit of quantification (Beal 2001, J Pharmacokinet Pharmacodyn 28:481-504): "M3" is the
above. "M1" leaves out what is below a limit, kinds 1 and 2: they add 0. "M4" conditions on y > 0:
kind 1 becomes log (P(z(y)) - P(z(0))), and every row is divided by 1 - P(z(0)). A log-normal y is
above 0 at any rate, so that M4 is M3 there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from pkpd.variation.outcome_laws import Law, Tails, law
from pkpd.variation.residual import Numbers, Residual

Blq = Literal["M1", "M3", "M4"]


@dataclass(frozen=True)
class Censoring:
    """What is known of each row: its kind, and the lower limit of kind 2 (else not looked at)."""

    kind: np.ndarray
    limit: np.ndarray

    def __post_init__(self) -> None:
        unknown = sorted(set(np.unique(self.kind).tolist()) - {-1, 0, 1, 2})
        if unknown:
            raise ValueError(f"kinds of censoring are -1, 0, 1 and 2, not {unknown}")


def seen(y: np.ndarray) -> Censoring:
    """The censoring of rows that are all seen."""
    return Censoring(np.zeros(np.shape(y), int), np.zeros(np.shape(y)))


def log_density(
    residual: Residual,
    y: np.ndarray,
    f: Array,
    q: Numbers,
    censoring: Censoring,
    *,
    blq: Blq,
    tails: Tails,
) -> Array:
    """Log-likelihood of each row, of the shape of y; f and q broadcast to it, y is data.

    q holds the parameters of the residual, and `nu` where the tails are Student's. Each kind is
    worked out on its own rows alone, since the tails cost ten times what a density does. Finite
    slopes in f and q; -inf where y <= 0 is seen under a log-normal error.
    """

    def of_kind(kind: int, at: Rows) -> Array:
        numbers = at.numbers(q)
        expected = _Expected(residual, _law(numbers, tails), at.each(f), numbers)
        return _of_kind(kind, expected, at.data(y), at.data(censoring.limit), blq)

    return by_rows(censoring.kind, of_kind)


@dataclass(frozen=True)
class _Expected:
    """What the model says of some rows."""

    residual: Residual
    law: Law
    f: Array
    q: Numbers

    def z(self, y: np.ndarray | float) -> Array:
        return self.residual.score(jnp.asarray(y), self.f, self.q)

    def seen(self, y: np.ndarray) -> Array:
        found = self.law.log_density(self.z(y))
        found = found - self.residual.log_unit(jnp.asarray(y), self.f, self.q)
        return jnp.where(y > 0, found, -jnp.inf) if self.residual.logarithmic else found


def _of_kind(kind: int, given: _Expected, y: np.ndarray, limit: np.ndarray, blq: Blq) -> Array:
    above_zero = blq == "M4" and not given.residual.logarithmic
    law, z = given.law, given.z
    match kind:
        case 0:
            found = given.seen(y)
        case -1:
            found = law.log_below(-z(y))
        case _ if blq == "M1":
            return jnp.zeros(y.shape)
        case 1:
            found = law.log_between(z(0.0), z(y)) if above_zero else law.log_below(z(y))
        case _:
            found = law.log_between(z(np.maximum(limit, 0.0) if above_zero else limit), z(y))
    return found - law.log_below(-z(0.0)) if above_zero else found


@dataclass(frozen=True)
class Rows:
    """Some rows of arrays of a shape, flat."""

    shape: tuple[int, ...]
    rows: np.ndarray

    def data[Known: (np.ndarray, Array)](self, value: Known) -> Known:
        """These rows of data; what a compiled program takes as an argument stays traced."""
        wide: Any = jnp.broadcast_to if isinstance(value, Array) else np.broadcast_to
        return wide(value, self.shape).ravel()[self.rows]

    def each(self, value: Array | float) -> Array:
        """These rows of what is computed."""
        return jnp.broadcast_to(jnp.asarray(value), self.shape).ravel()[self.rows]

    def numbers(self, q: Numbers) -> dict[str, Array]:
        """Each number as it is if one for all rows, else these rows of it."""
        return {
            name: jnp.asarray(value) if jnp.ndim(value) == 0 else self.each(value)
            for name, value in q.items()
        }


def by_rows(kind: np.ndarray, of_kind: Callable[[int, Rows], Array]) -> Array:
    """An array of the shape of `kind`, each kind's rows filled by `of_kind`."""
    flat = np.ravel(kind)
    kinds = [int(each) for each in np.unique(flat)]
    rows = [np.flatnonzero(flat == each) for each in kinds]
    parts = [of_kind(each, Rows(kind.shape, at)) for each, at in zip(kinds, rows, strict=True)]
    if not parts:
        return jnp.zeros(kind.shape)
    back = np.argsort(np.concatenate(rows))
    return jnp.concatenate(parts)[back].reshape(kind.shape)


def cdf(residual: Residual, y: Array, f: Array, q: Numbers, *, tails: Tails) -> Array:
    """P(Y <= y), elementwise, with no censoring and no condition on Y > 0."""
    below = _law(q, tails).below(residual.score(jnp.asarray(y), f, q))
    return jnp.where(jnp.asarray(y) > 0, below, 0.0) if residual.logarithmic else below


def draw(residual: Residual, key: Array, f: Array, q: Numbers, *, tails: Tails) -> Array:
    """One observation for each f, with no censoring and no condition on Y > 0."""
    return residual.unscored(_law(q, tails).draw(key, jnp.shape(f)), f, q)


def _law(q: Numbers, tails: Tails) -> Law:
    return law(tails, q.get("nu"))
