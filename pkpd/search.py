"""Where sampling begins: the mode with covariances held there, then what a short run teaches.

The mode is a place to begin and never a result: standard deviations of random effects are biased
there. A pilot run says where the posterior lies; covariances are held at its mean, and the sampler
walks in the frame of the mean curvature over its draws, where the posterior is nearly round.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from pkpd.arm_level.frozen import Frozen, blank
from pkpd.arm_level.gradient import Held, ValueAndGradient, compiled
from pkpd.arm_level.problem import Likelihood
from pkpd.checkpoint import Checkpoint, evaluations
from pkpd.variation import centring, standard
from pkpd.variation.standard import Frame

Progress = Callable[[str, float], None]
Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
SEARCH = (200, 80, 60)
"""Most evaluations of each round of the search for the mode."""

PROBE = 0.02
"""Step of the differences that give the Hessian, in centred coordinates."""

SCALE = 1000.0
"""The search sees the density over this, which suits its first step."""

CURVATURES = 12
"""Draws of the pilot over which the curvature is averaged."""


@dataclass(frozen=True)
class Start:
    """The likelihood with covariances held at `reference` (flat, natural), compiled, and a frame.

    `hold` and `make` are compiled: covariances at another point, and the density with them.
    """

    likelihood: Likelihood
    hold: Callable[[np.ndarray], tuple[Frozen, ...]]
    make: Callable[[Held], ValueAndGradient]
    around: Frame
    reference: np.ndarray

    @property
    def call(self) -> ValueAndGradient:
        """Flat natural vector -> (log-likelihood, gradient)."""
        return self.make(self.likelihood.frozen)


def objective(likelihood: Likelihood, call: ValueAndGradient) -> Objective:
    """Minus the log-density of centred coordinates over SCALE, with its gradient."""
    space = likelihood.space
    place = jax.jit(lambda c: centring.to_natural(space, c))
    pull = jax.jit(
        lambda c, slope: jax.vjp(lambda x: centring.to_natural(space, x), c)[1](slope)[0]
    )
    prior = jax.jit(jax.value_and_grad(lambda c: centring.log_prior(space, c)))

    def negative(c: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = call(np.asarray(place(c)))
        before, tilt = prior(c)
        total = value + float(before)
        if not np.isfinite(total):
            return 1e6, np.zeros_like(c)
        return -total / SCALE, -np.asarray(pull(c, slope) + tilt) / SCALE

    return negative


def find_mode(likelihood: Likelihood, progress: Progress, kept: Checkpoint | None = None) -> Start:
    """Hold the covariances, find the mode, hold them there, and so on.

    Each round searches in the frame of the round before, where the density is nearly round.
    `kept` is what runs before have done.
    """
    space, size = likelihood.space, likelihood.space.size
    hold = likelihood.holder()
    reference = np.asarray(space.medians())
    progress("compiling the gradient", 0.0)
    shaped = replace(likelihood, frozen=tuple(blank(s) for s in likelihood.studies))
    with ThreadPoolExecutor(2) as pool:  # two compilations side by side
        making = pool.submit(compiled, shaped)
        held = replace(likelihood, frozen=hold(reference))
        make = making.result()
    progress("compiling the gradient", 1.0)
    around = Frame(np.zeros(size), np.eye(size))
    for number, most in enumerate(SEARCH):
        with evaluations(kept, f"start {number}") as known:
            negative = objective(held, make(held.frozen))
            negative = known.of(negative, size) if known else negative
            mode = _mode(negative, around, most)
            around = standard.frame(mode, _hessian(negative, mode))
        progress("finding a start", (number + 1) / len(SEARCH))
        if number + 1 < len(SEARCH):
            reference = np.asarray(centring.to_natural(space, jnp.asarray(mode)))
            held = replace(held, frozen=hold(reference))
    return Start(held, hold, make, around, reference)


def learn(start: Start, draws: Float[np.ndarray, "draws size"]) -> Start:
    """The start that a pilot's draws (flat, natural) teach: reference and frame at their mean."""
    space = start.likelihood.space
    points = np.asarray(jax.vmap(lambda x: centring.from_natural(space, x))(jnp.asarray(draws)))
    centre = points.mean(axis=0)
    reference = np.asarray(centring.to_natural(space, jnp.asarray(centre)))
    held = replace(start.likelihood, frozen=start.hold(reference))
    negative = objective(held, start.make(held.frozen))
    chosen = points[np.linspace(0, len(points) - 1, CURVATURES).astype(int)]
    with ThreadPoolExecutor(2) as pool:
        curvatures = list(pool.map(lambda point: _hessian(negative, point), chosen))
    around = standard.frame(centre, np.mean(curvatures, axis=0))
    return replace(start, likelihood=held, around=around, reference=reference)


def _mode(negative: Objective, around: Frame, most: int) -> np.ndarray:
    """The best point of at most `most` evaluations of L-BFGS in a frame's coordinates."""
    met: list[tuple[float, np.ndarray]] = []

    def heard(u: np.ndarray) -> tuple[float, np.ndarray]:
        c = around.centre + around.factor @ u
        value, slope = negative(c)
        met.append((value, c))
        return value, around.factor.T @ slope

    minimize(
        heard,
        np.zeros(around.centre.size),
        jac=True,
        method="L-BFGS-B",
        options={"maxfun": most, "maxcor": 30, "ftol": 1e-8},
    )
    return min(met, key=lambda pair: pair[0])[1]


def _hessian(negative: Objective, at: np.ndarray) -> np.ndarray:
    """Central differences of the gradient, back on the scale of the log-density."""
    steps = PROBE * np.eye(at.size)
    rows = [(negative(at + step)[1] - negative(at - step)[1]) / (2 * PROBE) for step in steps]
    return SCALE * np.array(rows)
