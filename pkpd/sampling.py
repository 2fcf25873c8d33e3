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
    """The mode in standardised coordinates (the best of `SEARCH` evaluations), and curvatures."""
    negative = _objective(likelihood, call)
    met: list[tuple[float, np.ndarray]] = []
    size = likelihood.space.size

    def heard(z: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = negative(z)
        met.append((value, z.copy()))
        progress("finding a start", min(1.0, len(met) / (SEARCH + 2 * size)))
        return value, slope

    minimize(
        heard,
        np.zeros(size),
        jac=True,
        method="L-BFGS-B",
        options={"maxfun": SEARCH, "maxcor": 30, "ftol": 1e-7},
    )
    mode = min(met, key=lambda pair: pair[0])[1]
    rows = [
        (heard(mode + step)[1] - heard(mode - step)[1]) / (2 * PROBE) * SCALE
        for step in PROBE * np.eye(size)
    ]
    progress("finding a start", 1.0)
    return standard.frame(mode, np.array(rows))


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
