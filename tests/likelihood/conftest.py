"""The small likelihood, the points where it is looked at, and its gradient compiled once."""

from __future__ import annotations

from dataclasses import replace

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
def compiled(small):
    """Log-likelihood and gradient as one program of (flat, observed, share seen by study)."""

    def log_likelihood(flat, observed, seen):
        studies = tuple(
            replace(s, observed=shown, share_seen=share)
            for s, shown, share in zip(small.studies, observed, seen, strict=True)
        )
        return replace(small, studies=studies).log_likelihood(flat)

    posted = tuple(s.observed for s in small.studies), tuple(s.share_seen for s in small.studies)
    with quick_compile():
        return jax.jit(jax.value_and_grad(log_likelihood)).lower(
            np.asarray(small.space.medians()), *posted
        ).compile()  # fmt: skip
