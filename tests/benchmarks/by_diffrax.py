"""The rival for individuals: diffrax from dose to dose, every patient with its own adaptive steps.

Solves between doses are vmapped over patients and scanned over the intervals; visits are saved by
the solve itself. The tolerance is an argument of the compiled program, so that tuning it does not
compile again.
"""

from __future__ import annotations

from dataclasses import dataclass

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from pkpd.individual.solve import Solver
from pkpd.mechanism.timeline import Timeline


@dataclass(frozen=True)
class Intervals:
    """From dose to dose (G): when each begins and ends, when it is seen (G, K), doses at its end.

    `group` and `slot` say where each step's end stands in these.
    """

    begin: np.ndarray
    end: np.ndarray
    seen: np.ndarray
    given: np.ndarray
    group: np.ndarray
    slot: np.ndarray


def intervals(line: Timeline) -> Intervals:
    """Of timelines that are the same for all patients; steps of no length join the next."""
    end, given = np.asarray(line.end)[0], np.asarray(line.given)
    doses = given.any(axis=(0, 2))
    group = np.concatenate([[0], np.cumsum(doses)[:-1]])
    slot = np.arange(end.size) - np.searchsorted(group, group)
    count, most = group[-1] + 1, int(np.bincount(group).max())
    last = np.searchsorted(group, np.arange(count), side="right") - 1
    seen = np.repeat(end[last][:, None], most, axis=1)
    seen[group, slot] = end
    begin = np.concatenate([[np.asarray(line.start)[0, 0]], end[last][:-1]])
    jumps = np.moveaxis(given[:, last] * doses[last][None, :, None], 0, 1)
    return Intervals(begin, end[last], seen, jumps, group, slot)


@dataclass(frozen=True)
class ByDiffrax(Solver):
    """A `Solver` whose states are found by diffrax."""

    tolerance: float | jax.Array = 1e-6
    scheme: diffrax.AbstractSolver = diffrax.Tsit5()  # noqa: RUF009
    most_steps: int = 1024

    def states(self, own: dict) -> tuple[jax.Array, Timeline]:
        """States at every record, (R, S, N)."""
        assert self.line is not None
        first, _ = self.started(own, self.line)
        cut = intervals(self.line)
        one = {name: jnp.broadcast_to(v, (1, first.shape[1]))[0] for name, v in own.items()}
        moved = jax.vmap(self._moved, in_axes=(0, None, None, None, 0))

        def advance(x: jax.Array, piece: tuple) -> tuple[jax.Array, jax.Array]:
            begin, end, seen, given = piece
            path = moved(x, begin, end, seen, one)  # (N, K, S)
            return path[:, -1] + given, path

        pieces = tuple(map(jnp.asarray, (cut.begin, cut.end, cut.seen, cut.given)))
        path = jax.lax.scan(advance, first.T, pieces)[1]  # (G, N, K, S)
        closing = np.append(cut.group[1:] != cut.group[:-1], np.any(cut.given[-1]))
        steps = path[cut.group, :, cut.slot] + closing[:, None, None] * cut.given[cut.group]
        found = jnp.moveaxis(steps, 1, 2)
        return jnp.take_along_axis(
            found, jnp.asarray(self.line.read).T[:, None, :], axis=0
        ), self.line

    def _moved(self, x: jax.Array, begin: jax.Array, end: jax.Array, seen: jax.Array, p: dict):
        states = self.model.states

        def slope(t: jax.Array, x: jax.Array, p: dict) -> jax.Array:
            found = self.model.rates(t, dict(zip(states, x, strict=True)), p, {})
            return jnp.stack([found[name] for name in states])

        def solved() -> jax.Array:
            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(slope), self.scheme, begin, end, None, x, p,
                saveat=diffrax.SaveAt(ts=seen), max_steps=self.most_steps, throw=False,
                stepsize_controller=diffrax.PIDController(
                    rtol=self.tolerance, atol=self.tolerance / 100
                ),
            )  # fmt: skip
            assert solution.ys is not None
            return solution.ys

        return jax.lax.cond(end > begin, solved, lambda: jnp.broadcast_to(x, (seen.size, x.size)))


def by_diffrax(solver: Solver, tolerance: float | jax.Array, scheme=None) -> ByDiffrax:
    """The same solver, its states found by diffrax."""
    chosen = scheme or diffrax.Tsit5()
    return ByDiffrax(
        solver.model, solver.design, solver.line, solver.cut, tolerance=tolerance, scheme=chosen
    )
