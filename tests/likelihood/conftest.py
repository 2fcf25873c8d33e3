"""The small likelihood, the points where it is looked at, and its gradient compiled once."""

from __future__ import annotations

import calibration
import numpy as np
import pytest
from small_fit import small_likelihood

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
    return calibration.compiled(small)


@pytest.fixture(scope="session")
def posted(small):
    """Observed features and the share behind each mean, by study: what `compiled` takes."""
    return tuple(s.observed for s in small.studies), tuple(s.share_seen for s in small.studies)
