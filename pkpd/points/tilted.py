r"""The log marginal posterior of the population, from points of each subject solved once.

Subject i has points r_ik of its own effects, drawn with density q_ik, and their log-likelihoods
l_ik at the centre, with slopes g_i(r) and curvatures c_i(r) along those numbers of the population
that stand in the likelihood. A population with mean m and covariance S = A A' of the effects, d
from the centre in those numbers, then has

    log p(y_i) = log 1/K sum_k exp(l_ik + g_i(r_ik)' d + c_i(r_ik)' d^2 / 2) N(r_ik; m, S) / q_ik,

and H, the sum of the subjects' mean curvatures that c leaves out, adds d' H d / 2. c is of the
outcomes' numbers alone: an error's SD bends a far point more than a near one, so that slopes alone
would lift far points without end. Along numbers of the equations, which subjects' own effects can
stand in for, curvature and the variance of slopes nearly cancel, and what is left is lost in their
errors. So there points drift: with e such numbers' distance from the centre, a point is at
r_ik + J_i e, J_i how far the subject's posterior mean goes with them; N is taken there. Along that
way the likelihood hardly changes, and each point has its own slope and curvature. How the slopes
along the outcomes' numbers go with e is regressed, too, and higher orders are means (`higher`): a
chain that walked without left for a false mode, 4 SDs off along one of the equations' numbers and 9
along one of the outcomes'.
Nothing is solved again: in z = A0^-1 (r - m0), standard normal at the centre, log N is linear in
(z, z z'), and so are g_i and c_i as regressed on them; one matrix of features times a short vector
gives all weights. All populations see the same points, so the density is smooth; exact in m and S
but for the number of points, to second order in d. Two stages as in Lunn 2013 (Statistics in
Medicine 32:1), with the points' own weights in place of a chain's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.individual.problem import population_space
from pkpd.points.features import features, kept, log_weights_of, summed
from pkpd.points.higher import higher
from pkpd.points.split import Split, normal_log_density, standardised
from pkpd.variation import standard

Value = tuple[float, np.ndarray]


@dataclass(frozen=True)
class Tilted:
    """Solved points: `z` and `base` in float32, `taken` off the latter, `tilt` added as a slope.

    `heights` are their log-likelihoods, `leans` slopes and curvatures as functions of 1 and the
    features, as `leant_by` has them. Along numbers of the equations points go by `drift` (on the
    effects' own scales), and `ways` are each point's own slopes and curvatures (no rows: none
    known). `arch` and `coupled` are of higher order, as `higher` has them.
    """

    split: Split
    centre: Float[np.ndarray, " P"]
    points: Float[np.ndarray, "N K E"]
    heights: Float[np.ndarray, "N K"]
    z: Float[Array, "N E K"]
    base: Float[Array, "N K"]
    taken: Float[np.ndarray, " N"]
    leans: Float[Array, "N F1 L"]
    bend: Float[np.ndarray, "d d"]
    drift: Float[Array, "N E q"]
    columns: Int[np.ndarray, " a"]
    ways: Float[Array, "N 2a K"]
    arch: Float[np.ndarray, "4 q"]
    coupled: Float[np.ndarray, "q 2 o1 o1"]
    tilt: Float[np.ndarray, " P"]

    def log_likelihood(self, z: Float[np.ndarray, " P"]) -> Value:
        """The marginal log-likelihood and its gradient, in standardised coordinates."""
        value, slope = _likelihood(self.split, jnp.asarray(z), *self.arrays)
        rest = self.taken.sum() + self.tilt @ (np.asarray(z) - self.centre)
        return float(value + rest), np.asarray(slope) + self.tilt

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
            self.drift,
            jnp.asarray(self.columns),
            self.ways,
            jnp.asarray(self.arch),
            jnp.asarray(self.coupled),
        )

    def placed(self, z: Float[np.ndarray, " P"]) -> Float[np.ndarray, "N K E"]:
        """Where the points are under a population."""
        away = (np.asarray(z) - self.centre)[self.split.equations]
        return self.points + (np.asarray(self.drift) @ away)[:, None]


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
    inside, outside = len(split.equations), len(split.outcomes) + 1
    return Tilted(
        split, centre, points, heights,
        jnp.asarray(np.ascontiguousarray(np.swapaxes(z, 1, 2)), jnp.float32),
        jnp.asarray(np.maximum(base - most, -1e30), jnp.float32), most[:, 0],
        jnp.zeros((len(z), count + 1, 2 * size)), np.zeros((size, size)),
        jnp.zeros((len(z), z.shape[2], inside)),
        np.zeros(0, int), jnp.zeros((len(z), 0, z.shape[1]), jnp.float32),
        np.zeros((4, inside)), np.zeros((inside, 2, outside, outside)), np.zeros(len(centre)),
    )  # fmt: skip


def leant_by(
    split: Split, away: Float[Array, " d"], columns: Int[Array, " a"]
) -> Float[Array, " L"]:
    """What leans are multiplied with: d, d^2 / 2, and carried numbers times the outcomes'."""
    outcomes = away[len(split.equations) :]
    both = away[columns][:, None] * outcomes
    return jnp.concatenate([away, away**2 / 2, both.ravel()])


def turned(
    split: Split, z: Array, centre: Array, drift: Float[Array, "N E q"]
) -> tuple[Float[Array, "N F"], Float[Array, ""]]:
    """What the features are multiplied with for a population's law, and the constants' sum.

    That points drift is for their law as if its mean went the other way.
    """
    (m, a), (m0, a0) = split.law(z), split.law(centre)
    m = m - drift @ (z - centre)[split.equations]
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
) -> tuple[Float[np.ndarray, "N F"], Float[np.ndarray, "N 2a"]]:
    """Weighted means of each subject's features, and of its points' own slopes and curvatures."""
    means, ways = _means(cloud.split, jnp.asarray(z), *cloud.arrays)
    return np.asarray(means), np.asarray(ways)


@partial(jax.jit, static_argnums=0)
def _means(split: Split, z: Array, *arrays: Array) -> tuple[Array, Array]:
    centre, points, base, leans, _, drift, columns, ways, *_ = arrays
    along, _ = turned(split, z, centre, drift)
    away = (z - centre)[split.others]
    leant = leans @ leant_by(split, away, columns)
    return summed(along + leant[:, 1:], points, kept(base, base), along_ways(away, columns), ways)[
        1:
    ]


def along_ways(away: Float[Array, " d"], columns: Int[Array, " a"]) -> Float[Array, " 2a"]:
    """What the points' own slopes and curvatures are multiplied with."""
    own = away[columns]
    return jnp.concatenate([own, own**2 / 2])


@partial(jax.jit, static_argnums=0)
def _weights(split: Split, z: Array, *arrays: Array) -> Float[Array, "N K"]:
    _, points, base, *_, ways, _, _ = arrays
    own, terms, *_ = turns(split, z, *arrays)
    return jax.vmap(log_weights_of, (0, 0, 0, None, 0))(own, points, base, terms, ways)


def turns(
    split: Split, z: Array, *arrays: Array
) -> tuple[Float[Array, "N F"], Float[Array, " C"], Float[Array, "N F1"], Float[Array, " d"]]:
    """What features and ways are multiplied with (float32) at a population; leans times d; d."""
    centre, _, _, leans, _, drift, columns, *_ = arrays
    along, _ = turned(split, z, centre, drift)
    away = (z - centre)[split.others]
    leant = leans @ leant_by(split, away, columns)
    terms = along_ways(away, columns).astype(jnp.float32)
    return (along + leant[:, 1:]).astype(jnp.float32), terms, leant, away


@partial(jax.jit, static_argnums=0)
def _likelihood(
    split: Split, z: Array, *arrays: Array
) -> tuple[Float[Array, ""], Float[Array, " P"]]:
    centre, points, base, leans, bend, drift, columns, ways, arch, coupled = arrays
    (along, constant), back = jax.vjp(lambda z: turned(split, z, centre, drift), z)
    away = (z - centre)[split.others]
    leant = leans @ leant_by(split, away, columns)
    terms, back_terms = jax.vjp(lambda away: along_ways(away, columns), away)
    each, means, bent = summed(along + leant[:, 1:], points, kept(base, base), terms, ways)
    (slope,) = back((means, jnp.ones(())))
    drawn = leans[:, 0].sum(axis=0) + jnp.einsum("nf,nfd->d", means, leans[:, 1:])
    rest, steep = jax.value_and_grad(higher)(away, arch, coupled)
    value = (each + leant[:, 0]).sum() + constant + away @ bend @ away / 2 + rest
    (own,) = jax.vjp(lambda away: leant_by(split, away, columns), away)[1](drawn)
    (more,) = back_terms(bent.sum(axis=0))
    return value, slope.at[split.others].add(own + more + bend @ away + steep)


@partial(jax.jit, static_argnums=0)
def prior(split: Split, z: Array) -> tuple[Float[Array, ""], Float[Array, " P"]]:
    """The population's log prior density and its gradient, in standardised coordinates."""
    space = population_space(split.effects.likelihood)
    return jax.value_and_grad(lambda z: standard.log_prior_standard(space, z))(z)
