"""Clouds of points: their weights estimate the marginal posterior without bias, for any inner law.

The levels' model has it in closed form (`tests/individual/levels.py`), the drifting one with a
number that stands in the equations too (`tests/points/drifting.py`).
"""

import levels
import numpy as np
import pytest
from oral_trial import likelihood as oral
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from pkpd.averaged.clouds import clouds
from pkpd.averaged.places import round_places
from pkpd.averaged.population import Population, flattening, pooled, shares, worth_of
from pkpd.averaged.programs import Programs
from pkpd.averaged.rounds import beginning, made, noise
from pkpd.individual.problem import population_space
from pkpd.individual.start import Start, find_start


@pytest.fixture(scope="module")
def programs():
    return Programs(find_start(levels.likelihood(free=True), lambda stage, share: None))


@pytest.fixture(scope="module")
def begun(programs):
    return beginning(programs)


def test_the_outer_numbers_are_those_of_the_likelihood(begun):
    """Standardised coordinates are mu, its SD between subjects, and the error's SD."""
    assert begun.population.outer.tolist() == [2]
    assert begun.population.order.tolist() == [2, 0, 1]


def test_weights_are_the_marginal_posterior_over_the_density_drawn_from(programs, begun):
    """With many points each estimate is the closed form, up to one constant of all draws."""
    rng = np.random.default_rng(3)
    numbers = begun.population.drawn(12, 5, rng)
    found = clouds(programs, begun, numbers, 4096, rng)
    told = -levels.negative(numbers) - begun.population.log_density(numbers)
    apart = found.log_weights - told
    assert np.ptp(apart) < 0.06
    assert np.ptp(told) > 1  # or any weights would do


def test_estimates_by_few_points_have_no_bias(programs, begun):
    """The mean of 4,000 estimates by nine points each is what many points give."""
    rng = np.random.default_rng(4)
    one = begun.population.drawn(1, 1, rng)
    few = made(programs, begun, np.repeat(one, 4000, axis=0), 8, rng).log_weights[:, 0]
    many = made(programs, begun, np.repeat(one, 16, axis=0), 4096, rng).log_weights[:, 0]
    ratio = np.exp(few - np.log(np.mean(np.exp(many - many.max()))) - many.max())
    assert ratio.std() > 0.1
    assert ratio.mean() == pytest.approx(1.0, abs=5 * ratio.std() / np.sqrt(4000))


def test_a_picked_effect_is_that_of_the_conditional_law(programs, begun):
    """Given mu, tau and sigma an effect is normal, known in closed form."""
    rng = np.random.default_rng(5)
    one = begun.population.drawn(1, 1, rng)
    found = made(programs, begun, np.repeat(one, 600, axis=0), 64, rng)
    numbers, effects = found.picked(programs, 2, rng)
    assert np.array_equal(numbers, np.repeat(one, 2, axis=1).repeat(600, axis=0))
    mu = levels.MEAN + levels.SD * one[0, 0, 0]
    tau = levels.TAU_SD * np.exp(one[0, 0, 1] - 0.5)
    sigma = levels.SIGMA_SD * np.exp(one[0, 0, 2] - 0.5)
    precision = 1 + levels.ROWS * tau**2 / sigma**2
    mean = levels.ROWS * tau * (levels.data().mean(axis=1) - mu) / sigma**2 / precision
    z = (effects[:, :, 0] - mean).reshape(-1, levels.SUBJECTS) * np.sqrt(precision)
    assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(len(z))
    assert np.abs(z.var(axis=0) - 1).max() < 5 * np.sqrt(2 / len(z))


def test_noise_falls_with_points(programs, begun):
    assert noise(programs, begun, 512, 1) < 0.5 * noise(programs, begun, 8, 1)


def test_draws_have_the_density_that_is_told():
    """Of a proposal with correlated numbers: weights to a normal law give back its moments."""
    covariance = np.array([[1.0, 0.6, -0.3], [0.6, 2.0, 0.4], [-0.3, 0.4, 0.5]])
    proposal = Population(np.array([1.0, -2.0, 0.5]), covariance, np.array([1]))
    numbers = proposal.drawn(40_000, 1, np.random.default_rng(1))
    away = numbers - proposal.mean
    precision = np.linalg.inv(covariance)
    log_density = -np.einsum("smp,pq,smq->sm", away, precision, away) / 2
    log_density -= 1.5 * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] / 2
    weights = np.exp(log_density - proposal.log_density(numbers))
    assert weights.mean() == pytest.approx(1.0, abs=0.02)
    moved = proposal.moved(numbers, np.log(weights), 40.0)
    assert moved.mean == pytest.approx(proposal.mean, abs=0.04)
    assert moved.covariance == pytest.approx(covariance, abs=0.06)


def test_inner_draws_share_their_outer_numbers():
    proposal = Population(np.zeros(4), np.eye(4) + 0.3, np.array([2, 0]))
    numbers = proposal.drawn(6, 9, np.random.default_rng(2))
    assert np.ptp(numbers[:, :, [2, 0]], axis=1).max() == 0
    assert np.ptp(numbers[:, :, [1, 3]], axis=1).min() > 0
    middle, outer = proposal.middle(numbers[:, 0])
    assert middle[:, [2, 0]] == pytest.approx(numbers[:, 0][:, [2, 0]])
    wanted = np.linalg.solve(proposal.covariance[np.ix_([2, 0], [2, 0])], middle[:, [2, 0]].T).T
    assert middle[:, [1, 3]] == pytest.approx(wanted @ proposal.covariance[np.ix_([2, 0], [1, 3])])
    assert (outer**2).sum(axis=1) == pytest.approx((wanted * middle[:, [2, 0]]).sum(axis=1))


def test_draws_of_several_proposals_are_weighed_by_all_of_them():
    """A narrow proposal alone misses what a wide one beside it sees."""
    narrow = Population(np.zeros(1), np.full((1, 1), 0.04), np.array([0]))
    wide = Population(np.zeros(1), np.full((1, 1), 9.0), np.array([0]))
    rng, drawn = np.random.default_rng(6), []
    for each in (narrow, wide):
        numbers = each.drawn(30_000, 1, rng)
        drawn.append((each, numbers, -(numbers[..., 0] ** 2) / 2 - each.log_density(numbers)))
    numbers, log_weights = pooled(drawn)
    assert np.exp(log_weights).mean() == pytest.approx(np.sqrt(2 * np.pi), rel=0.03)
    assert np.exp(log_weights).max() < 2 * np.exp(-np.log(0.5) + drawn[1][2].max())
    weights = shares(log_weights)
    assert (weights * numbers[..., 0] ** 2).sum() == pytest.approx(1.0, abs=0.04)


def test_weights_are_flattened_until_they_are_worth_enough():
    log_weights = np.random.default_rng(7).normal(size=(300, 4)) * 6
    power = flattening(log_weights, 40.0)
    assert power < 1
    assert worth_of(power * log_weights) >= 40
    assert worth_of(power / 0.9 * log_weights) < 40
    assert flattening(np.zeros((300, 4)), 40.0) == 1


def test_places_learn_a_slope_and_a_spread():
    """Points whose law leans on an outer number, weighed from a wide proposal."""
    rng, slope = np.random.default_rng(8), np.array([0.8, -0.5])
    first = round_places(2, 1, 1)
    outer = rng.normal(size=(64, 1))
    points = first.drawn(outer, 64, rng)
    log_density = first.log_density(outer, points)
    away = points[..., 0] - outer[:, None, :] * slope
    log_weights = -((away / 0.4) ** 2) / 2 - log_density
    weights = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True)) / 64
    found = first.refitted(outer, points, weights, 1)
    assert found.slope[:, 0, 0] == pytest.approx(slope, abs=0.06)
    drawn = found.drawn(np.full((400, 1), 1.0), 16, rng)
    density = found.log_density(np.full((400, 1), 1.0), drawn)
    assert drawn[..., 0].mean(axis=(0, 1)) == pytest.approx(slope, abs=0.08)
    assert drawn[..., 0].std(axis=(0, 1)) == pytest.approx([0.4, 0.4], abs=0.12)
    less = np.moveaxis(drawn - found.slope[:, :, 0], 2, 0)
    again = found.parts.log_density(less.reshape(2, -1, 1))
    assert np.moveaxis(density, 2, 0).reshape(2, -1) == pytest.approx(again)


def test_points_are_drawn_with_the_density_that_is_told():
    rng = np.random.default_rng(9)
    first = round_places(1, 2, 0)
    points = first.drawn(np.zeros((8, 0)), 512, rng)
    log_density = first.log_density(np.zeros((8, 0)), points)
    target = -(points**2).sum(axis=-1) / 2 - np.log(2 * np.pi)
    assert np.exp(target - log_density).mean() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("block", [False, True])
def test_sums_are_of_normal_densities_about_each_law(block):
    """Correlated effects and free ones: densities by SciPy, points and heights made up."""
    likelihood = oral(block=block)
    size, rng = population_space(likelihood).size, np.random.default_rng(10)
    none = np.zeros((3, 6))
    programs = Programs(Start(likelihood, np.zeros(size), np.eye(size), none, none, {}, 0.0))
    mean, mix = programs.laws(0.3 * rng.normal(size=(2, 4, size)))
    points, heights = rng.normal(size=(2, 5, 6, 3)), rng.normal(size=(2, 5, 6))
    found = np.asarray(programs.sums(points, heights, mean, mix))
    for s, m in np.ndindex(2, 4):
        law = mix[s, m] @ mix[s, m].T
        assert (np.abs(law - np.diag(np.diag(law))).max() > 1e-4) == block
        each = [multivariate_normal(mean[s, m, n], law).logpdf(points[s, :, n]) for n in range(6)]
        wanted = logsumexp(heights[s] + np.array(each).T, axis=0).sum()
        assert found[s, m] == pytest.approx(wanted)
