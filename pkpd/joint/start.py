"""Where sampling of a joint fit begins: the mode of arms and individuals together.

First the arms alone, as they begin without individuals (`search.find_mode`). From there the mode of

    log prior + log-likelihood of the arms, covariances held + sum_i log p(y_i | population)

(`joint.marginal`): a place to begin, never a result. Its Hessian, by differences of the gradient,
gives the frame of the population; subjects' effects stand at their conditional modes, scaled by
their curvature, and are centred as far as the data know them. A pilot run then says where the
posterior lies, as for arms alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from pkpd import search
from pkpd.checkpoint import Checkpoint
from pkpd.errors import FitError
from pkpd.individual import start as individual_start
from pkpd.individual.modes import effects_of
from pkpd.individual.problem import population_space
from pkpd.joint import coordinates as walked
from pkpd.joint.coordinates import JointCoordinates
from pkpd.joint.marginal import Marginal, Part, arms_part, individuals_part, marginal, of_longer
from pkpd.joint.problem import JointLikelihood
from pkpd.search import CURVATURES, PROBE, SCALE, Progress
from pkpd.variation import standard
from pkpd.variation.standard import Frame

SEARCH = (120, 60)
"""Most evaluations of each round of the search for the joint mode."""


BACK = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Shares of the way from the prior medians to the arms' mode where the search may begin."""


ADVICE = (
    "Check the priors of [individual.parameters] and of the disease model against the data, with "
    "`pkpd simulate`."
)


@dataclass(frozen=True)
class JointStart:
    """The likelihood with covariances held at `arms.reference`, and where a sampler walks.

    `arms` has the arms' compiled programs; `bend` the individuals' share of the Hessian of minus
    the log-density at the mode, in the population's centred coordinates; `shrinkage` by parameter
    the mean posterior variance of its effects over the prior's.
    """

    likelihood: JointLikelihood
    arms: search.Start
    walk: JointCoordinates
    bend: Float[np.ndarray, "P P"]
    shrinkage: dict[str, float]

    def call(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """The arms' log-likelihood and gradient at a flat natural vector of the joint space."""
        return of_longer(self.arms.call, self.likelihood.arms.space.size)(flat)


def find_start(
    likelihood: JointLikelihood, progress: Progress, kept: Checkpoint | None = None
) -> JointStart:
    """Where sampling begins; `kept` is what runs before have done for the arms' start."""
    return joint_start(likelihood, search.find_mode(likelihood.arms, progress, kept), progress)


def joint_start(likelihood: JointLikelihood, arms: search.Start, progress: Progress) -> JointStart:
    """From the arms' start: find the joint mode, hold the covariances there, find it again."""
    likelihood = replace(likelihood, arms=arms.likelihood)
    found = marginal(likelihood)
    individuals = individuals_part(found)
    around = _wider(arms.around, likelihood.population.size)
    bend = np.zeros_like(around.factor)
    for number, most in enumerate(SEARCH):
        own = arms_part(likelihood, arms.call)
        mode = _mode(own, individuals, around, most)
        bend = hessian(individuals, mode)
        around = standard.frame(mode, hessian(own, mode) + bend)
        progress("finding a joint start", (number + 1) / len(SEARCH))
        if number + 1 < len(SEARCH):
            arms = _held_at(arms, likelihood, mode)
            likelihood = replace(likelihood, arms=arms.likelihood)
    walk, shrinkage = _walk(likelihood, found, around)
    return JointStart(likelihood, arms, walk, bend, shrinkage)


def learn(start: JointStart, draws: Float[np.ndarray, "draws size"]) -> JointStart:
    """The start that a pilot's draws (flat, natural) teach: reference and frame at their mean.

    The arms' curvature is its mean over some of the draws, the individuals' that of the mode.
    """
    c, w = (np.asarray(part) for part in jax.vmap(start.walk.parted)(jnp.asarray(draws)))
    centre = c.mean(axis=0)
    arms = _held_at(start.arms, start.likelihood, centre)
    likelihood = replace(start.likelihood, arms=arms.likelihood)
    own = arms_part(likelihood, arms.call)
    chosen = c[np.linspace(0, len(c) - 1, CURVATURES).astype(int)]
    around = standard.frame(centre, np.mean([hessian(own, p) for p in chosen], axis=0) + start.bend)
    walk = replace(
        start.walk,
        likelihood=likelihood,
        centre=around.centre,
        factor=around.factor,
        middle=w.mean(axis=0),
    )
    return replace(start, likelihood=likelihood, arms=arms, walk=walk)


def hessian(part: Part, at: np.ndarray) -> Float[np.ndarray, "P P"]:
    """Minus the Hessian of a part of the log-density, by central differences of its gradient.

    Flat in a coordinate beside which the part is no number.
    """
    steps = PROBE * np.eye(at.size)
    found = np.array([(part(at - s)[1] - part(at + s)[1]) / (2 * PROBE) for s in steps])
    lost = ~np.isfinite(found).all(axis=1)
    found[lost], found[:, lost] = 0.0, 0.0
    return found


def _wider(around: Frame, size: int) -> Frame:
    """A frame of the first coordinates, the others as they are."""
    own = around.centre.size
    factor = np.eye(size)
    factor[:own, :own] = around.factor
    return Frame(np.concatenate([around.centre, np.zeros(size - own)]), factor)


def _held_at(arms: search.Start, likelihood: JointLikelihood, c: np.ndarray) -> search.Start:
    """The arms with their covariances held at the population's centred coordinates."""
    flat = np.asarray(walked.to_natural(likelihood, jnp.asarray(c)))
    reference = flat[: likelihood.arms.space.size]
    held = replace(arms.likelihood, frozen=arms.hold(reference))
    return replace(arms, likelihood=held, reference=reference)


def _mode(own: Part, individuals: Part, around: Frame, most: int) -> np.ndarray:
    """The best point of at most `most` evaluations of L-BFGS in a frame's coordinates."""
    met: list[tuple[float, np.ndarray]] = []

    def heard(u: np.ndarray) -> tuple[float, np.ndarray]:
        c = around.centre + around.factor @ u
        (value, slope), (more, tilt) = own(c), individuals(c)
        total, away = -(value + more) / SCALE, -around.factor.T @ (slope + tilt) / SCALE
        if not (np.isfinite(total) and np.isfinite(away).all()):
            return 1e6, np.zeros_like(u)
        met.append((total, c))
        return total, away

    minimize(
        heard,
        np.linalg.solve(around.factor, _begin(individuals, around.centre) - around.centre),
        jac=True,
        method="L-BFGS-B",
        options={"maxfun": most, "maxcor": 30, "ftol": 1e-9},
    )
    if not met:
        raise FitError("No point of the search for the joint mode has a density. " + ADVICE)
    return min(met, key=lambda pair: pair[0])[1]


def _begin(individuals: Part, centre: np.ndarray) -> np.ndarray:
    """The point nearest to `centre` on the way to the prior medians where individuals have a mode.

    What arms alone find best may be nowhere for single patients.
    """
    for share in BACK:
        value, slope = individuals(share * centre)
        if np.isfinite(value) and np.isfinite(slope).all():
            return share * centre
    raise FitError("The individuals' likelihood is no number at the prior medians. " + ADVICE)


def _walk(
    likelihood: JointLikelihood, found: Marginal, around: Frame
) -> tuple[JointCoordinates, dict[str, float]]:
    """The sampler's coordinates about a frame, and the shrinkage that chose their centring."""
    individual, names = likelihood.individual, effects_of(likelihood.individual).names
    at, variance = found.standing(around.centre)
    shrinkage = {n.removesuffix("_eta"): float(variance[k].mean()) for k, n in enumerate(names)}
    q = np.asarray(found.place(around.centre))
    alone = individual_start.coordinates(
        individual_start.Start(individual, q, np.eye(q.size), at, variance, shrinkage, np.nan)
    )
    own = population_space(individual).size
    bare = replace(alone, centre=np.zeros_like(alone.centre), scale=np.ones_like(alone.scale))
    return JointCoordinates(
        likelihood, bare, around.centre, around.factor, alone.centre[own:], alone.scale
    ), shrinkage
