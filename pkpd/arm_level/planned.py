"""The likelihood on a planned mesh: the widest whose log-likelihood stands still when refined."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from pkpd.arm_level import arms
from pkpd.arm_level.problem import Likelihood, likelihood
from pkpd.data.arms import ArmData
from pkpd.model import Model
from pkpd.settings import Settings
from pkpd.variation.standard import prior_draws

WIDTHS = (7.0, 3.5, 1.75)
EXTREMES = 6
"""Prior draws beside the medians at which a mesh must hold."""


def planned(
    settings: Settings, data: ArmData, disease: Model, pk: Mapping[str, Model]
) -> tuple[Likelihood, float]:
    """The likelihood on the widest mesh within `sampler.tolerance`, and that mesh's error.

    The error is the largest difference of any dosing history's mean EASI ratio at a visit from a
    solve with eight times as many steps, at the prior medians or the median of a few prior draws.
    Means are what the likelihood sees; the posterior is proved against a tight solve afterwards.
    """
    found = None
    for width in WIDTHS:
        made = likelihood(settings, data, disease, pk, width)
        found = made, mesh_error(made)
        if found[1] <= settings.sampler.tolerance:
            break
    assert found is not None
    return found


def mesh_error(made: Likelihood) -> float:
    """Error of a mesh: at the medians, or the median over prior draws if that is larger."""
    tight = made.tight()
    space = made.space
    draws = prior_draws(space, EXTREMES, seed=0)
    points = [space.unpack(space.medians())]
    points += [{n: jnp.asarray(v[k]) for n, v in draws.items()} for k in range(EXTREMES)]
    visits = np.unique(np.concatenate([s.weeks for s in made.studies])) * 7.0

    def ratios(some: Likelihood) -> np.ndarray:
        days = np.searchsorted(some.lanes.mesh, visits - 1e-6)
        solve = jax.jit(
            lambda values: arms.paths(some.disease, values, some.lanes).ratio[days].mean(-1)
        )
        return np.array([np.asarray(solve(values)) for values in points])

    worst = np.nanmax(np.abs(ratios(made) - ratios(tight)), axis=(1, 2))
    return float(max(worst[0], np.median(worst)))
