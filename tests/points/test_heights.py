"""Slopes and curvatures of points, against automatic derivatives of the likelihood itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_trial

from pkpd.individual.problem import population_space
from pkpd.points.curvature import bent
from pkpd.points.heights import Heights
from pkpd.points.rounds import sloped


@pytest.fixture(scope="module")
def small():
    """Four subjects with effects of occasions: heights, a population, three points of each."""
    heights = Heights(small_trial.likelihood())
    size = population_space(heights.likelihood).size
    chance = np.random.default_rng(5)
    rows = heights.split.effects.rows
    return heights, 0.2 * chance.normal(size=size), 0.5 * chance.normal(size=(3, rows, 4))


def summed(heights, points):
    """Log-likelihood of all subjects, a mean over points, as a function of the population."""
    split = heights.split

    def one(z, matrix):
        return heights.likelihood.by_subject({**split.values(z), **split.effects.values(matrix)})

    return lambda z: jnp.stack([one(z, jnp.asarray(each)) for each in points])


def test_heights_are_the_likelihood(small):
    heights, z, points = small
    expected = np.asarray(summed(heights, points)(jnp.asarray(z)))
    assert heights.at(z, points) == pytest.approx(expected, rel=1e-9)


def test_slopes_and_curvatures_are_derivatives(small):
    heights, z, points = small
    steps = np.full(z.size, 1e-3)
    slopes, bows = sloped(heights, z, points, steps)
    first = np.asarray(jax.jacfwd(summed(heights, points))(jnp.asarray(z)))
    second = np.asarray(jax.jacfwd(jax.jacfwd(summed(heights, points)))(jnp.asarray(z)))
    places = heights.split.others
    assert slopes == pytest.approx(np.moveaxis(first[..., places], 1, 0), abs=1e-4)
    own = np.moveaxis(second[..., places, places], 1, 0)
    own[..., : len(heights.split.equations)] = 0.0  # those of the equations go with the mean
    assert bows == pytest.approx(own, abs=1e-2)


def test_mean_curvatures_are_those_of_the_sum_but_for_outcomes_alone(small):
    heights, z, points = small
    whole = jax.hessian(lambda z: summed(heights, points)(z).mean(axis=0).sum())(jnp.asarray(z))
    places = heights.split.others
    expected = np.array(whole)[np.ix_(places, places)]
    for k in range(len(heights.split.equations), len(places)):
        expected[k, k] = 0.0
    found = bent(heights, z, points, np.full(z.size, 1e-2))
    assert found == pytest.approx(expected, abs=2e-3 * np.abs(expected).max())


def test_the_split_names_what_stands_in_the_likelihood(small):
    heights = small[0]
    names = population_space(heights.likelihood).names
    equations = [names[k] for k in heights.split.equations]
    outcomes = [names[k] for k in heights.split.outcomes]
    assert equations == ["km", "ic50"]
    assert outcomes == ["concentration_additive", "concentration_proportional", "effect_additive"]
