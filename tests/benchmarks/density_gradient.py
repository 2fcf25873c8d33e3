"""One log-likelihood with its gradient, as the sampler calls it: covariances are held.

The rival is the same density with the disease model solved by diffrax: each lane with its own
adaptive steps at the tolerance that the forward solve was tuned to, concentrations interpolated
from our own nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from unittest.mock import patch

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from solving import FLOOR, MOST_STEPS
from timing import Row, alternating, row

from pkpd.arm_level.gradient import value_and_gradient
from pkpd.arm_level.problem import Likelihood
from pkpd.mechanism import exponential, mesh


def by_diffrax(tolerance: float):
    """A solver with the signature of `exponential.solve`, adaptive and vmapped over lanes."""

    def solve(turnover, initial: dict, days: np.ndarray, inputs: Mapping, p: Mapping) -> dict:
        names = tuple(initial)
        shape = initial[names[0]].shape
        lanes = {key: jnp.broadcast_to(jnp.asarray(v, float), shape) for key, v in p.items()}
        knots = jnp.asarray(mesh.nodes(days))

        def one(level: jax.Array, begin: jax.Array, own: dict) -> jax.Array:
            shown = diffrax.LinearInterpolation(knots, level)

            def slope(t: jax.Array, x: jax.Array, args: dict) -> jax.Array:
                state = dict(zip(names, jnp.maximum(x, FLOOR), strict=True))
                flows = turnover(t, state, args, {"concentration": shown.evaluate(t)})
                return jnp.stack([flows[n][0] - flows[n][1] * state[n] for n in names])

            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(slope), diffrax.Tsit5(), 0.0, float(days[-1]), 0.1, begin, own,
                saveat=diffrax.SaveAt(ts=jnp.asarray(days)),
                stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance / 100),
                adjoint=diffrax.RecursiveCheckpointAdjoint(), max_steps=MOST_STEPS, throw=False,
            )  # fmt: skip
            return solution.ys

        level = inputs["concentration"].reshape(len(knots), -1)
        begin = jnp.stack([initial[n].ravel() for n in names], axis=1)
        own = {key: value.ravel() for key, value in lanes.items()}
        path = jax.vmap(one, in_axes=(1, 0, 0), out_axes=1)(level, begin, own)
        return {n: path[:, :, k].reshape(-1, *shape) for k, n in enumerate(names)}

    return solve


def density_gradient(fit: Likelihood, repeats: int, tolerance: float) -> Row:
    """Ours, against the same density solved by diffrax, and both against a tight mesh."""
    flat = np.asarray(fit.space.medians())
    held = fit.held_at(flat)
    ours = value_and_gradient(held)
    with patch.object(exponential, "solve", by_diffrax(tolerance)):
        rival = jax.jit(jax.value_and_grad(held.log_likelihood)).lower(flat).compile()
    tight = float(jax.jit(held.tight().log_likelihood)(flat))
    lanes = fit.lanes
    off = abs(ours(flat)[0] - tight), abs(float(rival(flat)[0]) - tight)
    mine, other = alternating(lambda: ours(flat), lambda: rival(flat), repeats)
    return row(
        "log-density gradient", mine, other,
        f"the same by diffrax Tsit5, tolerance {tolerance:g}",
        f"log-likelihood against a tight mesh: ours {off[0]:.1e}, rival {off[1]:.1e}",
        f"{fit.space.size} parameters, {lanes.easi.size} lanes, {len(lanes.mesh) - 1} steps",
    )  # fmt: skip
