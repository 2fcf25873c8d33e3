"""Where sampling begins: a frame in which a known density is round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd import search
from pkpd.model import Parameter
from pkpd.variation import centring
from pkpd.variation.prior import LogNormal
from pkpd.variation.space import Space, space
from pkpd.variation.standard import Frame

FREE = space(
    [
        (Parameter("ks", 1.0, "1", "", prior=LogNormal(1.0, 0.5), per="drug"), "trial"),
        (Parameter("km", 1.0, "1", "", prior=LogNormal(2.0, 0.5),
                   between_trials=LogNormal(0.2, 0.4)), "trial"),
    ],
    {"drug": ("a", "b"), "trial": ("one", "two")},
)  # fmt: skip
TIGHT = np.array([30.0, 4.0, 10.0])
SEEN = np.array([0.3, -0.2, 0.9])


@dataclass(frozen=True)
class Problem:
    space: Space
    frozen: Any = None


def log_likelihood(flat):
    values = FREE.unpack(flat)
    logs = jnp.append(jnp.log(values["ks"]), jnp.log(values["km"]))
    return -0.5 * (TIGHT * (logs - SEEN) ** 2).sum()


@pytest.fixture(scope="module")
def start():
    both = jax.jit(jax.value_and_grad(log_likelihood))

    def call(flat):
        value, slope = both(jnp.asarray(flat))
        return float(value), np.asarray(slope)

    return search.Start(
        Problem(FREE), lambda at: (), lambda held: call, Frame(np.zeros(6), np.eye(6)), np.ones(6)
    )


@pytest.fixture(scope="module")
def learnt(start):
    """From draws about the posterior's own centre, far from the start."""
    c = 0.3 * np.random.default_rng(2).normal(size=(200, FREE.size)) + 1.0
    flat = jax.vmap(lambda c: centring.to_natural(FREE, c))(c)
    return c, search.learn(start, np.asarray(flat))


def test_the_frame_stands_at_the_mean_of_the_draws(learnt):
    draws, found = learnt
    np.testing.assert_allclose(found.around.centre, draws.mean(axis=0), rtol=1e-9)
    again = centring.from_natural(FREE, jnp.asarray(found.reference))
    np.testing.assert_allclose(again, found.around.centre, rtol=1e-9)


def test_in_the_frame_the_known_directions_have_curvature_one(start, learnt):
    frame = learnt[1].around

    def density(u):
        c = frame.centre + frame.factor @ u
        return log_likelihood(centring.to_natural(FREE, c)) + centring.log_prior(FREE, c)

    curvature = -np.asarray(jax.hessian(density)(jnp.zeros(FREE.size)))
    np.testing.assert_allclose(curvature[-3:, -3:], np.eye(3), atol=0.05)


def test_the_search_finds_the_mode(start):
    negative = search.objective(start.likelihood, start.call)
    mode = search._mode(negative, start.around, 200)
    values = FREE.unpack(centring.to_natural(FREE, jnp.asarray(mode)))
    logs = np.log([*values["ks"], values["km"]])
    prior = np.log([1.0, 1.0, 2.0])
    wanted = (TIGHT * SEEN + prior / 0.25) / (TIGHT + 1 / 0.25)
    np.testing.assert_allclose(logs, wanted, atol=1e-3)
