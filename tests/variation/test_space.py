"""Free variables: which there are, their order, their priors."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

from pkpd.model import Parameter
from pkpd.variation import standard
from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal
from pkpd.variation.space import log_prior, space
from pkpd.variation.spread import Sd

COORDS = {"drug": ("a", "b"), "trial": ("one", "two", "three")}
PRIORS = {
    Normal(1.0, 2.0): stats.norm(1.0, 2.0),
    LogNormal(0.3, 0.7): stats.lognorm(0.7, scale=0.3),
    HalfNormal(0.4): stats.halfnorm(scale=0.4),
}
INSIDE = np.array([0.01, 0.2, 0.5, 0.93])


@pytest.fixture(scope="module")
def free():
    return space(
        [
            (Parameter("each", 1.0, "1", "", prior=LogNormal(2.0, 0.5), per="drug"), "trial"),
            (
                Parameter(
                    "one", 1.0, "1", "", prior=LogNormal(1.0, 1.0), per="drug", only=("a",)
                ),
                "trial",
            ),
            (
                Parameter(
                    "all", 0.5, "1", "", scale="logit", prior=LogitNormal(0.2, 1.0),
                    between=HalfNormal(1.0), between_trials=HalfNormal(0.3),
                ),
                "trial",
            ),
            (Parameter("shift", 0.0, "1", "", prior=Normal(-1.0, 2.0)), "trial"),
            (Parameter("known", 1.0, "1", "", between=Sd(0.2)), "trial"),
        ],
        COORDS,
    )  # fmt: skip


def test_a_parameter_gives_the_variables_it_asks_for(free):
    assert {v.name: (v.dim, v.size) for v in free.variables} == {
        "each": ("drug", 2),
        "one": (None, 1),
        "all": (None, 1),
        "all_between": (None, 1),
        "all_trial_sd": (None, 1),
        "all_trial": ("trial", 3),
        "shift": (None, 1),
    }
    assert free.size == 10


def test_unpack_undoes_pack(free):
    flat = np.random.default_rng(1).normal(size=free.size)
    values = free.unpack(flat)
    assert [np.shape(values[v.name]) for v in free.variables] == [
        (v.size,) if v.dim else () for v in free.variables
    ]
    np.testing.assert_array_equal(free.pack(values), flat)


def test_medians_are_the_priors(free):
    values = free.unpack(free.medians())
    assert float(values["all"]) == 0.2
    assert float(values["all_between"]) == pytest.approx(stats.halfnorm.median())
    assert values["each"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_log_prior_is_scipys(prior):
    np.testing.assert_allclose(log_prior(prior, INSIDE), PRIORS[prior].logpdf(INSIDE), rtol=1e-12)


def test_the_logit_normal_density_is_that_of_its_logit_times_the_jacobian():
    wanted = stats.norm(logit(0.2), 1.3).logpdf(logit(INSIDE)) - np.log(INSIDE * (1 - INSIDE))
    np.testing.assert_allclose(log_prior(LogitNormal(0.2, 1.3), INSIDE), wanted, rtol=1e-12)


def test_natural_undoes_standard(free):
    z = np.random.default_rng(2).normal(size=free.size)
    again = standard.to_standard(free, standard.to_natural(free, z))
    np.testing.assert_allclose(again, z, rtol=1e-10, atol=1e-12)


def test_the_standardised_prior_is_the_natural_one_with_its_jacobian(free):
    def natural(z):
        flat = standard.to_natural(free, z)
        values = free.unpack(flat)
        prior = sum(log_prior(v.prior, values[v.name]).sum() for v in free.variables)
        slopes = jax.grad(lambda z: standard.to_natural(free, z).sum())(z)
        return prior + np.log(np.abs(slopes)).sum()

    points = np.random.default_rng(3).normal(size=(4, free.size))
    apart = [natural(z) - standard.log_prior_standard(free, z) for z in points]
    np.testing.assert_allclose(apart, apart[0], rtol=1e-12)


def test_prior_draws_have_the_priors_quantiles(free):
    draws = standard.prior_draws(free, 4000, seed=1)
    assert draws["all_trial"].shape == (4000, 3) and draws["shift"].shape == (4000,)
    assert stats.kstest(draws["each"][:, 1], stats.lognorm(0.5, scale=2.0).cdf).pvalue > 0.01
    assert stats.kstest(draws["all_between"], stats.halfnorm.cdf).pvalue > 0.01
    assert stats.kstest(logit(draws["all"]), stats.norm(logit(0.2), 1.0).cdf).pvalue > 0.01


def test_a_frame_makes_a_normal_density_round():
    random = np.random.default_rng(4)
    root = random.normal(size=(4, 4))
    hessian = root @ root.T + np.eye(4)
    found = standard.frame(np.arange(4.0), hessian)
    np.testing.assert_allclose(found.factor.T @ hessian @ found.factor, np.eye(4), atol=1e-10)
