"""Draws moved to where the posterior would lie without an arm.

Where an arm governs the posterior, weighing its draws by 1 / p(y_arm | draw) leans on a few. The
draws are moved first (moment matching: Paananen, Piironen, Buerkner & Vehtari 2021, Stat Comput
31:16), by the affine map that takes the normal posterior to the normal posterior without the arm,

    precision P = I + sum_b J_b' J_b,   without arm a: Q = P - J_a' J_a,   shift Q^-1 J_a' r_a,

r the whitened residuals at the draws' mean and J their slopes there, in coordinates whose prior is
about N(0, I). Weights are exact whatever the map: the posterior without the arm at the moved draw
over the density of moved draws; their mean is 1 / p(y_arm | other arms), since the density of moved
draws is normalised by the same constant as the posterior. The map only decides how even they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pkpd.diagnosis.leave_out import LeaveOut, leave_out, predictive_density, smoothed

STEP = 0.05
"""Step of the differences that give the slopes of residuals, in centred coordinates."""

LIMIT = 0.7
"""Pareto-k above which an arm's estimate is not left to its unmoved draws."""

MOVES = 3
"""Times an arm's draws are moved: by the map, then by what their weighted mean says."""

Score = Callable[
    [Float[np.ndarray, "draws size"]],
    tuple[Float[np.ndarray, " draws"], Float[np.ndarray, "draws arms"]],
]
Residuals = Callable[[Float[np.ndarray, " size"]], list[Float[np.ndarray, " features"]]]


@dataclass(frozen=True)
class Linear:
    """Whitened residuals of every arm at a centre, and their slopes."""

    centre: Float[np.ndarray, " size"]
    residual: list[Float[np.ndarray, " features"]]
    slope: list[Float[np.ndarray, "features size"]]


def linear(residuals: Residuals, centre: Float[np.ndarray, " size"]) -> Linear:
    """Residuals about `centre` by central differences."""
    steps = STEP * np.eye(centre.size)
    pairs = [(residuals(centre + step), residuals(centre - step)) for step in steps]
    arms = range(len(pairs[0][0]))
    slope = [np.array([(up[a] - down[a]) / (2 * STEP) for up, down in pairs]).T for a in arms]
    return Linear(centre, residuals(centre), slope)


def moved(
    draws: Float[np.ndarray, "draws size"], about: Linear, arm: int
) -> tuple[Float[np.ndarray, "draws size"], float]:
    """Draws moved for leaving out `arm`, and the log of the map's determinant."""
    own = about.slope[arm]
    whole = np.eye(about.centre.size) + sum(slope.T @ slope for slope in about.slope)
    rest = whole - own.T @ own
    root = _power(whole, 0.5)
    stretch = root @ _power(root @ rest @ root, -0.5) @ root
    shift = np.linalg.solve(rest, own.T @ about.residual[arm])
    places = about.centre + shift + (draws - about.centre) @ stretch
    return places, float(np.linalg.slogdet(stretch)[1])


def left_out(
    draws: Float[np.ndarray, "draws size"], score: Score, residuals: Residuals
) -> LeaveOut:
    """PSIS-LOO of each arm; where Pareto-k is high, from moved draws if that lowers it.

    `score` gives the log prior (centred coordinates) and every arm's log-likelihood of draws.
    """
    prior, likelihood = score(draws)
    density, found = prior + likelihood.sum(axis=1), leave_out(likelihood)
    poor = np.flatnonzero(found.pareto_k > LIMIT)
    about = linear(residuals, draws.mean(axis=0)) if poor.size else None

    def ratio(places: np.ndarray, arm: int) -> np.ndarray:
        prior, likelihood = score(places)
        return prior + likelihood.sum(axis=1) - likelihood[:, arm] - density

    for arm in map(int, poor):
        assert about is not None
        places, log_stretch = moved(draws, about, arm)
        for _ in range(MOVES):
            log_ratio = ratio(places, arm) + log_stretch
            value, k = predictive_density(log_ratio)
            if k < found.pareto_k[arm]:
                found.elpd[arm], found.pareto_k[arm] = value, k
            if found.pareto_k[arm] <= LIMIT:
                break
            places = places + _astray(places, log_ratio)
    return found


def _astray(
    places: Float[np.ndarray, "draws size"], log_ratio: Float[np.ndarray, " draws"]
) -> Float[np.ndarray, " size"]:
    """How far the weighted mean of draws lies from their mean."""
    log_weights, _ = smoothed(log_ratio)
    weights = np.exp(log_weights - log_weights.max())
    return weights @ places / weights.sum() - places.mean(axis=0)


def _power(matrix: Float[np.ndarray, "size size"], power: float) -> Float[np.ndarray, "size size"]:
    """A power of a positive definite matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * values**power) @ vectors.T
