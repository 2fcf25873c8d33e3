"""Each subject's log-likelihood at points of its own effects, with slopes along the population.

Slopes and curvatures by numbers of the equations are central differences, of solves without
derivatives; by those of the outcomes they are exact, the equations solved once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.individual.outcomes import log_likelihood
from pkpd.individual.problem import IndividualLikelihood
from pkpd.mechanism.blocks import WIDE
from pkpd.points.split import Split, split
from pkpd.threads import side_by_side

TOGETHER, OF_MANY = 36, 6
"""Points of each subject in one call: many of few subjects, so that they fill the solver's blocks;
else few, so that all threads have something to do."""


@dataclass(frozen=True)
class Heights:
    """Programs that solve points z (C, E, N), standardised under the population asked with."""

    likelihood: IndividualLikelihood

    @cached_property
    def split(self) -> Split:
        """What the population's numbers do."""
        return split(self.likelihood)

    def at(self, z: np.ndarray, points: Float[np.ndarray, "K E N"]) -> Float[np.ndarray, "K N"]:
        """Log-likelihoods; minus infinity where they are no number."""
        found = self._each(lambda part: self._plain(jnp.asarray(z), part), points)
        return _real(np.concatenate(list(found)))

    def sloped(
        self, z: np.ndarray, points: Float[np.ndarray, "K E N"]
    ) -> tuple[Float[np.ndarray, "K o N"], Float[np.ndarray, "K o N"]]:
        """Slopes and curvatures along each number of the outcomes; 0 where they are no number."""
        return self.whole(z, points, float)[1:]

    def whole(
        self, z: np.ndarray, points: Float[np.ndarray, "K E N"], kept: type = np.float32
    ) -> tuple[
        Float[np.ndarray, "K N"], Float[np.ndarray, "K o N"], Float[np.ndarray, "K o N"]
    ]:  # fmt: skip
        """What `at` and `sloped` give, the equations solved once; slopes `kept` in float32."""
        if not self.split.outcomes.size:
            return self.at(z, points), (none := np.zeros((len(points), 0, points.shape[-1]))), none
        parts = [
            (height, *(_or_none(slope).astype(kept) for slope in slopes))
            for height, *slopes in self._each(
                lambda part: self._with_slopes(jnp.asarray(z), part), points
            )
        ]
        found, slopes, bows = (np.concatenate(part) for part in zip(*parts, strict=True))
        return _real(found), slopes, bows

    def curved(
        self, z: np.ndarray, points: Float[np.ndarray, "K E N"]
    ) -> tuple[Float[np.ndarray, "K o N"], Float[np.ndarray, "K o o N"]]:
        """Slopes along the outcomes' numbers and all second derivatives; 0 where they are none."""
        count = self.split.outcomes.size
        whole = np.zeros((len(points), count, count, points.shape[-1]))
        if not count:
            return whole.sum(axis=1), whole
        rows, columns = np.triu_indices(count)
        parts = self._each(lambda part: self._with_curvatures(jnp.asarray(z), part), points)
        slopes, half = (
            np.concatenate([_or_none(each[place]) for each in parts]) for place in (1, 2)
        )
        whole[:, rows, columns] = whole[:, columns, rows] = half
        return slopes[:, rows == columns], whole

    def _each(self, solve: Callable, points: np.ndarray) -> Iterable:
        """What `solve` gives of the points, some at a time, side by side; in order."""
        size = min(OF_MANY if points.shape[-1] > WIDE // 2 else TOGETHER, len(points))
        parts = [points[k : k + size] for k in range(0, len(points), size)]
        lengths = [len(part) for part in parts]
        parts[-1] = np.concatenate([parts[-1], points[: size - lengths[-1]]])
        found = side_by_side(lambda part: jax.block_until_ready(solve(part)), parts)
        return [
            jax.tree.map(lambda value, n=n: np.asarray(value)[:n], own)
            for own, n in zip(found, lengths, strict=True)
        ]

    @cached_property
    def _plain(self) -> Callable:
        return jax.jit(partial(self._over, self._height))

    @cached_property
    def _with_slopes(self) -> Callable:
        pairs = np.arange(self.split.outcomes.size)
        return jax.jit(partial(self._over, partial(self._sloped, (pairs, pairs))))

    @cached_property
    def _with_curvatures(self) -> Callable:
        pairs = np.triu_indices(self.split.outcomes.size)
        return jax.jit(partial(self._over, partial(self._sloped, pairs)))

    def _over(self, one: Callable, z: Array, points: Array) -> Array:
        """`one` of each point, as many at once as fill the solver's blocks."""
        wide = max(1, WIDE // points.shape[-1])
        return jax.lax.map(lambda matrix: one(z, matrix), points, batch_size=min(wide, len(points)))

    @property
    def _solved(self) -> IndividualLikelihood:
        walked = self.likelihood.walked()
        return replace(walked, solver=replace(walked.solver, ahead=walked.solver.cut is not None))

    def _height(self, z: Array, matrix: Float[Array, "E N"]) -> Float[Array, " N"]:
        values = {**self.split.values(z), **self.split.effects.values(matrix)}
        return self._solved.by_subject(values)

    def _sloped(
        self, pairs: tuple[np.ndarray, ...], z: Array, matrix: Float[Array, "E N"]
    ) -> tuple[Float[Array, " N"], Float[Array, "p N"], Float[Array, "p N"]]:
        """The height, slopes along the first of each pair, second derivatives along both."""
        seen, effects = self._solved, self.split.effects.values(matrix)
        found = seen.fitted({**self.split.values(z), **effects})
        places, count = self.split.outcomes, seen.solver.design.count

        def summed(some: Array) -> Array:
            values, total = self.split.values(z.at[places].set(some)), jnp.zeros(count)
            for stream, rows in zip(seen.solver.design.streams, found, strict=True):
                each = log_likelihood(stream, rows, values)
                total = total + jax.ops.segment_sum(each, stream.subject, count)
            return total

        def along(one: Array, other: Array) -> tuple[Array, Array]:
            def slope(some: Array) -> Array:
                return jax.jvp(summed, (some,), (one,))[1]

            return jax.jvp(slope, (z[places],), (other,))

        units = (jnp.eye(places.size)[each] for each in pairs)
        return summed(z[places]), *jax.vmap(along)(*units)


def _real(heights: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(heights), heights, -np.inf)


def _or_none(slopes: np.ndarray) -> np.ndarray:
    return np.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0)
