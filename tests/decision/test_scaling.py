"""Power-scaling: a conjugate model whose scaled posteriors are known, and ArviZ's own figure."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest
import xarray as xr
from arviz_stats import psense

from pkpd.decision.scaling import POWERS, Terms, scaling, sensitivity, top_level
from pkpd.variation.prior import Normal
from pkpd.variation.space import Space, Variable

PRIOR_MEAN, PRIOR_SD, SEEN, SEEN_SD = 0.0, 1.0, 2.0, 0.5


def posterior(prior=1.0, likelihood=1.0):
    """Mean and SD where prior and likelihood are raised to these powers."""
    precision = prior / PRIOR_SD**2 + likelihood / SEEN_SD**2
    return likelihood * SEEN / SEEN_SD**2 / precision, precision**-0.5


@pytest.fixture(scope="module")
def draws():
    mean, sd = posterior()
    return mean + sd * np.random.default_rng(3).standard_normal(4000)


@pytest.fixture(scope="module")
def terms(draws):
    return Terms(
        -0.5 * ((draws - PRIOR_MEAN) / PRIOR_SD) ** 2, -0.5 * ((draws - SEEN) / SEEN_SD) ** 2
    )


def test_weights_reach_the_scaled_posterior(draws, terms):
    tried = scaling(terms).tried
    assert {(each.component, each.power) for each in tried} == {
        (name, power) for name in ("prior", "likelihood") for power in POWERS
    }
    for each in tried:
        mean, sd = posterior(**{each.component: each.power})
        found = each.weight @ draws
        spread = np.sqrt(each.weight @ (draws - found) ** 2)
        error = sd * np.sqrt((each.weight**2).sum())
        assert found == pytest.approx(mean, abs=4 * error)
        assert spread == pytest.approx(sd, rel=0.06)
        assert each.reliable


def test_sensitivity_is_arvizs_own(draws, terms):
    dims = ("chain", "draw")
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"x": (dims, draws[None])}),
            "log_prior": xr.Dataset({"x": (dims, terms.prior[None])}),
            "log_likelihood": xr.Dataset({"y": ((*dims, "n"), terms.likelihood[None, :, None])}),
        }
    )
    found = scaling(terms)
    for component in ("prior", "likelihood"):
        theirs = float(psense(tree, group=component)["x"])
        assert sensitivity(draws, found, component) == pytest.approx(theirs, rel=1e-9)
        assert theirs > 0.05  # this prior and these data do speak
    assert az.__version__


def test_what_does_not_vary_is_not_sensitive(terms):
    assert np.isnan(sensitivity(np.zeros(4000), scaling(terms), "prior"))


def test_a_quantity_apart_from_the_draws_is_not_sensitive(terms):
    noise = np.random.default_rng(4).standard_normal(4000)
    assert sensitivity(noise, scaling(terms), "prior") < 0.05


def test_effects_of_trials_are_part_of_the_model():
    def variable(name, dim=None):
        return Variable(name, Normal(0.0, 1.0), dim, 2 if dim else 1, "", "1")

    space = Space(
        (variable("ks"), variable("ks_between"), variable("ks_trial_sd"),
         variable("ks_trial", "trial"), variable("ec50", "drug")),
        {"trial": ("a", "b"), "drug": ("c", "d")},
    )  # fmt: skip
    names = [each.name for each in top_level(space)]
    assert names == ["ks", "ks_between", "ks_trial_sd", "ec50"]
