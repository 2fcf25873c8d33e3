"""Simulated trials agree with the moments that the likelihood scores trials by."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.arm_level import arms, blocks
from pkpd.prediction.posted import (
    RESERVE,
    courses,
    simulate_posted,
    simulated,
    simulated_likelihood,
)
from pkpd.prediction.statistics import mean_over, on_fitted_scale, with_discrepancy

REPLICATES, CHUNK = 400, 100


@pytest.fixture(scope="module")
def values(likelihood):
    flat = likelihood.space.unpack(likelihood.space.medians())
    found = {name: np.asarray(value) for name, value in flat.items()}
    return {n: np.array(0.4) if n.endswith("_between") else v for n, v in found.items()}


@pytest.fixture(scope="module")
def compared(likelihood, values):
    """By study: bias in SDs and ratio of variances, simulated to formula, where not rare."""
    found = courses(likelihood, {name: value[None] for name, value in values.items()})
    random = np.random.default_rng(3)
    sets = [
        simulated(likelihood, values, found, random, replicates=CHUNK, reserve=RESERVE)
        for _ in range(REPLICATES // CHUNK)
    ]
    natural = [np.concatenate([one[k] for one in sets]) for k in range(len(likelihood.studies))]
    studies = tuple(
        replace(s, share_seen=part.mean(axis=0).reshape(s.shape)[..., 0])
        for s, part in zip(likelihood.studies, natural, strict=True)
    )
    formula = _formula(likelihood, values, studies)
    return {s.study: _against(s, *formula[k], natural[k]) for k, s in enumerate(studies)}


def _formula(likelihood, values, studies):
    """Expected values and variances of each study on the fitted scale."""

    @jax.jit
    def found(values):
        paths = arms.paths(likelihood.disease, values, likelihood.lanes)
        scaled = [
            blocks.transformed(
                s, arms.moments(values, s, paths, likelihood.lanes), s.n, values["level_sd"]
            )
            for s in studies
        ]
        return [(expected, jnp.einsum("aff->af", covariance)) for expected, covariance in scaled]

    return [tuple(np.asarray(part) for part in parts) for parts in found(values)]


def _against(s, expected, variance, natural):
    found = on_fitted_scale(s, natural)
    count = natural.mean(axis=0) * s.n[:, None]
    rare = s.kinds()["count"] & (np.minimum(count, s.n[:, None] - count) < 3)
    use = s.posted & ~rare
    bias = (found.mean(axis=0) - expected) / np.sqrt(variance)
    columns = np.tile(s.columns, len(s.weeks))[None].repeat(len(s.arms), axis=0)
    return bias[use], (found.var(axis=0) / variance)[use], columns[use]


@pytest.mark.parametrize("study", ["KHK4083-006", "STREAM-AD-1", "STREAM-AD-2"])
def test_means_agree_with_the_likelihood(compared, study):
    bias, _, _ = compared[study]
    assert np.abs(bias).max() < 0.12 + 4 / np.sqrt(REPLICATES)


def test_variances_agree_with_the_likelihood(compared):
    ratio, columns = (np.concatenate([study[k] for study in compared.values()]) for k in (1, 2))
    for column in np.unique(columns):
        assert ratio[columns == column].mean() == pytest.approx(1.0, abs=0.1), column


def test_a_simulated_data_set_has_the_shape_of_the_posted_one(likelihood, values):
    made = simulate_posted(likelihood, values, np.random.default_rng(1))
    assert [part.shape for part in made] == [s.observed.shape for s in likelihood.studies]
    assert all(np.isfinite(part).all() for part in made)


def test_the_same_seed_simulates_the_same_data(likelihood, values):
    first, second = (
        simulated_likelihood(likelihood, values, np.random.default_rng(1)) for _ in range(2)
    )
    for one, other in zip(first.studies, second.studies, strict=True):
        assert (one.observed == other.observed).all()
        assert (one.share_seen > 0).all() and (one.share_seen <= 1).all()


def test_the_models_own_error_has_its_sd_and_leaves_concentrations_alone(likelihood):
    s = replace(likelihood.studies[-1], discrepancy=0.03)
    kinds, middle = s.kinds(), np.full((4000, *s.observed.shape), 0.6)
    off = with_discrepancy(s, middle, np.random.default_rng(1)) - middle
    assert (off[:, :, kinds["level"]] == 0).all()
    np.testing.assert_allclose(off[:, :, ~kinds["level"]].std(axis=0), 0.03, rtol=0.1)


def test_the_likelihood_adds_the_models_own_error_to_variances(likelihood):
    s = likelihood.studies[-1]
    arms, features = s.observed.shape
    made = blocks.Moments(
        jnp.full((arms, features), 0.6), jnp.tile(0.01 * jnp.eye(features), (arms, 1, 1))
    )
    without, own = (
        blocks.transformed(replace(s, discrepancy=sd), made, s.n, 0.1)[1] for sd in (0.0, 0.03)
    )
    wanted = np.diag(np.where(s.kinds()["level"], 0.0, 0.03**2))
    np.testing.assert_allclose(own - without, np.tile(wanted, (arms, 1, 1)), atol=1e-12)


@pytest.mark.slow
def test_simulated_data_have_a_finite_likelihood(likelihood, values):
    made = simulated_likelihood(likelihood, values, np.random.default_rng(1))
    assert np.isfinite(jax.jit(made.by_arm)(values)).all()


def test_a_mean_over_nobody_is_the_mean_over_the_arm_and_of_an_empty_arm_nan():
    value, ours = np.array([[1.0, 3.0]]), np.array([[True, True]])
    assert mean_over(value, ~ours, ours) == 2.0
    assert np.isnan(mean_over(value, ~ours, ~ours)).all()
