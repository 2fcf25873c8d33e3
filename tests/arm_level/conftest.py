"""The small likelihood, the points where it is looked at, and its gradient compiled once."""

from __future__ import annotations

from dataclasses import replace

import calibration
import jax
import numpy as np
import pytest
from small_fit import quick_compile, small_likelihood

from pkpd.variation import standard


@pytest.fixture(scope="session")
def small():
    return small_likelihood(8)


@pytest.fixture(scope="session")
def points(small):
    """Flat vectors: the prior medians, and a random point of the bulk of the prior."""
    z = 0.5 * np.random.default_rng(7).normal(size=small.space.size)
    return {
        "medians": np.asarray(small.space.medians()),
        "random": np.asarray(standard.to_natural(small.space, z)),
    }


@pytest.fixture(scope="session")
def sets(small):
    """Simulated data sets at a sensible truth: observed features and shares seen, by study."""
    return calibration.data_sets(small, calibration.truth(small.space), 200, seed=1)


@pytest.fixture(scope="session")
def held(small, sets):
    """The likelihood as it is sampled: covariances held, at that truth and its usual shares."""
    truth = standard.to_natural(small.space, calibration.truth(small.space))
    with quick_compile():
        return calibration.usual(small, sets[1]).held_at(truth)


@pytest.fixture(scope="session")
def compiled(held):
    """Log-likelihood and gradient as one program of (flat, observed, what is held)."""

    def log_likelihood(flat, observed, frozen):
        pairs = zip(held.studies, observed, strict=True)
        studies = tuple(replace(s, observed=shown) for s, shown in pairs)
        return replace(held, studies=studies, frozen=frozen).log_likelihood(flat)

    posted = tuple(s.observed for s in held.studies)
    with quick_compile():
        program = jax.jit(jax.value_and_grad(log_likelihood))
        return program.lower(np.asarray(held.space.medians()), posted, held.frozen).compile()
