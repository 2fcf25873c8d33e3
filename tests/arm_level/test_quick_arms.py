"""Quick looks at arms: exact where closed forms are, and the mode and curvature of a real fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import norm
from small_fit import quick_compile

from pkpd import quick_population, search
from pkpd.errors import FitError
from pkpd.model import Parameter
from pkpd.quick_mode import COLUMNS
from pkpd.quick_population import arms_ground, look, mode_of, quantiles
from pkpd.settings import Predictions, Settings
from pkpd.variation import centring
from pkpd.variation.prior import LogNormal
from pkpd.variation.space import Space, space
from pkpd.variation.standard import Frame

LEVEL = 0.9
SHARES = [0.05, 0.5, 0.95]
TRIAL_SD, TRIAL_SPREAD = 0.2, 0.4
FREE = space(
    [
        (Parameter("ks", 1.0, "1/day", "", prior=LogNormal(1.0, 0.5), per="drug"), "trial"),
        (Parameter("km", 1.0, "1", "", prior=LogNormal(2.0, 0.5),
                   between_trials=LogNormal(TRIAL_SD, TRIAL_SPREAD)), "trial"),
    ],
    {"drug": ("a", "b"), "trial": ("one", "two")},
)  # fmt: skip
TIGHT, SEEN = np.array([30.0, 4.0, 10.0]), np.array([0.3, -0.2, 0.9])
PRIOR = np.log([1.0, 1.0, 2.0])


def silent(stage, share):
    """Progress that says nothing."""


@dataclass(frozen=True)
class Problem:
    """Logs of ks and km seen with known errors; nothing is seen of trials."""

    space: Space = FREE
    frozen: Any = None

    def log_likelihood(self, flat):
        values = FREE.unpack(flat)
        logs = jnp.append(jnp.log(values["ks"]), jnp.log(values["km"]))
        return -0.5 * (TIGHT * (logs - SEEN) ** 2).sum()


def settings():
    asked = Predictions(level=LEVEL, seed=3)
    return Settings(name="n", title="t", model="m", data="d", drugs={}, endpoints=(), dropout=(),
                    predictions=asked)  # fmt: skip


@pytest.fixture(scope="module")
def known():
    """The ground of that problem, about a place that is not its mode."""
    both = jax.jit(jax.value_and_grad(Problem().log_likelihood))

    def call(flat):
        value, slope = both(jnp.asarray(flat))
        return float(value), np.asarray(slope)

    around = Frame(np.full(FREE.size, 0.4), np.eye(FREE.size))
    return arms_ground(
        search.Start(Problem(), lambda at: (), lambda held: call, around, np.ones(FREE.size))
    )


@pytest.fixture(scope="module")
def laplace(known):
    return look(known, "laplace", settings(), silent)


def rows(table):
    return table.set_index("parameter")


def test_numbers_whose_posterior_is_log_normal_have_its_quantiles(laplace):
    table = rows(laplace[0])
    precision = TIGHT + 1 / 0.25
    mean, sd = (TIGHT * SEEN + PRIOR / 0.25) / precision, precision**-0.5
    for k, name in enumerate(("ks[a]", "ks[b]", "km")):
        wanted = np.exp(mean[k] + sd[k] * ndtri(SHARES))
        found = table.loc[name, ["lower", "estimate", "upper"]].to_numpy(float)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, err_msg=name)
    assert table.loc["ks[b]", "unit"] == "1/day"


def test_an_sd_between_trials_is_lower_at_the_mode_than_its_prior_as_is_said(laplace):
    """Nothing is seen of it: the posterior is the prior, its median `TRIAL_SD`.

    With two effects about 0, log p = -z^2 / 2 - 2 log(s / TRIAL_SD), s = TRIAL_SD exp(SPREAD z).
    """
    table, told = laplace
    at = -2 * TRIAL_SPREAD
    wanted = TRIAL_SD * np.exp(TRIAL_SPREAD * (at + ndtri(SHARES)))
    found = rows(table).loc["km_trial_sd", ["lower", "estimate", "upper"]].to_numpy(float)
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert "SDs between trials" in told and "biased, mostly low" in told


def test_a_trials_effect_in_units_of_its_sd_has_the_quantiles_of_their_ratio(known):
    """e = w / (s / TRIAL_SD), w and log s independent normals about the mode."""
    found = quantiles(known, mode_of(known), SHARES, 3)
    z = -2 * TRIAL_SPREAD + ndtri((np.arange(4000) + 0.5) / 4000)
    wide = np.exp(-2 * TRIAL_SPREAD**2)  # the SD of w: s / TRIAL_SD at the mode

    def below(e, share):
        return norm.cdf(e * np.exp(TRIAL_SPREAD * z) / wide).mean() - share

    wanted = [brentq(below, -9, 9, args=(share,)) for share in SHARES]
    for column in found[:, FREE.places["km_trial"]].T:
        np.testing.assert_allclose(column, wanted, atol=0.06)  # 4 errors of 20,000 draws


def test_the_mode_alone_has_no_interval(known, laplace):
    table, told = look(known, "map", settings(), silent)
    assert tuple(table.columns) == COLUMNS == tuple(laplace[0].columns)
    assert set(table["kind"]) == {"mode"} and table[["lower", "upper", "level"]].isna().all().all()
    mean = (TIGHT * SEEN + PRIOR / 0.25) / (TIGHT + 1 / 0.25)
    np.testing.assert_allclose(np.log(table["estimate"][:3]), mean, atol=1e-4)
    assert "no interval" in told


def test_pathfinder_finds_what_is_log_normal(known):
    pytest.importorskip("blackjax")
    table, told = look(known, "pathfinder", settings(), silent)
    precision = TIGHT + 1 / 0.25
    mean, sd = (TIGHT * SEEN + PRIOR / 0.25) / precision, precision**-0.5
    found = np.log(table[["lower", "estimate", "upper"]].to_numpy(float)[:3])
    wanted = mean[:, None] + sd[:, None] * ndtri(SHARES)
    np.testing.assert_allclose(found, wanted, atol=0.25 * sd.max())
    assert "Pareto k" in told and "seed 1" in told


def test_a_density_that_rises_without_end_is_refused(known):
    rising = quick_population.Ground(
        FREE, lambda c: (-c.sum(), -np.ones_like(c)), known.density, known.place, known.around, ""
    )
    with pytest.raises(FitError, match="No mode of the posterior was found"):
        mode_of(rising)


@pytest.fixture(scope="module")
def start(small):
    with quick_compile():
        return search.find_mode(small, silent)


@pytest.mark.slow
def test_slope_and_curvature_of_a_real_fit_are_those_of_its_density(start):
    """Held against differences of values on the natural scale, times the Jacobian that JAX has.

    Five directions in which the Gaussian has one SD; the curvature there should be 1.
    """
    likelihood = start.likelihood
    mode = mode_of(arms_ground(start))
    place = jax.jit(lambda c: centring.to_natural(likelihood.space, c))
    volume = jax.jit(lambda c: jnp.linalg.slogdet(jax.jacfwd(place)(c))[1])
    with quick_compile():
        by_arm = jax.jit(likelihood.by_arm)
        by_arm(likelihood.space.unpack(place(mode.at)))

    def density(c):
        values = likelihood.space.unpack(place(c))
        return float(likelihood.log_prior(values) + by_arm(values).sum() + volume(c))

    random, here, h = np.random.default_rng(5), density(mode.at), 0.05
    for _ in range(5):
        u = random.normal(size=mode.at.size)
        v = np.linalg.cholesky(mode.covariance) @ (u / np.linalg.norm(u))
        up, down = density(mode.at + h * v), density(mode.at - h * v)
        assert abs(up - down) / (2 * h) < 0.01
        assert -(up - 2 * here + down) / h**2 == pytest.approx(1.0, rel=0.03)
