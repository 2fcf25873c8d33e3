"""From a likelihood and settings to draws: where chains start, and how they are run.

The start is the mode in standardised coordinates, found by L-BFGS from the prior medians. It is a
place to begin and never a result: standard deviations of random effects are biased there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from pkpd import pymc_bridge
from pkpd.likelihood.gradient import ValueAndGradient, compiled
from pkpd.likelihood.problem import Likelihood
from pkpd.variation import standard
from pkpd.variation.standard import Frame

Progress = Callable[[str, float], None]
SEARCH = (200, 80, 60)
"""Most evaluations of each round of the search for the mode."""

PROBE = 0.02
"""Step of the differences that give the Hessian, in standardised coordinates."""

SCALE = 1000.0
"""The search sees the density over this, which suits its first step."""


@dataclass(frozen=True)
class Drawn:
    """Draws (DataTree), the seconds each stage took, and where the covariances were held."""

    tree: Any
    seconds: dict[str, float]
    likelihood: Likelihood
    reference: np.ndarray


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


@dataclass(frozen=True)
class Start:
    """The likelihood with its covariances held at the mode, compiled, and the mode's frame."""

    likelihood: Likelihood
    call: ValueAndGradient
    around: Frame
    reference: np.ndarray


def find_start(likelihood: Likelihood, progress: Progress) -> Start:
    """Hold the covariances, find the mode, hold them there, and so on.

    Each round searches in the frame of the round before, where the density is nearly round.
    """
    space, size = likelihood.space, likelihood.space.size
    hold = likelihood.holder()
    reference = np.asarray(space.medians())
    held = replace(likelihood, frozen=hold(reference))
    progress("compiling the gradient", 0.0)
    make = compiled(held)
    progress("compiling the gradient", 1.0)
    around = Frame(np.zeros(size), np.eye(size))
    for number, most in enumerate(SEARCH):
        negative = _objective(held, make(held.frozen))
        mode = _mode(negative, around, most)
        around = standard.frame(mode, _hessian(negative, mode))
        progress("finding a start", (number + 1) / len(SEARCH))
        if number + 1 < len(SEARCH):
            reference = np.asarray(standard.to_natural(space, jnp.asarray(mode)))
            held = replace(held, frozen=hold(reference))
    return Start(held, make(held.frozen), around, reference)


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

    start = find_start(likelihood, progress)
    lap("find start")
    program = pymc_bridge.program(start.likelihood, start.call, start.around)
    lap("build model")
    tree = pymc_bridge.run_chains(program, chosen, lambda share: progress("sampling", share))
    lap("sample")
    return Drawn(tree, seconds, start.likelihood, start.reference)
