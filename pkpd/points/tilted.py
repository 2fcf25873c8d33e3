r"""The log marginal posterior of the population, from points of each subject solved once.

Subject i has points r_ik of its own effects, drawn with density q_ik, and their log-likelihoods
l_ik at the centre, with slopes g_i(r) and curvatures c_i(r) along those numbers of the population
that stand in the likelihood. A population with mean m and covariance S = A A' of the effects, d
from the centre in those numbers, then has

    log p(y_i) = log 1/K sum_k exp(l_ik + g_i(r_ik)' d + c_i(r_ik)' d^2 / 2) N(r_ik; m, S) / q_ik,

and H, the sum of the subjects' mean curvatures that c leaves out, adds d' H d / 2. c is of the
outcomes' numbers alone: an error's SD bends a far point more than a near one, so that slopes alone
would lift far points without end. Along numbers of the equations, which subjects' own effects can
stand in for, slope, curvature and third derivative nearly cancel in the third order, and half of it
is worse than none. Nothing is solved again:
in z = A0^-1 (r - m0), standard normal at the centre, log N is linear in (z, z z'), and so are g_i
and c_i as regressed on them; one matrix of features times a short vector gives all weights. All
populations see the same points, so the density is smooth; exact in m and S but for the number of
points, to second order in d. Two stages as in Lunn 2013 (Statistics in Medicine 32:1), with the
points' own weights in place of a chain's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.individual.problem import population_space
from pkpd.points.proposal import normalised
from pkpd.points.split import Split, normal_log_density, standardised
from pkpd.variation import standard

Value = tuple[float, np.ndarray]
LEAST = 12.0
"""The density leaves out points that weigh so much less, in log, than their subject's heaviest.

Far out the likelihood bends down faster than along d than it does on average, so that its slope
alone would let such points, which weigh nothing, carry off the density.
"""
LOOSE = 4.0
"""Prior variance of a regressed slope's coefficients, in units of what one point tells."""

NEARBY = 1152
"""Points of a subject whose features are made at once: they stay in the processor's cache."""


@dataclass(frozen=True)
class Tilted:
    """Solved points: `z` and `base` in float32, and `taken` off the latter in all.

    `heights` are their log-likelihoods, `leans` slopes and curvatures as functions
    of 1 and the features.
    """

    split: Split
    centre: Float[np.ndarray, " P"]
    points: Float[np.ndarray, "N K E"]
    heights: Float[np.ndarray, "N K"]
    z: Float[Array, "N E K"]
    base: Float[Array, "N K"]
    taken: float
    leans: Float[Array, "N F1 2d"]
    bend: Float[np.ndarray, "d d"]

    def log_likelihood(self, z: Float[np.ndarray, " P"]) -> Value:
        """The marginal log-likelihood and its gradient, in standardised coordinates."""
        value, slope = _likelihood(self.split, jnp.asarray(z), *self.arrays)
        return float(value) + self.taken, np.asarray(slope)

    def density(self, z: Float[np.ndarray, " P"]) -> Value:
        """The same with the prior."""
        value, slope = self.log_likelihood(z)
        more, along = prior(self.split, jnp.asarray(z))
        return value + float(more), slope + np.asarray(along)

    def log_weights(self, z: Float[np.ndarray, " P"]) -> Float[np.ndarray, "N K"]:
        """Log-weights of the points under a population, up to each subject's constant."""
        return np.asarray(_weights(self.split, jnp.asarray(z), *self.arrays), float)

    @property
    def arrays(self) -> tuple:
        """What compiled functions take beside the split."""
        return (
            jnp.asarray(self.centre),
            self.z,
            self.base,
            self.leans,
            jnp.asarray(self.bend),
        )


def tilted(
    split: Split,
    centre: Float[np.ndarray, " P"],
    drawn: tuple[Float[np.ndarray, "N K E"], Float[np.ndarray, "N K"]],
    heights: Float[np.ndarray, "N K"],
) -> Tilted:
    """The density from points `drawn` with their log-densities, solved at the centre; d held."""
    points, log_q = drawn
    law = split.law(jnp.asarray(centre))
    z = standardised(points, law)
    scale = np.linalg.slogdet(np.asarray(law[1]))[1]
    base = heights + normal_log_density(z) - scale - log_q - np.log(z.shape[1])
    most = base.max(axis=1, keepdims=True)
    size, count = len(split.others), features(z[:, :1]).shape[-1]
    return Tilted(
        split, centre, points, heights,
        jnp.asarray(np.ascontiguousarray(np.swapaxes(z, 1, 2)), jnp.float32),
        jnp.asarray(np.maximum(base - most, -1e30), jnp.float32), float(most.sum()),
        jnp.zeros((len(z), count + 1, 2 * size)), np.zeros((size, size)),
    )  # fmt: skip


def powers(away: Float[Array, " d"]) -> Float[Array, " 2d"]:
    """d and d^2 / 2: what slopes and curvatures are multiplied with."""
    return jnp.concatenate([away, away**2 / 2])


def features(z: Float[np.ndarray, "... E"]) -> Float[np.ndarray, "... F"]:
    """z and the products of its entries."""
    rows = np.triu_indices(z.shape[-1])
    return np.concatenate([z, z[..., rows[0]] * z[..., rows[1]]], axis=-1)


def feature_rows(z: Float[Array, "E K"]) -> Float[Array, "F K"]:
    """The same of points side by side, where nothing need be turned round."""
    rows = np.triu_indices(len(z))
    return jnp.concatenate([z, z[rows[0]] * z[rows[1]]])


def times_features(z: Float[Array, "E K"], along: Float[Array, " F"]) -> Float[Array, " K"]:
    """Each point's features times a vector, none of them written to memory."""
    found, rest = jnp.zeros(z.shape[1], z.dtype), len(z)
    for i, own in enumerate(z):
        inner = along[i]
        for other in z[i:]:
            inner, rest = inner + along[rest] * other, rest + 1
        found = found + inner * own
    return found


def leaning(
    z: Float[np.ndarray, "N K E"],
    slopes: Float[np.ndarray, "N K d"],
    log_weights: Float[np.ndarray, "N K"],
) -> Float[np.ndarray, "N F1 d"]:
    """Slopes and curvatures regressed, in each subject, on 1 and the features.

    Points count by the root of their weights, so that those far out, whose slopes are wild, do not
    pull; then the constant is set so that what is left is 0 on average by the weights themselves.
    Each other coefficient has a prior of `LOOSE` times the slopes' own spread.
    """
    made = features(z)
    weights = normalised(log_weights / 2)
    middle = np.einsum("nk,nkf->nf", weights, made)[:, None]
    mean = np.einsum("nk,nkd->nd", weights, slopes)[:, None]
    x, y = made - middle, slopes - mean
    worth = 1 / (weights**2).sum(axis=1)
    square = np.einsum("nk,nkf,nkg->nfg", weights, x, x, optimize=True)
    spread = np.einsum("nff->nf", square) + 1e-12
    ridge = np.eye(x.shape[-1]) * (spread / (LOOSE * worth[:, None]))[:, None, :]
    along = np.einsum("nk,nkf,nkd->nfd", weights, x, y, optimize=True)
    coefficients = np.linalg.solve(square + ridge, along)
    left = slopes - made @ coefficients
    first = np.einsum("nk,nkd->nd", normalised(log_weights), left)[:, None]
    return np.concatenate([first, coefficients], axis=1)


def turned(split: Split, z: Array, centre: Array) -> tuple[Float[Array, "N F"], Float[Array, ""]]:
    """What the features are multiplied with for a population's law, and the constants' sum."""
    (m, a), (m0, a0) = split.law(z), split.law(centre)
    mix, shift = jnp.linalg.solve(a0, a), jnp.linalg.solve(a0, (m - m0).T).T
    inverse = jnp.linalg.inv(mix)
    precision, rows = inverse.T @ inverse, np.triu_indices(len(a))
    square = -(precision - jnp.eye(len(a)))
    quadratic = jnp.where(rows[0] == rows[1], 0.5, 1.0) * square[rows]
    linear = shift @ precision
    constant = -(shift * linear).sum() / 2 - len(m) * jnp.linalg.slogdet(mix)[1]
    wide = jnp.broadcast_to(quadratic, (len(m), quadratic.size))
    return jnp.concatenate([linear, wide], axis=1), constant


def subject_means(
    cloud: Tilted, z: Float[np.ndarray, " P"]
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, "N F"]]:
    """Each subject's log marginal likelihood, up to a constant, and its features' weighted mean."""
    found = _means(cloud.split, jnp.asarray(z), *cloud.arrays[:-1])
    return np.asarray(found[0]), np.asarray(found[1])


@partial(jax.jit, static_argnums=0)
def _means(
    split: Split, z: Array, centre: Array, points: Array, base: Array, leans: Array
) -> tuple[Float[Array, " N"], Float[Array, "N F"]]:
    along, _ = turned(split, z, centre)
    leant = leans @ powers((z - centre)[split.others])
    each, means = summed(along + leant[:, 1:], points, _near(base))
    return each + leant[:, 0], means


@partial(jax.jit, static_argnums=0)
def _weights(
    split: Split, z: Array, centre: Array, points: Array, base: Array, leans: Array, _: Array
) -> Float[Array, "N K"]:
    return weighed(split, z, centre, points, base, leans, whole=True)[0]


def weighed(
    split: Split, z: Array, centre: Array, points: Array, base: Array, leans: Array,
    *, whole: bool = False,
) -> tuple[Float[Array, "N K"], Float[Array, "N F1"], Float[Array, " d"]]:  # fmt: skip
    """Log-weights of the points (`whole`: of those left out, too), leans times d, and d."""
    along, _ = turned(split, z, centre)
    away = (z - centre)[split.others]
    leant = leans @ powers(away)
    own = (along + leant[:, 1:]).astype(jnp.float32)
    start = base if whole else _near(base)
    return start + jax.vmap(times_features)(points, own), leant, away


def _near(base: Float[Array, "N K"]) -> Float[Array, "N K"]:
    return jnp.where(base > -LEAST, base, -1e30)


@partial(jax.jit, static_argnums=0)
def _likelihood(
    split: Split, z: Array, centre: Array, points: Array, base: Array, leans: Array, bend: Array
) -> tuple[Float[Array, ""], Float[Array, " P"]]:
    (along, constant), back = jax.vjp(lambda z: turned(split, z, centre), z)
    away = (z - centre)[split.others]
    leant = leans @ powers(away)
    each, means = summed(along + leant[:, 1:], points, _near(base))
    (slope,) = back((means, jnp.ones(())))
    drawn = leans[:, 0].sum(axis=0) + jnp.einsum("nf,nfd->d", means, leans[:, 1:])
    value = (each + leant[:, 0]).sum() + constant + away @ bend @ away / 2
    (own,) = jax.vjp(powers, away)[1](drawn)
    return value, slope.at[split.others].add(own + bend @ away)


def summed(
    along: Float[Array, "N F"], points: Float[Array, "N E K"], base: Float[Array, "N K"]
) -> tuple[Float[Array, " N"], Float[Array, "N F"]]:
    """Of each subject the log of its points' summed weights, and its features' weighted mean.

    Some points of one subject at a time, their features made each time: reading them takes longer.
    """
    count, rows, size = points.shape
    near = next(k for k in range(min(NEARBY, size), 0, -1) if size % k == 0)
    along = along.astype(jnp.float32)

    def one(place: tuple[Array, Array]) -> tuple[Array, Array]:
        subject, start = place
        z = jax.lax.dynamic_slice(points, (subject, 0, start), (1, rows, near))[0]
        own = jax.lax.dynamic_slice(base, (subject, start), (1, near))[0]
        weight = own + times_features(z, along[subject])
        most = weight.max()
        share = jnp.exp(weight - most)
        total = share.sum()
        return most + jnp.log(total), feature_rows(z) @ (share / total)

    starts = jnp.arange(0, size, near)
    subjects = jnp.repeat(jnp.arange(count), len(starts))
    each, means = jax.lax.map(one, (subjects, jnp.tile(starts, count)))
    each, means = each.astype(float).reshape(count, -1), means.astype(float)
    total = jax.nn.logsumexp(each, axis=1)
    share = jnp.exp(each - total[:, None])
    return total, jnp.einsum("nc,ncf->nf", share, means.reshape(*share.shape, -1))


@partial(jax.jit, static_argnums=0)
def prior(split: Split, z: Array) -> tuple[Float[Array, ""], Float[Array, " P"]]:
    """The population's log prior density and its gradient, in standardised coordinates."""
    space = population_space(split.effects.likelihood)
    return jax.value_and_grad(lambda z: standard.log_prior_standard(space, z))(z)
