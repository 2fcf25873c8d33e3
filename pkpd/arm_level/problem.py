"""Likelihood: a model, a data set and settings met in one log-density with names and shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level import arms, collect
from pkpd.arm_level import runs as histories
from pkpd.arm_level.frozen import Frozen
from pkpd.arm_level.summaries import Summaries
from pkpd.arm_level.trajectories import Lanes
from pkpd.data.arms import ArmData
from pkpd.mechanism import mesh as meshes
from pkpd.model import Model
from pkpd.settings import Settings
from pkpd.variation.observation import EXPOSURE, OBSERVATION
from pkpd.variation.space import Space, log_prior, space


@dataclass(frozen=True)
class Likelihood:
    """Everything fixed about a fit; free variables come in, log-densities go out.

    `log_density(values)` takes natural-scale values by variable name (`space.names`): population
    values, standard deviations, standardised trial effects.
    """

    settings: Settings
    data: ArmData
    disease: Model
    pk: Mapping[str, Model]
    runs: tuple[histories.Run, ...]
    space: Space
    lanes: Lanes
    studies: tuple[Summaries, ...]
    frozen: tuple[Frozen, ...] | None = None

    def held_at(self, flat: Float[Array | np.ndarray, " size"]) -> Likelihood:
        """The same likelihood with every arm's covariance held at a flat natural-scale vector."""
        return replace(self, frozen=self.holder()(flat))

    def holder(self) -> Callable[[Float[Array | np.ndarray, " size"]], tuple[Frozen, ...]]:
        """Compiled: a flat natural-scale vector -> covariances held there."""
        hold = arms.holder(self.disease, self.lanes, self.studies)
        return lambda flat: hold(self.space.unpack(jnp.asarray(flat)))

    def by_arm(self, values: Mapping[str, Array]) -> Float[Array, " arms"]:
        """Log-likelihood of each arm, named by `arm_names`."""
        return arms.log_likelihood(self.disease, values, self.lanes, self.studies, self.frozen)

    def residuals(self, values: Mapping[str, Array]) -> list[Float[Array, " features"]]:
        """Whitened residuals of each arm, covariances held; -|r|^2 / 2 is its log-likelihood."""
        if self.frozen is None:
            raise ValueError("residuals need covariances held somewhere: see held_at")
        return arms.residuals(self.disease, values, self.lanes, self.studies, self.frozen)

    def log_likelihood(self, flat: Float[Array, " size"]) -> Float[Array, ""]:
        """Log-likelihood at a flat vector of the space."""
        return self.by_arm(self.space.unpack(flat)).sum()

    def log_prior(self, values: Mapping[str, Array]) -> Float[Array, ""]:
        """Log prior density on the natural scale, normalised."""
        parts = [log_prior(v.prior, jnp.asarray(values[v.name])) for v in self.space.variables]
        return sum((part.sum() for part in parts), jnp.zeros(()))

    def log_density(self, values: Mapping[str, Array]) -> float:
        """Log prior plus log-likelihood (contract C7); the first call compiles."""
        return float(self._density({n: jnp.asarray(values[n], float) for n in self.space.names}))

    @cached_property
    def _density(self) -> Callable[[Mapping[str, Array]], Array]:
        return jax.jit(lambda values: self.log_prior(values) + self.by_arm(values).sum())

    @property
    def arm_names(self) -> np.ndarray:
        """`study: arm`, in the order of `by_arm`."""
        return arms.arm_names(self.studies)

    def on_mesh(self, days: np.ndarray) -> Likelihood:
        """The same likelihood solved over another mesh."""
        _hold_visits(visit_weeks(self.settings, self.data), days)
        lanes = histories.lanes(self.settings, self.data, self.disease, self.pk, self.runs, days)
        place = histories.find_runs(self.data)[1]
        studies = collect.gather(
            self.data, self.settings.endpoints, place, days, self.pk, self.settings.discrepancy
        )
        return replace(self, lanes=lanes, studies=studies)

    def tight(self, parts: int = 8) -> Likelihood:
        """The same likelihood on a mesh `parts` times finer: the reference solve."""
        return self.on_mesh(meshes.refined(self.lanes.mesh, parts))


def _hold_visits(weeks: np.ndarray, days: np.ndarray) -> None:
    assert np.isin(np.round(weeks * 7, 6), np.round(days, 6)).all()


def visit_weeks(settings: Settings, data: ArmData) -> np.ndarray:
    """Weeks of fitted rows, sorted."""
    return np.unique(collect.fitted_rows(data, settings.endpoints).week)


def likelihood(
    settings: Settings,
    data: ArmData,
    disease: Model,
    pk: Mapping[str, Model],
    mesh: float | np.ndarray,
) -> Likelihood:
    """The likelihood on a mesh: its days, or the widest step that one may have."""
    runs, place = histories.find_runs(data)
    days = mesh
    if not isinstance(days, np.ndarray):
        days = histories.plan_days(runs, visit_weeks(settings, data), days)
    _hold_visits(visit_weeks(settings, data), days)
    trials = tuple(dict.fromkeys(run.study for run in runs))
    coords = {
        "drug": tuple(settings.drugs),
        "trial": trials,
        "phase": tuple(rule.phase for rule in settings.dropout),
    }
    free = [(parameter, "trial") for parameter in (*disease.parameters, *EXPOSURE)]
    free += [(p, "phase" if p.name == "dropout" else "trial") for p in OBSERVATION]
    return Likelihood(
        settings=settings,
        data=data,
        disease=disease,
        pk=pk,
        runs=runs,
        space=space(free, coords),
        lanes=histories.lanes(settings, data, disease, pk, runs, days),
        studies=collect.gather(data, settings.endpoints, place, days, pk, settings.discrepancy),
    )
