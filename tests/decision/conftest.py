"""A question without a posterior: shares by draw made by hand; a small likelihood of the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pkpd import library
from pkpd.arm_level.problem import likelihood as build
from pkpd.data.arms import read_arms
from pkpd.decision.asked import DecisionAsked
from pkpd.decision.quantities import Regimens
from pkpd.settings import Loss, read_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def small():
    """The real data with eight patients an arm."""
    settings = read_settings(ROOT / "fits/ox40_extension/fit.toml")
    few = settings.patients.model_copy(update={"count": 8})
    settings = settings.model_copy(update={"patients": few})
    pk = {drug: library.load(name) for drug, name in settings.drugs.items()}
    data = read_arms(ROOT / "fits/data/ox40_trials")
    return build(settings, data, library.load(settings.model), pk, 7.0)


@pytest.fixture(scope="session")
def asked():
    return DecisionAsked(
        margin=0.1,
        kept_share=0.8,
        probability=0.75,
        level=0.5,
        intervals=(4.0, 8.0),
        weeks=(76.0,),
        endpoint="EASI75",
        estimand="NRI",
        drugs=("rocatinlimab",),
        loss=Loss(kept=0.0, lost=1.0, injection=0.01),
    )


@pytest.fixture(scope="session")
def regimens():
    return Regimens(("Q4W", "Q8W", "stop"), (4.0, 8.0, np.inf), np.array([24.0, 76.0]))


@pytest.fixture(scope="session")
def share():
    """Four draws, one group; all respond at week 24, so many at week 76 on Q4W, Q8W and stop."""
    last = np.array([[0.8, 0.8, 0.4], [0.8, 0.75, 0.3], [0.8, 0.65, 0.2], [0.6, 0.61, 0.61]])
    return np.stack([np.ones_like(last), last], axis=-1)[:, None]
