"""Contract C7: another program computes the same log-density from the same formulas."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import written_out
from small_fit import quick_compile

POINTS = ("medians", "random")
FINER = 32
"""So many times as many steps: lags of absorption, which fall between nodes, stop mattering."""


@pytest.fixture(scope="module")
def named(small, points):
    return {
        point: {n: np.asarray(v) for n, v in small.space.unpack(flat).items()}
        for point, flat in points.items()
    }


@pytest.fixture(scope="module")
def moments(small, named):
    return {point: written_out.moments(small, values) for point, values in named.items()}


@pytest.fixture(scope="module")
def written(moments, named):
    return {
        point: written_out.by_arm(found, float(named[point]["level_sd"]))
        for point, found in moments.items()
    }


@pytest.fixture(scope="module")
def of_order_four(small, named):
    """Solved by the Runge-Kutta rule, which every model without turnover takes."""
    other = replace(small, disease=replace(small.disease, turnover=None)).tight(FINER)
    with quick_compile():
        return jax.jit(other.by_arm).lower(named["medians"]).compile()


@pytest.fixture(scope="module")
def held(small, points, named):
    """Solved by the model's own rule, with covariances held at the prior medians."""
    other = small.tight(FINER)
    with quick_compile():
        other = other.held_at(points["medians"])
        return jax.jit(other.by_arm).lower(named["medians"]).compile()


def terms(small, values, by_arm):
    """Log-density, and the size of what adds up to it."""
    prior = written_out.log_prior(small.space, values)
    return prior + by_arm.sum(), abs(prior) + np.abs(by_arm).sum()


@pytest.mark.parametrize("point", POINTS)
def test_solved_to_order_four_it_is_the_one_written_out_again(
    small, named, written, of_order_four, point
):
    wanted, size = terms(small, named[point], written[point])
    by_arm = np.asarray(of_order_four(named[point]))
    found = float(small.log_prior(named[point])) + by_arm.sum()
    assert abs(found - wanted) < 1e-6 * size
    np.testing.assert_allclose(by_arm, written[point], atol=1e-4)


@pytest.mark.parametrize("point", POINTS)
def test_with_covariances_held_it_is_so_to_four_digits(small, named, moments, held, point):
    level_sd = float(named["medians"]["level_sd"])
    by_arm = written_out.by_arm(moments[point], level_sd, moments["medians"])
    wanted, size = terms(small, named[point], by_arm)
    found = float(small.log_prior(named[point])) + np.asarray(held(named[point])).sum()
    assert abs(found - wanted) < 1e-4 * size


def test_the_log_density_is_the_prior_and_the_likelihood(small, named, written, monkeypatch):
    monkeypatch.setattr(type(small), "by_arm", lambda self, values: jnp.asarray(written["medians"]))
    values = named["medians"]
    found = small.log_density({name: value.tolist() for name, value in values.items()})
    assert isinstance(found, float)
    assert found == pytest.approx(terms(small, values, written["medians"])[0], abs=1e-4)


def test_a_missing_value_is_named(small, named):
    values = {name: value for name, value in named["medians"].items() if name != "ec50"}
    with pytest.raises(KeyError, match="ec50"):
        small.log_density(values)
