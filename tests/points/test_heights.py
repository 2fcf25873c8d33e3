"""Slopes and curvatures of points, against automatic derivatives of the likelihood itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_trial

from pkpd.individual.problem import population_space
from pkpd.points.carried import Carried
from pkpd.points.curvature import bent, beyond, coupled
from pkpd.points.differences import Points, differences
from pkpd.points.heights import Heights
from pkpd.points.higher import arched, coupling


def told(heights, z, points):
    """Points with their heights; none has a weight."""
    return Points(points, heights.at(z, points), np.zeros((4, len(points))))


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


def test_threads_change_no_bit(small, monkeypatch):
    """Of 100 points, in three calls."""
    heights, z, points = small
    many = np.concatenate([points * scale for scale in np.linspace(0.1, 1.2, 34)])[:100]
    found = []
    for count in ("1", "3"):
        monkeypatch.setenv("PKPD_THREADS", count)
        found.append(heights.whole(z, many))
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def test_slopes_and_curvatures_are_derivatives(small):
    heights, z, points = small
    first = np.asarray(jax.jacfwd(summed(heights, points))(jnp.asarray(z)))
    second = np.asarray(jax.jacfwd(jax.jacfwd(summed(heights, points)))(jnp.asarray(z)))
    slopes, bows = heights.sloped(z, points)
    own = heights.split.outcomes
    assert slopes == pytest.approx(np.moveaxis(first[..., own], 2, 1), abs=1e-4)
    assert bows == pytest.approx(np.moveaxis(second[..., own, own], 2, 1), abs=1e-2)
    held = Carried(heights, z, np.zeros((4, points.shape[1], 2)))
    inside = differences(held, told(heights, z, points), np.full(z.size, 1e-3))
    own = heights.split.equations
    assert inside[0] == pytest.approx(np.moveaxis(first[..., own], 1, 0), abs=1e-4)
    assert inside[1] == pytest.approx(np.moveaxis(second[..., own, own], 1, 0), abs=1e-2)


def test_slopes_of_points_that_drift_are_along_their_way(small):
    heights, z, points = small
    drift = np.random.default_rng(2).normal(size=(4, points.shape[1], 2))
    steps = np.full(z.size, 1e-3)
    found = differences(Carried(heights, z, drift), told(heights, z, points), steps)[0]

    def along(away):
        at = jnp.asarray(z).at[heights.split.equations].add(away)
        return summed(heights, jnp.asarray(points) + (drift @ away).T)(at)

    expected = np.moveaxis(np.asarray(jax.jacfwd(along)(jnp.zeros(2))), 1, 0)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_mean_curvatures_are_those_of_the_sum_but_for_what_goes_with_points(small):
    heights, z, points = small
    whole = jax.hessian(lambda z: summed(heights, points)(z).mean(axis=0).sum())(jnp.asarray(z))
    places = heights.split.others
    expected = np.array(whole)[np.ix_(places, places)]
    for k in (0, *range(len(heights.split.equations), len(places))):
        expected[k, k] = 0.0
    expected[0, 2:] = expected[2:, 0] = 0.0
    held = Carried(heights, z, np.zeros((4, points.shape[1], 2)))
    found = bent(held, points, np.full(z.size, 1e-2), np.array([True, False]))
    assert found == pytest.approx(expected, abs=2e-3 * np.abs(expected).max())


def test_the_split_names_what_stands_in_the_likelihood(small):
    heights = small[0]
    names = population_space(heights.likelihood).names
    equations = [names[k] for k in heights.split.equations]
    outcomes = [names[k] for k in heights.split.outcomes]
    assert equations == ["km", "ic50"]
    assert outcomes == ["concentration_additive", "concentration_proportional", "effect_additive"]


def test_third_and_fourth_order_make_the_mean_exact_at_the_ends(small):
    heights, z, points = small
    held = Carried(heights, z, np.zeros((4, points.shape[1], 2)))
    h, s = np.full(2, 0.05), np.array([0.3, 0.2])
    arch = beyond(held, points, h, s, np.array([True, False]))
    assert not arch[:, 1].any()

    def mean(step):
        at = np.array(z)
        at[heights.split.equations[0]] += step
        return (heights.at(at, points) - heights.at(z, points)).mean(axis=0).sum()

    for d in (0.05, -0.05, 0.3, -0.3):
        slope, bow = (mean(0.05) - mean(-0.05)) / 0.1, (mean(0.05) + mean(-0.05)) / 0.0025
        rest = float(arched(np.array([d, 0.2, 0.0]), arch))
        assert slope * d + bow * d**2 / 2 + rest == pytest.approx(mean(d), rel=1e-9)
    far = arched(np.array([1.0, 0.0]), arch)
    assert far == arched(np.array([2.0, 0.0]), arch)


def test_outcomes_slopes_and_curvatures_go_with_a_number_of_the_equations(small):
    heights, z, points = small
    held = Carried(heights, z, np.zeros((4, points.shape[1], 2)))
    size, far = len(heights.split.others), np.array([0.3, 0.2])
    found = coupled(held, points, far, np.array([True, False]))
    assert not found[1].any()

    def mean(away):
        moved = jnp.asarray(z).at[heights.split.others].add(away)
        return summed(heights, points)(moved).mean(axis=0).sum()

    def told(own, rest):
        ends = jnp.array([9.0, 9.0])
        return coupling(jnp.concatenate([own, rest]), found, ends)

    none, both = jnp.zeros(size - 2), []
    for end in (jnp.array([0.3, 0.0]), jnp.array([-0.3, 0.0])):

        def there(rest, end=end):
            return mean(jnp.concatenate([end, rest])) - mean(jnp.concatenate([0 * end, rest]))

        bend = np.asarray(jax.hessian(there)(none))
        own = np.asarray(jax.hessian(told, argnums=1)(end, none))
        assert own == pytest.approx(bend, abs=2e-3 * np.abs(bend).max())
        both.append([jax.grad(there)(none), jax.grad(told, argnums=1)(end, none)])
    slopes, own = np.sum(both, axis=0)  # what is odd in the number, leans have
    assert own == pytest.approx(slopes, rel=1e-3)
