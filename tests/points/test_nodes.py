"""Points at nodes of a weakly known number, against a marginal posterior that is known."""

import drifting
import numpy as np
import pytest
from scipy.optimize import minimize

from pkpd.checkpoint import Checkpoint
from pkpd.individual.problem import population_space
from pkpd.points.clouds import alone
from pkpd.points.error import quadrature_error
from pkpd.points.gathering import gathered, remembered_points
from pkpd.points.heights import Heights
from pkpd.points.nodes import nodes
from pkpd.points.picked import with_effects
from pkpd.points.rounds import covariance, highest
from pkpd.points_sampling import draw
from pkpd.points_search import searched


def silent(*_):
    """Progress that says nothing."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Points of forty subjects, b at five nodes."""
    heights = Heights(drifting.likelihood())
    now = searched(heights.likelihood, Checkpoint(tmp_path_factory.mktemp("one"), "one"), silent)
    return heights, gathered(heights, now, 512, 1, silent)


@pytest.fixture(scope="module")
def grid():
    """The known posterior on a grid: coordinates (P, points) and masses."""
    sides = np.linspace(-1.5, 2.5, 161), np.linspace(-4, 3, 281)
    at = np.array(np.meshgrid(*sides, indexing="ij")).reshape(2, -1)
    heights = np.array([drifting.log_density(z) for z in at.T])
    mass = np.exp(heights - heights.max())
    return at, mass / mass.sum()


def test_names_stand_as_the_known_density_has_them(found):
    heights, points = found
    assert population_space(heights.likelihood).names == ("mu", "b")
    assert list(points.clouds.nodes.places) == [1]
    assert len(points.clouds.each) == 5


@pytest.mark.parametrize("away", [-2.9, -2.2, -1.0, -0.4, 0.6, 1.1, 2.4])
def test_the_density_is_the_known_one_out_to_three_sds(found, away):
    clouds, now = found[1].clouds, found[1].now
    z = now.centre + now.sd[1] * away * clouds.nodes.along[:, 0] + np.array([0.02, 0.0])
    expected = drifting.log_density(z) - drifting.log_density(now.centre)
    assert clouds.density(z)[0] - clouds.density(now.centre)[0] == pytest.approx(expected, abs=0.1)


def test_points_at_the_centre_alone_reach_nearly_as_far(found):
    """By drift, their own curvatures, and third and fourth order; slopes alone were off by 0.5."""
    clouds, now = found[1].clouds, found[1].now
    one = alone(clouds.each[0])
    for away in (-2.9, -1.5, 1.5, 2.4):
        z = now.centre + now.sd[1] * away * clouds.nodes.along[:, 0]
        expected = drifting.log_density(z) - drifting.log_density(now.centre)
        found_ = one.density(z)[0] - one.density(now.centre)[0]
        assert found_ == pytest.approx(expected, abs=0.15)


def test_its_gradient_is_that_of_differences(found):
    clouds, now = found[1].clouds, found[1].now
    z, steps = now.centre + np.array([0.03, -0.8]) * now.sd, 1e-2 * np.eye(2)
    two = [[clouds.density(z + k * s)[0] for k in (-2, -1, 1, 2)] for s in steps]
    slopes = np.array([(a - 8 * b + 8 * c - d) / 0.12 for a, b, c, d in two])
    assert clouds.density(z)[1] == pytest.approx(slopes, abs=0.05)


def test_its_mode_is_the_known_one(found):
    clouds, now = found[1].clouds, found[1].now
    mode = highest(clouds, now.centre, 7 * now.sd)
    best = minimize(lambda z: -drifting.log_density(z), now.centre, tol=1e-8).x
    spread = covariance(clouds, mode)
    told = quadrature_error(clouds, mode, spread)
    assert (told > 0).all() and (told < 0.1).all()
    assert np.abs((mode - best) / np.sqrt(np.diag(spread))).max() < max(4 * told.max(), 0.05)


def test_what_was_solved_is_remembered(found):
    heights, points = found
    again = remembered_points(heights, points.now, points.told(), 512, 1)
    z = points.now.centre + np.array([0.05, -0.5]) * points.now.sd
    assert again.clouds.density(z)[0] == points.clouds.density(z)[0]


def test_effects_of_the_nearest_node_make_up_for_what_was_walked(found):
    """Their log-likelihood less the node's own density is the solved one's, less that walked."""
    heights, points = found
    clouds, now = points.clouds, points.now
    z = now.centre + 1.5 * now.sd[1] * clouds.nodes.along[:, 0]
    effects, walked = with_effects(clouds, z[None], seed=4)
    near = clouds.nearest(z)
    assert near is not clouds.each[0]
    split = clouds.split
    values = {**split.values(z), **split.effects.values(effects[0])}
    solved = float(heights.likelihood.by_subject(values).sum())
    apart = clouds.log_likelihood(z)[0] - near.log_likelihood(z)[0]
    assert walked[0] - apart == pytest.approx(solved, abs=0.05)


@pytest.mark.slow
def test_draws_are_of_the_known_posterior(grid, tmp_path):
    drawn = draw(drifting.likelihood(), Checkpoint(tmp_path, "one"), silent)
    at, mass = grid
    told = drawn.tree["points"].attrs
    assert told["nodes"] == 5
    for name, row, middle, scale in (("mu", 0, 8.0, 4.0), ("b", 1, 1.0, 0.5)):
        draws = (drawn.tree["posterior"][name].values.ravel() - middle) / scale
        for level in (0.05, 0.5, 0.95):
            order = np.argsort(at[row])
            exact = at[row][order][np.searchsorted(np.cumsum(mass[order]), level)]
            assert (draws < exact).mean() == pytest.approx(level, abs=0.04)


def test_well_known_numbers_have_no_nodes():
    spread = np.diag([0.5, 0.1, 0.15]) ** 2
    placed = nodes(np.array([1, 2]), spread)
    assert placed.places.size == 0 and placed.away.shape == (1, 0)


def test_nodes_stand_on_the_axes_of_the_covariance():
    own = np.array([[0.16, 0.09], [0.09, 0.09]])
    placed = nodes(np.array([0, 1]), own)
    assert placed.away.shape == (13, 2)
    u = placed.away @ placed.turn.T
    assert np.abs(u).max() == pytest.approx(1)
    ends = placed.away[np.isclose(np.abs(u).max(axis=1), 1)]
    assert np.einsum("mi,ij,mj->m", ends, np.linalg.inv(own), ends) == pytest.approx(9.0)
    assert placed.along == pytest.approx(np.eye(2))
