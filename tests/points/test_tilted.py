"""The marginal density of solved points, against integrals over a grid of their effects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from pkpd.individual.problem import population_space
from pkpd.points.rounds import covariance, highest
from pkpd.points.solving import Counts, solved

EDGE, STEP = 6.0, 0.1


def on_a_grid(likelihood, values):
    """Log marginal likelihood of each subject: two standard normal effects, summed over a grid."""
    line = np.arange(-EDGE, EDGE + STEP / 2, STEP)
    grid = np.array(np.meshgrid(line, line)).reshape(2, -1)

    @jax.jit
    def row(pair):
        own = {"cl_eta": jnp.full(59, pair[0]), "v_eta": jnp.full(59, pair[1])}
        return likelihood.by_subject({**values, **own})

    heights = np.asarray(jax.lax.map(row, jnp.asarray(grid.T), batch_size=200))
    law = -(grid**2).sum(axis=0) / 2 - np.log(2 * np.pi) + 2 * np.log(STEP)
    return logsumexp(heights + law[:, None], axis=0)


@pytest.mark.parametrize(
    ("name", "shift", "tolerance"),
    [
        ("cl", 0.0, 0.02), ("cl", 0.15, 0.03), ("v", -0.1, 0.03), ("v_apgr", 0.3, 0.03),
        ("cl_between", 0.25, 0.05), ("v_between", -0.2, 0.05),
        ("concentration_proportional", 0.05, 0.03),
    ],
)  # fmt: skip
def test_the_density_is_the_integral(neonates, cloud, name, shift, tolerance):
    likelihood, centre = neonates
    space = population_space(likelihood)
    z = centre.copy()
    z[space.places[name]] += shift
    found = cloud.log_likelihood(z)[0]
    assert found == pytest.approx(on_a_grid(likelihood, cloud.split.values(z)).sum(), abs=tolerance)


def test_what_is_left_out_along_an_error_is_of_third_order(neonates, cloud):
    """Twice as far, six to eight times as much: some is of the second, for slopes are regressed."""
    likelihood, centre = neonates
    place = population_space(likelihood).places["concentration_proportional"]
    off = []
    for shift in (0.0, 0.08, 0.16):
        z = centre.copy()
        z[place] += shift
        exact = on_a_grid(likelihood, cloud.split.values(z)).sum()
        off.append(cloud.log_likelihood(z)[0] - exact)
    near, far = np.array(off[1:]) - off[0]
    assert 4 < far / near < 9
    assert abs(near) < 0.12


def test_its_gradient_is_that_of_differences(neonates, cloud):
    _, centre = neonates
    z = centre + 0.05 * np.array([1, -1, 1, 2, -1, 1])
    steps = 1e-2 * np.eye(centre.size)
    two = [[cloud.density(z + k * s)[0] for k in (-2, -1, 1, 2)] for s in steps]
    slopes = np.array([(a - 8 * b + 8 * c - d) / 0.12 for a, b, c, d in two])
    assert cloud.density(z)[1] == pytest.approx(slopes, abs=0.05)


def test_covariates_that_stay_are_of_the_law_and_errors_are_not(neonates, cloud):
    space = population_space(neonates[0])
    others = [space.names[k] for k in cloud.split.others]
    assert others == ["concentration_proportional"]


def test_the_mode_of_one_cloud_is_near_that_of_another(standing, cloud):
    heights, now = standing
    other = solved(heights, now, Counts(512, 144), 2, exact=True)
    one, two = (highest(each, now.centre, 1.0) for each in (cloud, other))
    sd = np.sqrt(np.diag(covariance(cloud, one)))
    assert np.abs((one - two) / sd).max() < 0.1
