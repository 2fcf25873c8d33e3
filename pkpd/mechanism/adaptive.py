"""The reference solver for any model: adaptive steps between events (diffrax)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# Dopri8: order 8, explicit, cheapest at tight tolerances. Kvaerno5: order 5, implicit, for stiff
# models.
METHODS = {"dopri8": diffrax.Dopri8, "tsit5": diffrax.Tsit5, "kvaerno5": diffrax.Kvaerno5}


@partial(jax.jit, static_argnames=("rates", "states", "method", "max_steps"))
def solve_adaptive(
    initial: Float[Array, " states"],
    start: Float[Array, " steps"],
    end: Float[Array, " steps"],
    infusion: Float[Array, "steps states"],
    bolus: Float[Array, "steps states"],
    p: Mapping[str, Float[Array, " steps"]],
    *,
    rates: Callable,
    states: tuple[str, ...],
    method: str = "dopri8",
    rtol: float = 1e-9,
    atol: float = 1e-9,
    max_steps: int = 100_000,
) -> tuple[Float[Array, "steps states"], Bool[Array, " steps"]]:
    """The state after each step and its bolus, and whether the solver came through it.

    `start` and `end` are in the model's time; `p` holds each step's parameters. Steps of no
    length cost nothing. A failure is a flag in the result, never raised here.
    """

    def slope(t: Any, x: Any, args: Any) -> Array:
        flow, q = args
        named = rates(t, dict(zip(states, x, strict=True)), q, {})
        return flow + jnp.stack([jnp.asarray(named[name], float) for name in states])

    def moved(x: Array, begin: Array, finish: Array, args: tuple) -> tuple[Array, Array]:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(slope),
            METHODS[method](),
            begin,
            finish,
            None,
            x,
            args,
            saveat=diffrax.SaveAt(t1=True),
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
            max_steps=max_steps,
            throw=False,
        )
        assert solution.ys is not None  # one was asked for, at the end
        return solution.ys[0], solution.result == diffrax.RESULTS.successful

    def stay(x: Array, begin: Array, finish: Array, args: tuple) -> tuple[Array, Array]:
        return x, jnp.asarray(True)

    def advance(x: Array, step: tuple) -> tuple[Array, tuple[Array, Array]]:
        begin, finish, flow, add, q = step
        after, fine = jax.lax.cond(finish > begin, moved, stay, x, begin, finish, (flow, q))
        after = after + add
        return after, (after, fine)

    return jax.lax.scan(advance, initial, (start, end, infusion, bolus, p))[1]
