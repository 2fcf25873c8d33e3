"""A pilot's draws move the start to their mean and give it their covariance."""

import jax.numpy as jnp
import numpy as np
import oral_trial
import pytest

from pkpd.individual.learned import learned
from pkpd.individual.modes import effects_of
from pkpd.individual.problem import population_space
from pkpd.individual.start import find_start
from pkpd.variation import standard


def silent(stage, share):
    pass


@pytest.fixture(scope="module")
def start():
    return find_start(oral_trial.likelihood(effects=("cl", "v")), silent)


def drawn(start, centre, root, number):
    """Independent draws of the population, normal in its standardised coordinates."""
    space = population_space(start.likelihood)
    rng = np.random.default_rng(5)
    z = centre + rng.normal(size=(2, number, len(centre))) @ root.T
    flat = np.array([[standard.to_natural(space, jnp.asarray(row)) for row in one] for one in z])
    return z, {name: flat[..., k] for k, name in enumerate(space.names)}


def test_many_draws_are_believed(start):
    size = start.population.size
    root = np.linalg.cholesky(0.5 * start.covariance + 0.02 * np.eye(size))
    z, draws = drawn(start, start.population + 0.3, root, 1000)
    found = learned(start, draws)
    np.testing.assert_allclose(found.population, z.mean(axis=(0, 1)), atol=1e-9)
    spread = np.cov(z.reshape(-1, size).T)
    assert np.linalg.norm(found.covariance - spread) < 0.05 * np.linalg.norm(spread)
    assert np.linalg.norm(start.covariance - spread) > 0.2 * np.linalg.norm(spread)


def test_few_draws_are_pulled_to_what_the_mode_told(start):
    """The unit matrix at the start's own covariance: what is expected is what is found."""
    size = start.population.size
    _, draws = drawn(start, start.population, 0.1 * np.linalg.cholesky(start.covariance), 10)
    found = learned(start, draws)
    share = np.trace(np.linalg.solve(start.covariance, found.covariance)) / size
    assert 0.2 < share < 0.6  # P / (n + P) with P = 7 and n about 20


def test_subjects_stand_at_their_modes_there(start):
    root = 0.1 * np.linalg.cholesky(start.covariance)
    found = learned(start, drawn(start, start.population + 0.2, root, 200)[1])
    effects, values = effects_of(start.likelihood), found.values()
    slope = effects.slope(values, jnp.asarray(found.effects))
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)
    assert np.abs(effects.slope(values, jnp.asarray(start.effects))).max() > 0.05
    np.testing.assert_allclose(found.curvature, effects.bend(values, found.effects), rtol=1e-6)
