"""PyMC's model is the likelihood's own density, and NUTS through nutpie samples it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

from pkpd import pymc_bridge
from pkpd.arm_level.problem import likelihood as build
from pkpd.fit_folder import open_fit
from pkpd.model import Parameter
from pkpd.sampling import sample
from pkpd.search import find_mode
from pkpd.settings import Sampler
from pkpd.variation import standard
from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal
from pkpd.variation.space import log_prior, space

ROOT = Path(__file__).parents[1]
SHARE = LogitNormal(0.3, 1.0)
FREE = [
    (Parameter("rate", 1.0, "1", "", prior=LogNormal(2.0, 0.5), per="drug"), "trial"),
    (Parameter("share", 0.3, "1", "", scale="logit", prior=SHARE), "trial"),
    (
        Parameter(
            "shift", 0.0, "1", "", prior=Normal(-1.0, 2.0), between=HalfNormal(0.4),
            between_trials=HalfNormal(0.3),
        ),
        "trial",
    ),
]  # fmt: skip
COORDS = {"drug": ("a", "b"), "trial": ("one", "two", "three")}
SEEN = {"rate": 1.5, "share": 0.6, "shift": 0.5}
NOISE = 0.4
CLOSE = Sampler(chains=2, tune=300, draws=1000, seed=3)


@pytest.fixture(scope="module")
def simple():
    """A likelihood with a known posterior: one normal observation of each typical value."""
    return SimpleNamespace(space=space(FREE, COORDS))


@pytest.fixture(scope="module")
def call(simple):
    def log_likelihood(flat):
        values = simple.space.unpack(flat)
        share = jnp.log(values["share"] / (1 - values["share"]))
        off = jnp.concatenate([
            jnp.log(values["rate"] / SEEN["rate"]),
            jnp.array([share - logit(SEEN["share"]), values["shift"] - SEEN["shift"]]),
        ])  # fmt: skip
        return -0.5 * (off**2).sum() / NOISE**2

    both = jax.jit(jax.value_and_grad(log_likelihood))

    def of(flat):
        value, slope = both(np.asarray(flat))
        return float(value), np.asarray(slope)

    return of


def unbounded_density(likelihood, z):
    """Log prior on PyMC's scales (log, logit, itself), from the natural one and its Jacobian."""
    flat = standard.to_natural(likelihood.space, z)
    values = likelihood.space.unpack(flat)
    total = 0.0
    for variable in likelihood.space.variables:
        x = np.asarray(values[variable.name])
        total += float(log_prior(variable.prior, x).sum())
        match variable.prior:
            case LogNormal() | HalfNormal():
                total += np.log(x).sum()
            case LogitNormal():
                total += np.log(x * (1 - x)).sum()
    return total


def unbounded(variable, x):
    match variable.prior:
        case LogNormal() | HalfNormal():
            return np.log(x)
        case LogitNormal():
            return logit(x)
        case _:
            return x


def at_random(likelihood, seed):
    """Standardised and natural flat vectors, and PyMC's values in the order of the space."""
    some = likelihood.space
    z = np.random.default_rng(seed).normal(size=some.size)
    flat = np.asarray(standard.to_natural(some, z))
    values = some.unpack(flat)
    return z, flat, [unbounded(v, np.asarray(values[v.name])) for v in some.variables]


@pytest.fixture(scope="module")
def real():
    """The likelihood of the fit, never compiled here."""
    problem = open_fit(ROOT / "fits/ox40_extension")
    patients = problem.settings.patients.model_copy(update={"count": 4})
    settings = problem.settings.model_copy(update={"patients": patients})
    return build(settings, problem.data, problem.disease, problem.pk, 7.0)


@pytest.mark.parametrize("which", ["simple", "real"])
def test_free_variables_have_the_names_and_dims_of_the_space(which, call, request):
    likelihood = request.getfixturevalue(which)
    model = pymc_bridge.pymc_model(likelihood.space, call)
    assert tuple(random.name for random in model.free_RVs) == likelihood.space.names
    dims = {v.name: (v.dim,) if v.dim else None for v in likelihood.space.variables}
    assert {name: model.named_vars_to_dims.get(name) for name in dims} == dims
    assert {name: tuple(labels) for name, labels in model.coords.items()} == dict(
        likelihood.space.coords
    )


@pytest.mark.parametrize("which", ["simple", "real"])
def test_pymcs_prior_is_ours_with_the_jacobian(which, call, request):
    likelihood = request.getfixturevalue(which)
    prior = pymc_bridge.prior_density(pymc_bridge.pymc_model(likelihood.space, call))
    for seed in range(3):
        z, _, values = at_random(likelihood, seed)
        found = float(prior(*values)[0])
        assert found == pytest.approx(unbounded_density(likelihood, z), rel=1e-9)


def test_pymcs_joint_density_is_the_prior_and_the_likelihood(simple, call):
    model = pymc_bridge.pymc_model(simple.space, call)
    joint = model.compile_logp(mode="FAST_COMPILE")
    slope = model.compile_dlogp(mode="FAST_COMPILE")
    names = [model.rvs_to_values[random].name for random in model.free_RVs]
    for seed in range(3):
        z, flat, values = at_random(simple, seed)
        point = dict(zip(names, values, strict=True))
        wanted = unbounded_density(simple, z) + call(flat)[0]
        assert float(joint(point)) == pytest.approx(wanted, rel=1e-9)
        step = 1e-6
        ends = [
            float(joint({**point, names[1]: point[names[1]] + sign * step})) for sign in (1, -1)
        ]
        at = simple.space.variables[0].size  # the place of the second variable
        assert slope(point)[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5)


@pytest.fixture(scope="module")
def drawn(simple, call):
    frame = standard.Frame(np.zeros(simple.space.size), np.eye(simple.space.size))
    shares = []
    made = pymc_bridge.program(simple, call, frame)
    return pymc_bridge.run_chains(made, CLOSE, shares.append), shares


def test_draws_have_the_dims_and_names_of_the_space(simple, drawn):
    posterior = drawn[0]["posterior"].dataset
    assert set(simple.space.names) <= set(posterior.data_vars)
    assert posterior["rate"].dims == ("chain", "draw", "drug")
    assert posterior["shift_trial"].shape == (2, 1000, 3)
    assert posterior["trial"].values.tolist() == list(COORDS["trial"])
    assert {"diverging", "energy", "depth"} <= set(drawn[0]["sample_stats"].dataset.data_vars)
    assert drawn[1] and drawn[1] == sorted(drawn[1]) and drawn[1][-1] <= 1.0


@pytest.mark.parametrize(
    ("name", "place", "centre", "sd"),
    [
        ("rate", np.log, np.log(2.0), 0.5),
        ("share", logit, logit(0.3), 1.0),
        ("shift", lambda x: x, -1.0, 2.0),
    ],
)
def test_the_posterior_of_a_conjugate_problem_is_the_exact_one(drawn, name, place, centre, sd):
    draws = place(drawn[0]["posterior"].dataset[name].values).ravel()
    seen = place(np.array(SEEN[name]))
    precision = 1 / sd**2 + 1 / NOISE**2
    mean = (centre / sd**2 + seen / NOISE**2) / precision
    assert draws.mean() == pytest.approx(mean, abs=0.15 / np.sqrt(precision))
    assert draws.std() * np.sqrt(precision) == pytest.approx(1.0, abs=0.1)


def test_what_is_not_observed_keeps_its_prior(drawn):
    draws = drawn[0]["posterior"].dataset["shift_between"].values.ravel()[::5]
    assert stats.kstest(draws, stats.halfnorm(scale=0.4).cdf).pvalue > 1e-3


def silent(stage, share):
    """Progress that says nothing."""


@pytest.mark.slow
def test_a_few_real_draws_are_finite_and_named(real):
    small = real.settings.sampler.model_copy(
        update={"chains": 2, "tune": 20, "draws": 20, "max_treedepth": 4}
    )
    settings = real.settings.model_copy(update={"sampler": small})
    problem = open_fit(ROOT / "fits/ox40_extension")
    likelihood = build(settings, problem.data, problem.disease, problem.pk, 7.0)
    found = sample(find_mode(likelihood, silent), silent)
    posterior = found.tree["posterior"].dataset
    assert found.reference.shape == (likelihood.space.size,)
    assert np.isfinite(found.reference).all() and found.likelihood.frozen is not None
    assert set(likelihood.space.names) <= set(posterior.data_vars)
    for variable in likelihood.space.variables:
        draws = posterior[variable.name].values
        assert draws.shape == ((2, 20, variable.size) if variable.dim else (2, 20))
        assert np.isfinite(draws).all()
