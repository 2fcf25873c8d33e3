"""Residual error: how far an observation y may lie from its prediction f, by name.

* additive:     y - f has SD `additive`
* proportional: y - f has SD `proportional` |f|
* combined:     y - f has SD sqrt(`additive`^2 + `proportional`^2 f^2)
* combined_sum: y - f has SD `additive` + `proportional` |f|
* power:        y - f has SD `proportional` |f|^`power`
* lognormal:    log y - log f has SD `lognormal`, y > 0

Where a SD or a logarithm would reach 0 with f, |f| is held at a floor, so that values and slopes
stay finite; the slope in f is 0 below the floor. An observation above 0 under a prediction of 0 is
then all but impossible (log density about -1e24 if proportional), not an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array

FLOOR = 1e-12
"""Least |f| that a SD proportional to it sees, in the unit of f."""

LOG_FLOOR = 1e-100
"""Least f and y of which a logarithm is taken, in their unit."""

Numbers = Mapping[str, Array | float]


@dataclass(frozen=True)
class Residual:
    """A kind of residual error; `scale` is the SD of y given f and q, of log y if `logarithmic`."""

    name: str
    parameters: tuple[str, ...]
    scale: Callable[[Array, Numbers], Array]
    logarithmic: bool = False

    def score(self, y: Array, f: Array, q: Numbers) -> Array:
        """The standardised residual: (y - f) / scale, or (log y - log f) / scale."""
        if self.logarithmic:
            y, f = (jnp.log(held(value, LOG_FLOOR)) for value in (y, f))
        return (y - f) / self.scale(f, q)

    def unscored(self, z: Array, f: Array, q: Numbers) -> Array:
        """The observation whose standardised residual is z; inverse of `score`."""
        if self.logarithmic:
            return f * jnp.exp(z * self.scale(f, q))
        return f + z * self.scale(f, q)

    def log_unit(self, y: Array, f: Array, q: Numbers) -> Array:
        """log |dy / dz|: what turns a density of the score into one of y, by subtraction."""
        log_scale = jnp.log(self.scale(f, q))
        return log_scale + jnp.log(held(y, LOG_FLOOR)) if self.logarithmic else log_scale


def held(x: Array, floor: float) -> Array:
    """x where it is above the floor, else the floor; the slope is 1 or 0, never half."""
    return jnp.where(jnp.asarray(x) > floor, x, floor)


def _level(f: Array) -> Array:
    return held(jnp.abs(f), FLOOR)


def _additive(f: Array, q: Numbers) -> Array:
    return q["additive"] * jnp.ones_like(f)


def _proportional(f: Array, q: Numbers) -> Array:
    return q["proportional"] * _level(f)


def _combined(f: Array, q: Numbers) -> Array:
    return jnp.sqrt(q["additive"] ** 2 + (q["proportional"] * _level(f)) ** 2)


def _combined_sum(f: Array, q: Numbers) -> Array:
    return q["additive"] + q["proportional"] * _level(f)


def _power(f: Array, q: Numbers) -> Array:
    return q["proportional"] * jnp.exp(q["power"] * jnp.log(_level(f)))


def _lognormal(f: Array, q: Numbers) -> Array:
    return q["lognormal"] * jnp.ones_like(f)


RESIDUALS: Mapping[str, Residual] = {
    residual.name: residual
    for residual in (
        Residual("additive", ("additive",), _additive),
        Residual("proportional", ("proportional",), _proportional),
        Residual("combined", ("additive", "proportional"), _combined),
        Residual("combined_sum", ("additive", "proportional"), _combined_sum),
        Residual("power", ("proportional", "power"), _power),
        Residual("lognormal", ("lognormal",), _lognormal, logarithmic=True),
    )
}
"""Every kind of residual error, by the name that `fit.toml` uses."""
