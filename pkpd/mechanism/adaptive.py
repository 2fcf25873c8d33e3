"""The reference solver for any model: adaptive steps between events (diffrax)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from pkpd.mechanism.timeline import Timeline

# Dopri8: order 8, explicit, cheapest at tight tolerances. Kvaerno5: order 5, implicit, for stiff
# models.
METHODS = {"dopri8": diffrax.Dopri8, "tsit5": diffrax.Tsit5, "kvaerno5": diffrax.Kvaerno5}


@dataclass(frozen=True)
class Equations:
    """The rates of named states, and how they are solved."""

    rates: Callable
    states: tuple[str, ...]
    method: str = "dopri8"
    rtol: float = 1e-9
    atol: float = 1e-9
    max_steps: int = 100_000

    def slope(self, t: Any, x: Array, p: Mapping) -> Float[Array, " states"]:
        """Rates of change in the order of `states`."""
        named = self.rates(t, dict(zip(self.states, x, strict=True)), p, {})
        return jnp.stack([jnp.asarray(named[name], float) for name in self.states])

    def timed(self, p: Mapping) -> bool:
        """Whether the rates look at time, tried at amounts of one."""
        x = jnp.ones(len(self.states))
        return bool(jnp.any(jax.jacfwd(lambda t: self.slope(t, x, p))(1.0) != 0))

    def moved(
        self, x: Array, begin: Array, finish: Array, flow: Array, p: Mapping
    ) -> tuple[Float[Array, " states"], Bool[Array, ""]]:
        """The state at `finish`, and whether the solver came through.

        A failure is a flag, never raised; no time costs nothing. Forward derivatives only.
        """

        def solved() -> tuple[Array, Array]:
            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(lambda t, y, q: flow + self.slope(t, y, q)),
                METHODS[self.method](),
                begin,
                finish,
                None,
                x,
                p,
                saveat=diffrax.SaveAt(t1=True),
                stepsize_controller=diffrax.PIDController(rtol=self.rtol, atol=self.atol),
                max_steps=self.max_steps,
                adjoint=diffrax.ForwardMode(),
                throw=False,
            )
            assert solution.ys is not None  # one was asked for, at the end
            return solution.ys[0], solution.result == diffrax.RESULTS.successful

        return jax.lax.cond(finish > begin, solved, lambda: (x, jnp.asarray(True)))


def solve_adaptive(
    equations: Equations,
    initial: Float[Array, " states"],
    line: Timeline,
    p: Mapping[str, Float[Array, " records"]],
) -> tuple[Float[Array, "steps states"], Bool[Array, " steps"]]:
    """The state after each step, and whether the solver came through it."""
    at_step = {name: value[line.governs] for name, value in p.items()}

    def advance(x: Array, step: tuple) -> tuple[Array, tuple[Array, Array]]:
        start, end, flow, keep, given, q = step
        after, fine = equations.moved(x, start, end, flow, q)
        after = keep * after + given
        return after, (after, fine)

    steps = (line.start - line.origin, line.end - line.origin, line.flow, line.keep, line.given)
    return jax.lax.scan(advance, initial, (*steps, at_step))[1]
