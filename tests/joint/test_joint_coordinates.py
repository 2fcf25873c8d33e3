"""Where a sampler walks: coordinates that can be undone, their Jacobian, and PyMC's density."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_joint import quick_compile

from pkpd import pymc_bridge
from pkpd.individual.problem import population_space
from pkpd.individual.start import Start, coordinates
from pkpd.joint import coordinates as walked
from pkpd.joint.coordinates import JointCoordinates
from pkpd.joint.marginal import of_longer
from pkpd.variation.space import log_prior

SHRINKAGE = {"cl": 0.3, "ec50": 0.95, "gamma": 0.4, "ks": 0.5, "placebo": 0.6}


@pytest.fixture(scope="module")
def walk(small):
    """Coordinates about an arbitrary point, some effects centred and one not."""
    random = np.random.default_rng(4)
    individual, size = small.individual, small.population.size
    own = population_space(individual).size
    shape = (5, individual.solver.design.count)
    alone = coordinates(
        Start(individual, 0.2 * random.normal(size=own), np.eye(own), random.normal(size=shape),
              np.full(shape, 0.5), SHRINKAGE, 0.0)
    )  # fmt: skip
    bare = replace(alone, centre=np.zeros_like(alone.centre), scale=np.ones_like(alone.scale))
    factor = np.eye(size) + 0.05 * random.normal(size=(size, size))
    centre = 0.3 * random.normal(size=size)
    return JointCoordinates(small, bare, centre, factor, alone.centre[own:], alone.scale)


@pytest.fixture(scope="module")
def corners(small):
    return 0.5 * np.random.default_rng(5).choice([-1.0, 1.0], (2, small.space.size))


def test_population_and_effects_come_back_from_natural_values(walk, corners):
    size = walk.centre.size
    for u in corners:
        c, w = walk.parted(walk.natural(jnp.asarray(u)))
        np.testing.assert_allclose(c, walk.centre + walk.factor @ u[:size], atol=1e-9)
        np.testing.assert_allclose(w, walk.middle + walk.scale * u[size:], atol=1e-9)


def test_a_studys_effect_is_walked_as_the_effect_itself(small):
    """Twice the SD with half the standardised effect: the same coordinate."""
    flat = np.array(small.population.medians())
    places = small.population.places
    flat[places["ks_study"]] = 0.8
    first = np.asarray(walked.from_natural(small, jnp.asarray(flat)))
    flat[places["ks_trial_sd"]] *= 2
    flat[places["ks_study"]] /= 2
    second = np.asarray(walked.from_natural(small, jnp.asarray(flat)))
    moved = np.flatnonzero(np.abs(first - second) > 1e-12)
    assert moved.tolist() == [places["ks_trial_sd"].start]
    np.testing.assert_allclose(walked.to_natural(small, jnp.asarray(second)), flat, rtol=1e-12)


def test_what_the_sampler_sees_is_prior_and_both_likelihoods_with_the_jacobian(
    small, walk, corners, monkeypatch
):
    """Stand-ins for the likelihoods: what they solve is tested elsewhere."""
    monkeypatch.setattr(pymc_bridge, "_for_nutpie", lambda space, density, *_, **__: density)
    size = small.arms.space.size

    def of_individuals(flat):
        return -(jnp.log1p(flat**2) * jnp.arange(flat.size)).sum() / 50

    def of_arms(flat):
        return float(np.cos(flat).sum()), -np.sin(flat)

    with quick_compile():
        density = pymc_bridge.walked_program(
            small.space, walk.standard, of_individuals, beside=of_longer(of_arms, size)
        )
        jacobian = jax.jit(jax.jacfwd(walk.natural))
    found, wanted = [], []
    for u in corners:
        flat = walk.natural(jnp.asarray(u))
        prior = float(small.log_prior(small.space.unpack(flat)))
        seen = float(of_individuals(flat)) + of_arms(np.asarray(flat)[:size])[0]
        wanted.append(prior + seen + np.linalg.slogdet(jacobian(u))[1])
        found.append(density(u)[0])
    assert found[1] - found[0] == pytest.approx(wanted[1] - wanted[0], abs=1e-8)
    slope = density(corners[0])[1]
    for at in (3, walk.centre.size - 1, walk.centre.size + 9):
        step = 1e-5 * np.eye(small.space.size)[at]
        ends = [density(corners[0] + sign * step)[0] for sign in (1, -1)]
        assert slope[at] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-4)


def test_the_prior_of_walked_coordinates_is_that_of_natural_values(small):
    """Up to a constant: densities of two points differ by what their Jacobians say."""
    random, parts = np.random.default_rng(6), []
    jacobian = jax.jit(jax.jacfwd(lambda c: walked.to_natural(small, c)))
    for _ in range(2):
        c = jnp.asarray(0.5 * random.normal(size=small.population.size))
        values = small.population.unpack(walked.to_natural(small, c))
        natural = sum(
            float(log_prior(v.prior, values[v.name]).sum()) for v in small.population.variables
        )
        ours = float(walked.log_prior(small, c))
        parts.append(ours - natural - np.linalg.slogdet(jacobian(c))[1])
    assert parts[0] == pytest.approx(parts[1], abs=1e-8)
