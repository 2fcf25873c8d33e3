"""The small joint likelihood, with the arms' covariances held, and its programs compiled once."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_joint import joint, quick_compile

from pkpd.variation import standard


@pytest.fixture(scope="session")
def small():
    """Covariances held at the prior medians: the arms' programs compile in half the time."""
    made = joint()
    with quick_compile():
        return made.held_at(np.asarray(made.arms.space.medians()))


@pytest.fixture(scope="session")
def points(small):
    """Flat natural vectors: the prior medians, and a random point of the bulk of the prior."""
    z = 0.5 * np.random.default_rng(7).normal(size=small.space.size)
    return {
        "medians": np.asarray(small.space.medians()),
        "random": np.asarray(standard.to_natural(small.space, jnp.asarray(z))),
    }


@pytest.fixture(scope="session")
def arms_call(small):
    """The arms' log-likelihood and gradient at a flat arm-level vector."""
    return compiled(small.arms.log_likelihood, small.arms.space.size)


@pytest.fixture(scope="session")
def individuals_call(small):
    """The individuals' log-likelihood and gradient at a flat joint vector."""

    def seen(flat):
        return small.by_subject(small.space.unpack(flat)).sum()

    return compiled(seen, small.space.size)


def compiled(function, size):
    with quick_compile():
        program = jax.jit(jax.value_and_grad(function)).lower(jnp.ones(size)).compile()

    def call(flat):
        value, slope = program(jnp.asarray(flat))
        return float(value), np.asarray(slope)

    return call
