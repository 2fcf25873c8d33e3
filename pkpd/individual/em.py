"""The same place to begin by EM, for large fits: without third derivatives.

The gradient of Laplace's approximation asks for third derivatives of the equations; for hundreds of
subjects under a large model one takes minutes, compilation more. EM (Dempster, Laird and Rubin
1977) asks for none of these: each subject's effects are taken as normal about their mode, with the
curvature there (E), and the population is moved to the mode of the expected log-density, subjects'
own values held (M; with the typical values and SDs in it nearly in closed form). The expectation is
a mean over PAIRS of points to either side of the mode, whose covariance is the right one over
subjects.

EM is sure and slow. After a few rounds come steps of Fisher scoring: by Fisher's identity the
gradient of the expected log-density, subject by subject, is the score, and the sum of the scores'
squares stands for the Hessian (Berndt, Hall, Hall and Hausman 1974). A step that does not raise
Laplace's approximation, whose value costs little, is shortened, or one of EM taken for it.

The same matrix inverted is the covariance: rougher than the Hessian of the small fits. It scales
the sampler's coordinates and is no result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize

from pkpd.errors import FitError
from pkpd.individual.modes import Effects, Modes, effects_of, log_det, roots
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual.start import (
    LOST,
    Progress,
    Start,
    find_start,
    inverse_of,
    shrinkage_of,
    variance_of,
)
from pkpd.individual.whitening import locations, mixing
from pkpd.variation import standard
from pkpd.variation.space import Space

Numbers = Array | np.ndarray

MANY = 500
"""Effects times subjects of a stepped model from which EM finds the start."""

PAIRS, EXPECTED, INNER = 2, 4, 8
"""Pairs of points of a subject; rounds of EM before scoring; steps of the search in each."""

ROUNDS, GAIN = 30, 0.05
"""Rounds at most; a step that promises to raise the log-density by less is the last one."""


@dataclass(frozen=True)
class Expected:
    """The functions of a likelihood that EM is made of, compiled when first asked for."""

    likelihood: IndividualLikelihood

    @cached_property
    def effects(self) -> Effects:
        """The random effects as a matrix."""
        return effects_of(self.likelihood)

    @cached_property
    def space(self) -> Space:
        """The population's numbers."""
        return population_space(self.likelihood)

    def values(self, z: Numbers) -> dict[str, Array]:
        """Natural values of standardised coordinates."""
        return self.space.unpack(standard.to_natural(self.space, jnp.asarray(z)))

    @cached_property
    def modes(self) -> Callable[[Numbers, Numbers], Modes]:
        """(z, where to begin) -> the effects' modes."""
        return jax.jit(lambda z, begin: self.effects.find(self.values(z), begin))

    def points(self, z: Numbers, modes: Modes) -> Float[np.ndarray, "S E N"]:
        """Subjects' own values, on the parameters' scales, to either side of their modes."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (PAIRS, *modes.at.shape))
        away = np.einsum("sen,ekn->skn", signs, np.asarray(roots(modes.curvature)))
        scores = np.concatenate([modes.at + away, modes.at - away])
        values = self.values(z)
        a, m = mixing(self.effects, values), locations(self.effects, values)
        return np.asarray(m)[:, None] + np.einsum("ke,sen->skn", np.asarray(a), scores)

    def by_subject(self, z: Numbers, points: Numbers) -> Float[Array, " N"]:
        """Expected log-density of each subject's data and own values."""
        values = self.values(z)
        a, m = mixing(self.effects, values), locations(self.effects, values)

        def at(own: Float[Array, "E N"]) -> Float[Array, " N"]:
            return self.effects.height(values, jnp.linalg.solve(a, own - m[:, None]))

        return jax.lax.map(at, points).mean(axis=0) - jnp.linalg.slogdet(a)[1]

    @cached_property
    def slope(self) -> Callable[[Numbers, Numbers], tuple[Array, Array]]:
        """(z, points) -> the expected log-posterior, and its gradient."""

        @partial(jax.value_and_grad)
        def total(z: Numbers, points: Numbers) -> Array:
            prior = standard.log_prior_standard(self.space, jnp.asarray(z))
            return self.by_subject(z, points).sum() + prior

        return jax.jit(total)

    @cached_property
    def scores(self) -> Callable[[Numbers, Numbers], Float[Array, "P N"]]:
        """(z, points) -> subjects' gradients of the log marginal, by Fisher's identity."""

        def each(z: Numbers, points: Numbers) -> Array:
            def along(tangent: Array) -> Array:
                return jax.jvp(lambda z: self.by_subject(z, points), (z,), (tangent,))[1]

            return jax.lax.map(along, jnp.eye(z.size))

        return jax.jit(each)

    def marginal(self, z: np.ndarray, modes: Modes) -> float:
        """The log marginal posterior by Laplace."""
        prior = standard.log_prior_standard(self.space, jnp.asarray(z))
        return float((modes.height - log_det(modes.curvature) / 2).sum() + prior)


def begin(likelihood: IndividualLikelihood, progress: Progress) -> Start:
    """The start: by EM where many effects go through stepped equations, else by Laplace."""
    rows = effects_of(likelihood).rows
    many = rows * likelihood.solver.design.count > MANY
    search = find_start_em if many and likelihood.solver.cut is not None else find_start
    return search(likelihood, progress)


def find_start_em(likelihood: IndividualLikelihood, progress: Progress) -> Start:
    """The marginal mode from the prior medians by EM; `FitError` where the likelihood is none."""
    made = Expected(likelihood)
    z = np.zeros(made.space.size)
    modes = made.modes(z, jnp.zeros((made.effects.rows, likelihood.solver.design.count)))
    if not np.isfinite(np.asarray(modes.height)).all():
        raise FitError(LOST)
    value = made.marginal(z, modes)
    for number in range(ROUNDS):
        points = made.points(z, modes)
        step, gain = _scored(made, z, points) if number >= EXPECTED else (None, np.inf)
        progress("finding a start", min(0.95, (number + 1) / ROUNDS))
        if gain < GAIN:
            break
        z, modes, value = _moved(made, z, modes, value, step) or _stepped(made, z, modes, points)
    start = _described(made, z, modes)
    progress("finding a start", 1.0)
    return start


Reached = tuple[np.ndarray, Modes, float]
"""A population, the effects' modes there, and the log marginal posterior by Laplace."""


def _scored(made: Expected, z: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, float]:
    """A step of Fisher scoring, no coordinate moved by more than 1, and the gain it promises."""
    slope = np.asarray(made.slope(z, points)[1])
    step = np.linalg.solve(_information(made, z, points), slope)
    return step / max(1.0, float(np.abs(step).max())), float(slope @ step) / 2


def _moved(
    made: Expected, z: np.ndarray, modes: Modes, value: float, step: np.ndarray | None
) -> Reached | None:
    """Where the step leads, shortened until it leads up; None where it does not."""
    if step is None:
        return None
    for share in (1.0, 0.3, 0.1):
        there = z + share * step
        found = made.modes(there, modes.at)
        reached = made.marginal(there, found)
        if reached > value:  # not so where it is no number
            return there, found, reached
    return None


def _stepped(made: Expected, z: np.ndarray, modes: Modes, points: np.ndarray) -> Reached:
    """A round of EM."""
    there = _maximised(made, z, points)
    found = made.modes(there, modes.at)
    return there, found, made.marginal(there, found)


def _maximised(made: Expected, z: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The population after a few steps up the expected log-posterior."""

    def negative(z: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = made.slope(z, points)
        if not np.isfinite(value) or not np.isfinite(slope).all():
            return 1e10, np.zeros_like(z)
        return -float(value), -np.asarray(slope)

    return minimize(negative, z, jac=True, method="L-BFGS-B", options={"maxiter": INNER}).x


def _described(made: Expected, z: np.ndarray, modes: Modes) -> Start:
    """What the sampler needs to know of the place."""
    information = _information(made, z, made.points(z, modes))
    variance = variance_of(modes)
    return Start(
        made.likelihood, z, inverse_of(information), np.asarray(modes.at), variance,
        shrinkage_of(made.effects, variance), made.marginal(z, modes), np.asarray(modes.curvature),
        np.asarray(jax.jit(partial(_drift, made))(z, modes)), "em",
    )  # fmt: skip


def _information(made: Expected, z: np.ndarray, points: np.ndarray) -> Float[np.ndarray, "P P"]:
    """Squares of subjects' scores, summed, with the prior's curvature, held above 0.3."""
    scores = np.asarray(made.scores(z, points))
    prior = jax.hessian(lambda z: -standard.log_prior_standard(made.space, z))(jnp.asarray(z))
    return scores @ scores.T + np.maximum(np.asarray(prior), 0.3 * np.eye(z.size))


def _drift(made: Expected, z: Numbers, modes: Modes) -> Float[Array, "E N P"]:
    """How each subject's mode moves with the population."""

    def along(tangent: Array) -> Array:
        slope = jax.jvp(
            lambda z: made.effects.slope(made.values(z), modes.at), (z,), (tangent,)
        )[1]  # fmt: skip
        return jnp.linalg.solve(modes.curvature, slope.T[..., None])[..., 0].T

    return jnp.nan_to_num(jnp.moveaxis(jax.lax.map(along, jnp.eye(z.size)), 0, 2))
