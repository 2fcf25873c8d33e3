"""Quick looks and the prior check of a joint fit."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from joint_folder_of import joint_folder
from scipy.optimize import minimize
from small_joint import quick_compile

from pkpd import prior_check, workflow
from pkpd.joint import coordinates as walked
from pkpd.prediction.predictive import COLUMNS
from pkpd.quick_population import joint_ground
from pkpd.variation.space import log_prior

EFFECTS = 5


def silent(stage, share):
    """Progress that says nothing."""


@pytest.fixture(scope="module")
def ground(small, arms_call):
    """About the prior medians; only the parts of a start that a look reads."""
    size = small.population.size
    walk = SimpleNamespace(centre=np.zeros(size), factor=np.eye(size))
    start = SimpleNamespace(likelihood=small, arms=SimpleNamespace(call=arms_call), walk=walk)
    return joint_ground(start)


@pytest.fixture(scope="module")
def places(small):
    """Two points of the bulk of the prior, in centred coordinates."""
    return 0.2 * np.random.default_rng(6).normal(size=(2, small.population.size))


def by_hand(small, flat, arms_call, individuals_call):
    """Log prior of the population, arms, and subjects by a Laplace approximation of our own.

    Modes of all effects at once by SciPy; the Hessian by differences of the gradient, whose blocks
    of a subject's own effects are its curvature.
    """
    size, count = small.population.size, small.individual.solver.design.count

    def negative(effects):
        value, slope = individuals_call(np.concatenate([flat, effects]))
        return 0.5 * effects @ effects - value, effects - slope[size:]

    found = minimize(negative, np.zeros(small.space.size - size), jac=True, method="BFGS",
                     options={"gtol": 1e-7})  # fmt: skip
    at, h = found.x, 1e-4
    rows = np.array([(negative(at + h * e)[1] - negative(at - h * e)[1]) / (2 * h)
                     for e in np.eye(at.size)])  # fmt: skip
    own = [np.arange(k, at.size, count) for k in range(count)]
    bent = sum(np.linalg.slogdet(rows[np.ix_(each, each)])[1] for each in own)
    values = small.population.unpack(jnp.asarray(flat))
    prior = sum(float(log_prior(v.prior, values[v.name]).sum()) for v in small.population.variables)
    arms, _ = arms_call(flat[: small.arms.space.size])
    return prior + arms - found.fun - bent / 2


@pytest.mark.slow
def test_the_density_is_prior_arms_and_subjects_integrated_with_the_jacobian(
    small, ground, places, arms_call, individuals_call
):
    """Up to a constant: the difference between two points."""
    volume = jax.jit(lambda c: jnp.linalg.slogdet(jax.jacfwd(ground.place)(c))[1])
    wanted = []
    for c in places:
        flat = np.asarray(walked.to_natural(small, jnp.asarray(c)))
        wanted.append(by_hand(small, flat, arms_call, individuals_call) + float(volume(c)))
    with quick_compile():
        density = jax.jit(ground.density)
        traced = [float(density(jnp.asarray(c))) for c in places]
        searched = [-ground.negative(c)[0] for c in places]
    assert abs(wanted[1] - wanted[0]) > 1
    assert traced[1] - traced[0] == pytest.approx(wanted[1] - wanted[0], abs=1e-3)
    assert searched[1] - searched[0] == pytest.approx(wanted[1] - wanted[0], abs=1e-3)


@pytest.mark.slow
def test_the_prior_check_tells_both_levels_from_the_same_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(prior_check, "DRAWS", 40)
    folder = joint_folder(tmp_path)
    found = workflow.prior_predictive(folder)
    arms, own = pd.read_csv(folder / "prior.csv"), pd.read_csv(folder / "prior-individuals.csv")
    assert list(arms.columns) == list(COLUMNS) and {"KHK4083-006", "STREAM-AD-2"} <= set(
        arms["study"]
    )
    assert set(own["output"]) == {"concentration", "easi"} and set(own["kind"]) == {"eti"}
    told = found.to_dict()
    assert told["observations"] == int(arms["fitted"].sum())
    assert told["individuals"]["observations"] == 6 * 4 * 2 + 2 * 4
    assert told["draws"] == told["individuals"]["draws"] == 40
    assert "posted numbers of arms" in str(found) and "prior-individuals.csv" in str(found)
    assert {path.name for path in folder.iterdir()} == {
        "fit.toml", "prior.csv", "prior-individuals.csv"
    }  # fmt: skip
