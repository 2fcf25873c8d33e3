"""Draws made by hand, with the faults that checks must find."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest


@pytest.fixture(scope="session")
def tree_of():
    """Give back a function that makes a tree of independent draws, with faults on demand."""

    def make(*, shift=0.0, repeat=1, diverging=0, deep=0, sticky=False):
        random = np.random.default_rng(1)
        fresh = random.normal(size=(4, 500 // repeat, 3))
        many = np.repeat(fresh, repeat, axis=1)
        many[0, :, 1] += shift
        energy = random.normal(size=(4, 500))
        if sticky:
            energy = np.cumsum(0.1 * energy, axis=1)
        flags = np.zeros((4, 500), bool)
        flags.ravel()[:diverging] = True
        depth = np.full((4, 500), 3)
        depth.ravel()[:deep] = 6
        return az.from_dict(
            {
                "posterior": {"ec50": many[..., 0], "gamma_trial": many[..., 1:]},
                "sample_stats": {"diverging": flags, "energy": energy, "depth": depth},
            },
            dims={"gamma_trial": ["trial"]},
            coords={"trial": ["one", "two"]},
        )

    return make
