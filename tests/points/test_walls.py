"""How far from the mode the walls stand, and that the density falls beyond them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from pkpd.points.walls import INSIDE, REACHED, WHOLE, Walls

ROOT = np.array([[1.0, 0, 0, 0], [0.5, 2, 0, 0], [0, 0.3, 0.1, 0], [0.2, 0, 0, 3]])
SPREAD = ROOT @ ROOT.T
OTHERS, CARRIED = np.array([1, 2]), np.array([2])


@pytest.fixture(scope="module")
def walls():
    back = [np.linalg.inv(np.linalg.cholesky(s)) for s in (SPREAD, SPREAD[np.ix_(OTHERS, OTHERS)])]
    return Walls(*back, OTHERS, CARRIED, np.sqrt(np.diag(SPREAD))[CARRIED])


def _way(unit, length):
    """So far in SDs of the posterior along a direction of its standardised numbers."""
    return jnp.asarray(ROOT @ np.array(unit, float) * length)


def test_nothing_falls_where_the_posterior_is(walls):
    draws = ROOT @ np.random.default_rng(1).normal(size=(4, 20_000))
    inside = np.abs(draws[CARRIED[0]]) < REACHED * walls.sd[0]
    falls = np.asarray(jax.vmap(walls.fall)(jnp.asarray(draws.T)))
    assert np.array_equal(falls < 0, ~inside) and inside.mean() > 0.999


@pytest.mark.parametrize(
    ("unit", "end"),
    [
        ([0, 0, 0, 1], np.sqrt(chi2.isf(WHOLE, 4))),  # a number that does not stand in it
        ([0, 1, 0, 0], None),
        ([0, 0, 1, 0], None),
    ],
)
def test_walls_stand_where_so_little_is_left_out(walls, unit, end):
    if end is None:  # the nearest of the wall of `others` and that of the number carried
        away = np.asarray(_way(unit, 1.0))
        of_others = np.sqrt(chi2.isf(INSIDE, 2)) / np.linalg.norm(walls.inside @ away[OTHERS])
        of_carried = REACHED * walls.sd[0] / abs(away[2])
        end = min(of_others, of_carried, np.sqrt(chi2.isf(WHOLE, 4)))
    assert walls.fall(_way(unit, 0.999 * end)) == 0
    falls = [float(walls.fall(_way(unit, times * end))) for times in (1.01, 1.1, 1.5)]
    assert falls == sorted(falls, reverse=True) and falls[0] < 0 and falls[2] < -2


def test_a_wall_has_a_slope_that_leads_back(walls):
    away = _way([0, 1, 1, 1], 8.0)
    slope = np.asarray(jax.grad(walls.fall)(away))
    assert slope @ np.asarray(away) < 0 and np.isfinite(slope).all()
    assert np.array_equal(np.asarray(jax.grad(walls.fall)(0 * away)), np.zeros(4))


def test_steps_that_suit_the_posterior_are_stable_on_the_walls(walls):
    """Leapfrog is while the step is below two over the root of the curvature (Neal 2011)."""
    bend = -np.linalg.eigvalsh(ROOT.T @ jax.hessian(walls.fall)(_way([0, 1, 1, 1], 8.0)) @ ROOT)
    assert 2 / np.sqrt(1 + bend.max()) > 0.7


def test_a_density_of_no_numbers_in_the_likelihood_has_walls_too():
    empty, back = np.zeros((0, 0)), np.linalg.inv(np.linalg.cholesky(SPREAD))
    none = np.array([], int)
    walls = Walls(back, empty, none, none, np.zeros(0))
    assert walls.fall(_way([1, 0, 0, 0], 5.0)) == 0 and walls.fall(_way([1, 0, 0, 0], 12.0)) < -1
