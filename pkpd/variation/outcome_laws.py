"""The two laws of a standardised residual, normal and Student's t, as logarithms that stay finite.

Both are symmetric about 0, so P(Z > z) = P(Z < -z). All is elementwise and differentiable to any
order, in the degrees of freedom too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfcx, gammaln, logsumexp
from jaxtyping import Array

_CENTRE, _FAR = (
    2.0,
    9.0,
)  # |z| up to which the density is integrated from 0; where exp(-r^2 / 2) ends
_NEAR = 0.5  # difference of log-probabilities under which the density is integrated between the two


def _points(count: int, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre points and weights on 0 to `length`."""
    x, w = np.polynomial.legendre.leggauss(count)
    return length * (1 + x) / 2, length * w / 2


_SHARE, _SHARE_WEIGHT = _points(24, 1.0)
_AWAY, _AWAY_WEIGHT = _points(48, _FAR)
_BETWEEN, _BETWEEN_WEIGHT = _points(12, 1.0)


Tails = Literal["normal", "student"]
"""How a residual is spread: normal, or Student's t, whose degrees of freedom are called nu."""


@dataclass(frozen=True)
class Law:
    """A standard law: log density, log P(Z <= z), and draws of a shape."""

    log_density: Callable[[Array], Array]
    log_below: Callable[[Array], Array]
    draw: Callable[[Array, tuple[int, ...]], Array]

    def below(self, z: Array) -> Array:
        """P(Z <= z)."""
        return jnp.exp(self.log_below(z))

    def log_between(self, a: Array, b: Array) -> Array:
        """log P(a < Z <= b), a < b; turned by symmetry into the lower tail, where both are small.

        Far apart, log P(b) + log(1 - exp(log P(a) - log P(b))); near, where that cancels, the
        density integrated from a to b by Gauss-Legendre.
        """
        turn = a + b > 0
        low, high = jnp.where(turn, -b, a), jnp.where(turn, -a, b)
        log_low, log_high = self.log_below(jnp.stack([low, high]))  # one trace, half to compile
        apart = log_high - log_low
        near = apart < _NEAR
        far = log_high + jnp.log(-jnp.expm1(-jnp.where(near, 1.0, apart)))
        # an interval that no float resolves has a width of 1e-100, not 0
        resolved = jnp.where(high - low > 1e-100, high - low, 1e-100)
        width = jnp.where(near, resolved, 1.0)
        inside = jnp.where(near, low, 0.0)[..., None] + width[..., None] * _BETWEEN
        logs = self.log_density(inside)
        integral = logsumexp(logs, axis=-1, b=_BETWEEN_WEIGHT)
        return jnp.where(near, jnp.log(width) + integral, far)


def law(tails: Tails, nu: Array | float | None = None) -> Law:
    """The law by name: "normal", or "student" with `nu` degrees of freedom (0.5 and more)."""
    match tails:
        case "normal":
            return Law(normal_log_density, normal_log_below, jax.random.normal)
        case "student" if nu is not None:
            return Law(
                partial(_over_points, nu=jnp.asarray(nu)),
                lambda z: student_log_below(z, nu),
                lambda key, shape: jax.random.t(key, jnp.asarray(nu), shape),
            )
    raise ValueError(f"tails '{tails}': give normal, or student with nu")


def normal_log_density(z: Array) -> Array:
    """-z^2 / 2 - log(2 pi) / 2."""
    return -0.5 * z * z - 0.9189385332046728


@jax.custom_jvp
def normal_log_below(z: Array) -> Array:
    """log P(Z <= z); in the lower tail -z^2 / 2 + log(erfcx(-z / sqrt 2) / 2)."""
    away, scaled = _scaled_tail(z)
    upper = jnp.log1p(-scaled * jnp.exp(-0.5 * away * away))
    return jnp.where(z < 0, jnp.log(scaled) - 0.5 * away * away, upper)


@jax.custom_jvp
def normal_mills(z: Array) -> Array:
    """m = density / P(Z <= z), the slope of `normal_log_below`; m' = -m (z + m).

    Derivatives are our own: the second of `erfcx` in jax 0.12 fails on arrays.
    """
    away, scaled = _scaled_tail(z)
    bell = jnp.exp(-0.5 * away * away)
    return 0.3989422804014327 * jnp.where(z < 0, 1 / scaled, bell / (1 - scaled * bell))


def _scaled_tail(z: Array) -> tuple[Array, Array]:
    """|z|, and P(Z > |z|) exp(z^2 / 2)."""
    away = jnp.where(z < 0, -z, z)  # not abs: its slope at 0 is 0
    return away, 0.5 * erfcx(away * 0.7071067811865476)


@normal_log_below.defjvp
def _below_jvp(z: tuple[Array], tangent: tuple[Array]) -> tuple[Array, Array]:
    return normal_log_below(*z), normal_mills(*z) * tangent[0]


@normal_mills.defjvp
def _mills_jvp(at: tuple[Array], tangent: tuple[Array]) -> tuple[Array, Array]:
    (z,), mills = at, normal_mills(*at)
    tail = z < -1e3  # there z + m is 1 / |z| - 2 / |z|^3 + ..., which a difference would lose
    far = jnp.where(tail, z, -1.0)
    more = jnp.where(tail, -(1 - 2 / (far * far)) / far, z + mills)
    return mills, -mills * more * tangent[0]


def student_log_density(z: Array, nu: Array | float) -> Array:
    """Log of Gamma((nu + 1) / 2) / Gamma(nu / 2) / sqrt(pi nu) (1 + z^2 / nu)^(-(nu + 1) / 2)."""
    nu = jnp.asarray(nu)
    height = _log_half_step(nu / 2) - 0.5 * jnp.log(jnp.pi * nu)
    return height - 0.5 * (nu + 1) * jnp.log1p(z * z / nu)


def _log_half_step(x: Array) -> Array:
    """log(Gamma(x + 1/2) / Gamma(x)); from x = 20 by its asymptotic series, error below 1e-14.

    Not by `betaln` of jax 0.12, which is wrong by 5e-8 at x = 15.
    """
    series_holds = x >= 20.0
    # `where` and not `minimum`: where two are equal, that gives each half of the slope
    small, large = jnp.where(series_holds, 20.0, x), jnp.where(series_holds, x, 20.0)
    r = 1 / (large * large)
    series = (-1 / 8 + r * (1 / 192 + r * (-1 / 640 + r * 17 / 14336))) / large
    direct = gammaln(small + 0.5) - gammaln(small)
    return jnp.where(series_holds, 0.5 * jnp.log(large) + series, direct)


def student_log_below(z: Array, nu: Array | float) -> Array:
    """log P(T <= z), by integrals whose points do not move, hence differentiable in nu too.

    For |z| <= 2 it is 1/2 + z int_0^1 t(z s) ds, t the density. Beyond, the incomplete beta
    function under v = exp(-r^2 / nu) gives for the tail

        P(T > z) = t(z) (1 + z^2 / nu) int_0^inf r exp(-r^2 / 2) / sqrt(z^2 + g(r)) dr,

    g(r) = nu (1 - exp(-r^2 / nu)).
    """
    nu = jnp.asarray(nu)
    away = jnp.where(z < 0, -z, z)
    near = away <= _CENTRE
    inner, outer = jnp.where(near, z, _CENTRE), jnp.where(near, _CENTRE, away)
    shares = jnp.exp(student_log_density(inner[..., None] * _SHARE, nu[..., None]))
    centre = jnp.log(0.5 + inner * (shares * _SHARE_WEIGHT).sum(axis=-1))
    tail = _student_log_tail(outer, nu)
    outside = jnp.where(z < 0, tail, jnp.log1p(-jnp.exp(tail)))
    return jnp.where(near, centre, outside)


def _student_log_tail(z: Array, nu: Array) -> Array:
    grown = -nu[..., None] * jnp.expm1(-_AWAY * _AWAY / nu[..., None])
    weights = _AWAY_WEIGHT * _AWAY * np.exp(-0.5 * _AWAY * _AWAY)
    # over z, so that z^2 may be huge
    integral = (weights / jnp.sqrt(1 + grown / (z * z)[..., None])).sum(axis=-1) / z
    return student_log_density(z, nu) + jnp.log1p(z * z / nu) + jnp.log(integral)


def _over_points(z: Array, nu: Array) -> Array:
    """The density at points of the shape of nu, or with one more axis of points behind."""
    return student_log_density(z, nu[..., None] if z.ndim > nu.ndim > 0 else nu)
