"""Points along a weakly known number of the equations, where the marginal posterior is known."""

from dataclasses import replace

import drifting
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize

from pkpd.checkpoint import Checkpoint
from pkpd.points.error import quadrature_error
from pkpd.points.gathering import gathered, remembered_points
from pkpd.points.heights import Heights
from pkpd.points.rounds import covariance, highest
from pkpd.points.scored import Asked, Scored, one_set
from pkpd.points.solving import Counts, solved
from pkpd.points_sampling import draw
from pkpd.points_search import searched


def silent(*_):
    """Progress that says nothing."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Points of forty subjects."""
    heights = Heights(drifting.likelihood())
    now = searched(heights.likelihood, Checkpoint(tmp_path_factory.mktemp("one"), "one"), silent)
    return heights, gathered(heights, now, 512, 1, silent)


@pytest.fixture(scope="module")
def quantile():
    """The known posterior's distribution functions turned round, (row, level) -> z; by a grid."""
    sides = np.linspace(-1.5, 2.5, 321), np.linspace(-4, 3, 281)
    at = np.array(np.meshgrid(*sides, indexing="ij")).reshape(2, -1)
    heights = np.array([drifting.log_density(z) for z in at.T]).reshape(321, 281)
    mass = np.exp(heights - heights.max())

    def found(row, level):
        own = mass.sum(axis=1 - row) / mass.sum()
        return np.interp(level, np.cumsum(own) - own / 2, sides[row])

    return found


def along(now):
    """How both numbers go with b along the ridge."""
    return now.spread[:, 1] / now.spread[1, 1]


@pytest.mark.parametrize("away", [-2.9, -2.2, -1.0, -0.4, 0.6, 1.1, 2.4])
def test_the_density_is_the_known_one_out_to_three_sds(found, away):
    cloud, now = found[1].cloud, found[1].now
    z = now.centre + now.sd[1] * away * along(now) + np.array([0.02, 0.0])
    expected = drifting.log_density(z) - drifting.log_density(now.centre)
    assert cloud.density(z)[0] - cloud.density(now.centre)[0] == pytest.approx(expected, abs=0.2)


def test_points_that_only_drift_do_not_reach_so_far(found):
    """Else the test above would show nothing of their curvatures."""
    cloud, now = found[1].cloud, found[1].now
    bare = replace(cloud, ways=jnp.zeros_like(cloud.ways), arch=np.zeros_like(cloud.arch))
    z = now.centre + 1.5 * now.sd[1] * along(now)
    expected = drifting.log_density(z) - drifting.log_density(now.centre)
    assert abs(bare.density(z)[0] - bare.density(now.centre)[0] - expected) > 0.5


def test_points_drift_as_subjects_posterior_means_do(found):
    """With b, mu_i goes against the rise of the mean of its row, shrunk as its mean is."""
    cloud, now = found[1].cloud, found[1].now
    b, rows = drifting.B + drifting.B_SD * now.centre[1], drifting.TIMES.size
    rise = 3 * b**2 * drifting.B_SD * drifting.TIMES.mean()
    shrunk = rows * drifting.TAU**2 / (rows * drifting.TAU**2 + drifting.SIGMA**2)
    assert np.asarray(cloud.drift)[:, 0, 0] == pytest.approx(-rise * shrunk, rel=0.1)


def test_its_gradient_is_that_of_differences(found):
    cloud, now = found[1].cloud, found[1].now
    z, steps = now.centre + np.array([0.03, -0.8]) * now.sd, 1e-2 * np.eye(2)
    two = [[cloud.density(z + k * s)[0] for k in (-2, -1, 1, 2)] for s in steps]
    slopes = np.array([(a - 8 * b + 8 * c - d) / 0.12 for a, b, c, d in two])
    assert cloud.density(z)[1] == pytest.approx(slopes, abs=0.05)


def test_the_slope_becomes_the_known_one_where_more_points_tell_it(found):
    """About 0.9 SDs off the centre, where points drift; along the number that makes the law."""
    heights, (cloud, now, parts) = found[0], (found[1].cloud, found[1].now, found[1].parts)
    at = now.centre + np.array([0.8, -0.9]) * now.sd
    asked = Asked(at, cloud.centre, np.asarray(cloud.drift), parts)
    sets = [one_set(heights, asked, 40 + k) for k in range(2)]
    known = approx_fprime(at, drifting.log_density, 1e-6)[0]
    off = []
    for seed in range(4):
        own = solved(heights, now, Counts(128, 72), 200 + seed, by=parts, exact=True)
        told = Scored.of(own, at, sets).tilting(own)
        off.append([each.density(at)[1][0] - known for each in (own, told)])
    bare, told = np.sqrt(np.mean(np.square(off), axis=0))
    assert told < bare / 10


def test_its_mode_is_the_known_one(found):
    cloud, now = found[1].cloud, found[1].now
    mode = highest(cloud, now.centre, 7 * now.sd)
    best = minimize(lambda z: -drifting.log_density(z), now.centre, tol=1e-8).x
    spread = covariance(cloud, mode)
    told = quadrature_error(cloud, mode, spread)
    assert (told > 0).all() and (told < 0.1).all()
    assert np.abs((mode - best) / np.sqrt(np.diag(spread))).max() < max(4 * told.max(), 0.05)


def test_what_was_solved_is_remembered(found):
    heights, points = found
    again = remembered_points(heights, points.now, points.told(), 512, 1)
    z = points.now.centre + np.array([0.05, -0.5]) * points.now.sd
    assert again.cloud.density(z)[0] == points.cloud.density(z)[0]


@pytest.mark.slow
def test_draws_are_of_the_known_posterior(quantile, tmp_path):
    drawn = draw(drifting.likelihood(), Checkpoint(tmp_path, "one"), silent)
    for name, row, middle, scale in (("mu", 0, 8.0, 4.0), ("b", 1, 1.0, 0.5)):
        draws = (drawn.tree["posterior"][name].values.ravel() - middle) / scale
        for level in (0.05, 0.5, 0.95):
            assert (draws < quantile(row, level)).mean() == pytest.approx(level, abs=0.04)
