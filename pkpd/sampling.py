"""From a likelihood and settings to draws: where chains start, and how they are run.

The start is the mode in standardised coordinates, found by L-BFGS from the prior medians. It is a
place to begin and never a result: standard deviations of random effects are biased there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from scipy.optimize import minimize

from pkpd import pymc_bridge
from pkpd.likelihood.gradient import ValueAndGradient, value_and_gradient
from pkpd.likelihood.problem import Likelihood
from pkpd.variation import standard
from pkpd.variation.standard import Frame

Progress = Callable[[str, float], None]
SEARCH = 200
"""Most evaluations spent on the start."""

POLISH = 60
"""Most evaluations of the second round."""

PROBE = 0.02
"""Step of the differences that give the Hessian, in standardised coordinates."""

SCALE = 1000.0
"""The search sees the density over this, which suits its first step."""


@dataclass(frozen=True)
class Drawn:
    """Draws (DataTree with posterior and sample_stats) and the seconds each stage took."""

    tree: Any
    seconds: dict[str, float]


def _objective(likelihood: Likelihood, call: ValueAndGradient) -> Callable:
    space = likelihood.space
    place = jax.jit(lambda z: standard.to_natural(space, z))
    pull = jax.jit(
        lambda z, slope: jax.vjp(lambda x: standard.to_natural(space, x), z)[1](slope)[0]
    )
    prior = jax.jit(jax.value_and_grad(lambda z: standard.log_prior_standard(space, z)))

    def negative(z: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = call(np.asarray(place(z)))
        before, tilt = prior(z)
        total = value + float(before)
        if not np.isfinite(total):
            return 1e6, np.zeros_like(z)
        return -total / SCALE, -np.asarray(pull(z, slope) + tilt) / SCALE

    return negative


def find_frame(likelihood: Likelihood, call: ValueAndGradient, progress: Progress) -> Frame:
    """The mode in standardised coordinates and the curvatures there.

    Two rounds: from the prior medians, then in the frame of the first round, where the search
    sees a nearly round density and gets to the mode itself.
    """
    negative = _objective(likelihood, call)
    size = likelihood.space.size
    seen = 0

    def counted(z: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal seen
        seen += 1
        progress("finding a start", min(1.0, seen / (SEARCH + POLISH + 4 * size)))
        return negative(z)

    around = Frame(np.zeros(size), np.eye(size))
    for most in (SEARCH, POLISH):
        mode = _mode(counted, around, most)
        around = standard.frame(mode, _hessian(counted, mode))
    progress("finding a start", 1.0)
    return around


def _mode(negative: Callable, around: Frame, most: int) -> np.ndarray:
    """The best point of at most `most` evaluations of L-BFGS in a frame's coordinates."""
    met: list[tuple[float, np.ndarray]] = []

    def heard(u: np.ndarray) -> tuple[float, np.ndarray]:
        z = around.centre + around.factor @ u
        value, slope = negative(z)
        met.append((value, z))
        return value, around.factor.T @ slope

    minimize(
        heard,
        np.zeros(around.centre.size),
        jac=True,
        method="L-BFGS-B",
        options={"maxfun": most, "maxcor": 30, "ftol": 1e-8},
    )
    return min(met, key=lambda pair: pair[0])[1]


def _hessian(negative: Callable, mode: np.ndarray) -> np.ndarray:
    """Central differences of the gradient, back on the scale of the log-density."""
    steps = PROBE * np.eye(mode.size)
    rows = [(negative(mode + step)[1] - negative(mode - step)[1]) / (2 * PROBE) for step in steps]
    return SCALE * np.array(rows)


def sample(likelihood: Likelihood, progress: Progress) -> Drawn:
    """Draws of the posterior by NUTS, as the settings ask."""
    chosen = likelihood.settings.sampler
    seconds, began = {}, time.perf_counter()

    def lap(stage: str) -> None:
        seconds[stage] = time.perf_counter() - began - sum(seconds.values())

    progress("compiling the gradient", 0.0)
    call = value_and_gradient(likelihood)
    progress("compiling the gradient", 1.0)
    lap("compile gradient")
    around = find_frame(likelihood, call, progress)
    lap("find start")
    program = pymc_bridge.program(likelihood, call, around)
    lap("build model")
    tree = pymc_bridge.run_chains(program, chosen, lambda share: progress("sampling", share))
    lap("sample")
    return Drawn(tree, seconds)
