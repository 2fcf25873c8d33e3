"""The sampler's coordinates: there and back, and the log-Jacobian that goes with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oral_trial import likelihood, point

from pkpd.individual.coordinates import Coordinates
from pkpd.variation import standard


@pytest.fixture(scope="module", params=[False, True], ids=["apart", "block"])
def made(request):
    return likelihood(block=request.param, occasion=0.3)


def coordinates(made, share):
    """Coordinates with all that can be turned and stretched, turned and stretched."""
    space, chance = made.space, np.random.default_rng(6)
    population = sum(v.size for v in space.variables if v.dim is None)
    frame = {"ka": (share, 0.3, 0.4), "cl": (share, 1.2, 0.3), "v": (share, 3.3, 0.2)}
    return Coordinates(
        made,
        frame if share else {},
        0.1 * chance.normal(size=space.size),
        np.eye(population) + 0.1 * chance.normal(size=(population, population)),
        np.exp(0.3 * chance.normal(size=space.size - population)),
    )


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_there_and_back_is_where_one_was(made, share):
    walked, space = coordinates(made, share), made.space
    u = point(space, 3)
    back = walked.inverse(space.unpack(walked.natural(u)))
    np.testing.assert_allclose(back, u, rtol=1e-9, atol=1e-9)
    z, _ = walked.standard(u)
    np.testing.assert_allclose(
        standard.to_standard(space, walked.natural(u)), z, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_log_jacobian_is_that_of_jaxs_jacobian(made, share):
    walked = coordinates(made, share)
    u = point(made.space, 4)
    sign, whole = np.linalg.slogdet(jax.jit(jax.jacfwd(lambda u: walked.standard(u)[0]))(u))
    # the turning and stretching of `placed` is a constant, and left out
    constant = np.linalg.slogdet(walked.factor)[1] + np.log(walked.scale).sum()
    found = float(walked.standard(u)[1])
    assert sign == 1 and found == pytest.approx(whole - constant, abs=1e-9)
    assert (found != 0) == (share > 0)


def test_wholly_centred_coordinates_are_the_subjects_own_values(made):
    walked = coordinates(made, 1.0)
    bare = Coordinates(made, walked.centred, np.zeros(made.space.size),
                       np.eye(len(walked.factor)), np.ones(len(walked.scale)))  # fmt: skip
    u = bare.natural(point(made.space, 5))
    values = made.space.unpack(u)
    c = bare.inverse(values)
    free = {**values, "cl_occasion_eta": jnp.zeros_like(values["cl_occasion_eta"])}
    own = made.own(free)
    for name, (_, m0, s0) in walked.centred.items():
        where = (np.log(own[name][0]) - m0) / s0
        np.testing.assert_allclose(c[made.space.places[f"{name}_eta"]], where, rtol=1e-9, atol=1e-9)
