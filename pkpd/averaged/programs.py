"""The compiled programs behind clouds of points: a start's frames, solves, laws and sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from pkpd.individual.problem import population_space
from pkpd.individual.start import Start
from pkpd.individual.whitened import whitened
from pkpd.mechanism.blocks import WIDE
from pkpd.points.split import Split, split
from pkpd.threads import side_by_side
from pkpd.variation import standard

CALL = 256
"""Solves of all subjects in one call."""

Laws = tuple[Float[np.ndarray, "S M N E"], Float[np.ndarray, "S M E E"]]


@dataclass(frozen=True)
class Programs:
    """What is compiled once for a start; numbers are standardised, the leading axis is draws."""

    start: Start

    @cached_property
    def split(self) -> Split:
        """What the population's numbers do."""
        return split(self.start.likelihood)

    def frames(
        self, numbers: Float[np.ndarray, "S P"]
    ) -> tuple[Float[np.ndarray, "S N E E"], Float[np.ndarray, "S N E"]]:
        """C and its middle: standardised effects z lie at round coordinates v = C' z - middle."""
        factor, middle = self._frames(jnp.asarray(numbers))
        return np.asarray(factor), np.asarray(middle)

    def solved(
        self, numbers: Float[np.ndarray, "S P"], z: Float[np.ndarray, "S K N E"]
    ) -> Float[np.ndarray, "S K N"]:
        """Log-likelihoods of every subject at its points; minus infinity where they are none."""
        draws, count, subjects, _ = z.shape
        flat = np.swapaxes(z, -1, -2).reshape(draws * count, -1, subjects)
        whole = np.repeat(numbers, count, axis=0)
        rest = -len(whole) % CALL
        flat, whole = (np.concatenate([x, x[:1].repeat(rest, 0)]) for x in (flat, whole))

        def of(k: int) -> np.ndarray:
            return np.asarray(self._heights(whole[k : k + CALL], flat[k : k + CALL]))

        found = np.concatenate(list(side_by_side(of, range(0, len(whole), CALL))))
        found = found[: draws * count].reshape(draws, count, subjects)
        return np.where(np.isfinite(found), found, -np.inf)

    def laws(self, numbers: Float[np.ndarray, "S M P"]) -> Laws:
        """Mean and mixing of the effects under each population."""
        shape = numbers.shape[:2]
        mean, mix = self._law(jnp.asarray(numbers.reshape(-1, numbers.shape[-1])))
        both = np.asarray(mean), np.asarray(mix)
        return both[0].reshape(*shape, *mean.shape[1:]), both[1].reshape(*shape, *mix.shape[1:])

    def log_prior(self, numbers: Float[np.ndarray, "S M P"]) -> Float[np.ndarray, "S M"]:
        """Log prior density, but for a constant."""
        flat = jnp.asarray(numbers.reshape(-1, numbers.shape[-1]))
        return np.asarray(self._log_prior(flat)).reshape(numbers.shape[:2])

    @cached_property
    def sums(self) -> Callable:
        """Log of the sum over points, for each law, of all subjects together, (S, M)."""

        def one(of: tuple[Array, ...]) -> Array:
            return logsumexp(self._weighed(*of), axis=1).sum(axis=-1)

        return jax.jit(lambda *of: jax.lax.map(one, of))

    @cached_property
    def weights(self) -> Callable:
        """Weights of points (S, K, N): of each law they sum to 1, laws by weights of theirs."""

        def one(of: tuple[Array, ...]) -> Array:
            *seen, share = of
            return jnp.einsum("m,mkn->kn", share, jax.nn.softmax(self._weighed(*seen), axis=1))

        return jax.jit(lambda *of: jax.lax.map(one, of))

    @cached_property
    def picks(self) -> Callable:
        """A point of each subject under each law by weight, as standard effects (S, M, N, E)."""

        def one(of: tuple[Array, ...]) -> Array:
            key, points, heights, mean, mix = of
            which = jax.random.categorical(key, self._weighed(points, heights, mean, mix), axis=1)
            away = points[which, jnp.arange(points.shape[1])] - mean
            return jnp.einsum("mne,mfe->mnf", away, jnp.linalg.inv(mix))

        return jax.jit(lambda *of: jax.lax.map(one, of))

    def _weighed(
        self, points: Float[Array, "K N E"], heights: Float[Array, "K N"],
        mean: Float[Array, "M N E"], mix: Float[Array, "M E E"],
    ) -> Float[Array, "M K N"]:  # fmt: skip
        """Log-weights of points under each law; `heights` is log-likelihood less log-density."""
        if self.start.likelihood.tied:
            back = jnp.linalg.inv(mix)
            middle = jnp.einsum("mne,mfe->mnf", mean, back)
            z = jnp.einsum("kne,mfe->mknf", points, back) - middle[:, None]
        else:
            spread = jnp.diagonal(mix, axis1=1, axis2=2)[:, None, None]
            z = (points - mean[:, None]) / spread
        return heights + norm.logpdf(z).sum(axis=-1) - jnp.linalg.slogdet(mix)[1][:, None, None]

    @cached_property
    def _frames(self) -> Callable:
        white = whitened(self.start)

        def one(z: Array) -> tuple[Array, Array]:
            return white.whitening.frame(self.split.values(z), z - jnp.asarray(white.centre))

        return jax.jit(jax.vmap(one))

    @cached_property
    def _heights(self) -> Callable:
        walked = self.start.likelihood.walked()
        ahead = walked.solver.cut is not None
        seen = replace(walked, solver=replace(walked.solver, ahead=ahead))

        def one(of: tuple[Array, Array]) -> Array:
            values = {**self.split.values(of[0]), **self.split.effects.values(of[1])}
            return seen.by_subject(values)

        wide = max(1, WIDE // seen.solver.design.count)
        return jax.jit(lambda *of: jax.lax.map(one, of, batch_size=wide))

    @cached_property
    def _law(self) -> Callable:
        return jax.jit(jax.vmap(self.split.law))

    @cached_property
    def _log_prior(self) -> Callable:
        space = population_space(self.start.likelihood)
        return jax.jit(jax.vmap(lambda z: standard.log_prior_standard(space, z)))
