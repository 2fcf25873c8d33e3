"""The conditional law of the effects as a map: its inverse, and the density in its coordinates.

The density in these coordinates is compared with JAX's own second derivatives of the joint
log-density, which know nothing of the start's curvatures and differences. For a model whose
likelihood is normal in the effects, it must be normal for every population, not at the start alone.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oral_trial import likelihood, point, settings_of, table

from pkpd.individual.build import individual_likelihood
from pkpd.individual.modes import effects_of
from pkpd.individual.problem import population_space
from pkpd.individual.start import find_start
from pkpd.individual.whitened import whitened
from pkpd.individual.whitening import HARDEST, bends
from pkpd.library import load
from pkpd.settings_individual import Choice, Observation
from pkpd.variation import standard


@pytest.fixture(scope="module", params=["block", pytest.param("occasions", marks=pytest.mark.slow)])
def start(request):
    made = likelihood(block=request.param == "block", occasion=0.3 * (request.param == "occasions"))
    return find_start(made, lambda stage, share: None)


@pytest.fixture(scope="module")
def second(start):
    """Minus the second derivative of the log-density at the start, in the sampler's coordinates."""
    walked = whitened(start)
    made = effects_of(start.likelihood).likelihood  # twice differentiable

    def density(u):
        z, log_jacobian = walked.standard(u)
        values = made.space.unpack(standard.to_natural(made.space, z))
        prior = standard.log_prior_standard(made.space, z)
        return made.by_subject(values).sum() + prior + log_jacobian

    return -np.asarray(jax.jit(jax.hessian(density))(jnp.zeros(made.space.size)))


def test_effects_are_standard_normal_about_the_start_and_apart_from_the_population(start, second):
    size = population_space(start.likelihood).size
    added = np.linalg.eigvalsh(start.curvature) - 1
    normal = (added.min(axis=1) > -1e-9) & (added.max(axis=1) < HARDEST)  # nothing is clipped
    assert normal.sum() >= 4
    cells = whitened(start).whitening.cells
    kept = size + np.flatnonzero(normal[cells % start.effects.shape[1]])
    np.testing.assert_allclose(second[np.ix_(kept, kept)], np.eye(len(kept)), atol=2e-4)
    # central differences of the modes by 0.01: their error is of the order of 0.01^2
    np.testing.assert_allclose(second[size:, :size], 0.0, atol=5e-3)


def test_there_and_back_is_where_one_was(start):
    walked, space = whitened(start), start.likelihood.space
    u = point(space, 7)
    back = walked.inverse(space.unpack(walked.natural(u)))
    np.testing.assert_allclose(back, u, rtol=1e-7, atol=1e-7)


def test_the_log_jacobian_is_that_of_jaxs_jacobian_but_for_a_constant(start):
    walked, space = whitened(start), start.likelihood.space
    jacobian = jax.jit(jax.jacfwd(lambda u: walked.standard(u)[0]))
    gaps = []
    for u in (jnp.zeros(space.size), point(space, 8), point(space, 9)):
        sign, whole = np.linalg.slogdet(jacobian(u))
        assert sign != 0  # the population's axes may be mirrored
        gaps.append(whole - float(walked.standard(u)[1]))
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-8)


def test_data_that_take_curvature_away_or_give_no_number_add_none():
    bent = np.stack([np.full((2, 2), np.nan), np.diag([-3.0, 1e9])])
    found = bends(bent)
    np.testing.assert_allclose(found[0], 0.0)
    np.testing.assert_allclose(found[1], np.diag([0.0, HARDEST]))


def declining():
    """A load that falls by a known slope: its intercept varies between subjects and occasions."""
    chance, rows = np.random.default_rng(4), []
    for who, times in enumerate(((0.0, 1.0, 2.0, 3.0), (0.0, 0.5), (1.0, 2.5, 4.0)), start=1):
        for time in times:
            seen = 6.0 + 0.7 * chance.normal() - 0.5 * time
            rows.append(
                {
                    "ID": who,
                    "TIME": time,
                    "AMT": 0.0,
                    "EVID": 0,
                    "DV": seen,
                    "OCC": 1 + (time > 1.5),
                }
            )
    seen = Observation(output="log10_load", error="additive", fixed={"additive": 0.4})
    parameters = {
        "intercept": Choice(median=5.0, sd=2.0, between=1.0, occasion=0.5),
        "slope": Choice(fixed=0.5, between=0.0),
    }
    settings = settings_of("pd_linear_decline", parameters, (seen,))
    return individual_likelihood(settings, load("pd_linear_decline"), table(rows))


def test_where_the_likelihood_is_normal_effects_are_standard_normal_for_every_population():
    made = declining()
    walked, space = whitened(find_start(made, lambda stage, share: None)), made.space
    size = population_space(made).size

    @jax.jit
    @jax.grad
    def slope(u):
        z, log_jacobian = walked.standard(u)
        values = space.unpack(standard.to_natural(space, z))
        return made.by_subject(values).sum() + standard.log_prior_standard(space, z) + log_jacobian

    # one of the three subjects has a single occasion
    assert space.size - size == 3 + 5
    for seed in range(4):
        u = 2 * point(space, seed)
        # the drift comes of central differences by 0.01, whose error is of the order of 0.01^2
        np.testing.assert_allclose(slope(u)[size:], -u[size:], atol=2e-4)
