"""Power-scaling: what a weaker or stronger prior, or likelihood, would decide.

A posterior with its prior or its likelihood raised to a power is reached from its own draws by
importance weights p(theta)^(power - 1) or p(y | theta)^(power - 1), smoothed in their tail (PSIS).
Kallioinen, Paananen, Buerkner and Vehtari 2024, Statistics and Computing 34:57,
doi:10.1007/s11222-023-10366-5. As there, only priors of the top level are scaled: the standardised
effects of trials are part of the model. Their diagnostic, the gradient of the cumulative
Jensen-Shannon distance per doubling of the power, is ArviZ's `power_scale_sense`; above 0.05 a
quantity is called sensitive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from arviz_stats.base.array import array_stats
from jaxtyping import Array, Float

from pkpd.arm_level.by_draw import by_draw
from pkpd.arm_level.problem import Likelihood
from pkpd.diagnosis.leave_out import smoothed
from pkpd.prediction.simulated import Draws
from pkpd.variation.space import Space, Variable, log_prior

COMPONENTS = ("prior", "likelihood")
POWERS = (0.8, 1.25)
"""Powers that a decision is tried under: a fifth weaker, a quarter stronger."""
NEAR = (0.99, 1.01)
"""Powers that the diagnostic's gradient is taken between, as ArviZ has it."""
SENSITIVE, UNRELIABLE = 0.05, 0.7
"""Above these a quantity is sensitive (Kallioinen 2024), and weights unreliable (Pareto k)."""
_STATS = cast(Any, array_stats)  # ArviZ's methods are made at run time


@dataclass(frozen=True)
class Terms:
    """Log prior of the top level, and log-likelihood, by draw."""

    prior: Float[np.ndarray, " draws"]
    likelihood: Float[np.ndarray, " draws"]


@dataclass(frozen=True)
class Scaled:
    """Weights of the draws under `component` raised to `power`, and their Pareto k."""

    component: str
    power: float
    weight: Float[np.ndarray, " draws"]
    pareto_k: float

    @property
    def reliable(self) -> bool:
        """Whether the weights may be trusted."""
        return self.pareto_k <= UNRELIABLE


@dataclass(frozen=True)
class Scaling:
    """A posterior's draws under other powers: those a decision is tried under, and the near ones.

    `near` has the weights at the two powers of `NEAR`, by component.
    """

    tried: tuple[Scaled, ...]
    near: Mapping[str, tuple[np.ndarray, np.ndarray]]


def terms(
    likelihood: Likelihood, draws: Draws, by_arm: Float[np.ndarray, "draws arms"] | None = None
) -> Terms:
    """What power-scaling weighs draws by; `by_arm` their log-likelihoods, if known already."""
    chosen = top_level(likelihood.space)
    prior = jax.jit(jax.vmap(partial(prior_of, chosen)))({v.name: draws[v.name] for v in chosen})
    seen = by_draw(likelihood, draws) if by_arm is None else by_arm
    return Terms(np.asarray(prior), seen.sum(axis=1))


def top_level(space: Space) -> tuple[Variable, ...]:
    """The variables whose prior is a choice: all but the standardised effects of trials."""
    wide = {
        f"{v.name.removesuffix('_sd')}" for v in space.variables if v.name.endswith("_trial_sd")
    }
    return tuple(v for v in space.variables if v.name not in wide)


def prior_of(chosen: tuple[Variable, ...], values: Mapping[str, Array]) -> Array:
    """Log prior density of some variables."""
    parts = [log_prior(v.prior, jnp.asarray(values[v.name])).sum() for v in chosen]
    return sum(parts, jnp.zeros(()))


def scaling(found: Terms) -> Scaling:
    """The draws' weights under each component and power."""
    parts = {name: getattr(found, name) for name in COMPONENTS}
    tried = tuple(_tried(name, power, term) for name, term in parts.items() for power in POWERS)
    near = {name: (_near(term, NEAR[0]), _near(term, NEAR[1])) for name, term in parts.items()}
    return Scaling(tried, near)


def _tried(component: str, power: float, term: np.ndarray) -> Scaled:
    log_weight, k = smoothed((power - 1) * term)
    weight = np.exp(log_weight - log_weight.max())
    return Scaled(component, power, weight / weight.sum(), k)


def _near(term: np.ndarray, power: float) -> np.ndarray:
    weight = np.exp(np.asarray(_STATS.power_scale_lw(term, alpha=power)))
    return weight / weight.sum()


def sensitivity(values: Float[np.ndarray, " draws"], found: Scaling, component: str) -> float:
    """Kallioinen's diagnostic of one quantity for one component; NaN where it does not vary."""
    if not np.isfinite(values).all() or np.ptp(values) < 1e-12:
        return np.nan
    arrays = (part[None] for part in (values, *found.near[component]))  # ArviZ wants a chain
    return float(_STATS.power_scale_sense(*arrays, *NEAR))
