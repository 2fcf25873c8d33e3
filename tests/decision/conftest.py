"""A question without a posterior: shares by draw made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pkpd.decision.asked import DecisionAsked
from pkpd.decision.quantities import Regimens
from pkpd.settings import Loss


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
