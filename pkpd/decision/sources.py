"""All that one question is answered from: models, the prior, models stacked, scaled posteriors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pkpd.decision.asked import DecisionAsked
from pkpd.decision.groups import Groups
from pkpd.decision.quantities import Regimens
from pkpd.decision.scaling import Scaling
from pkpd.decision.weighed import Weighed, stacked
from pkpd.settings import Question

STACKED = "stacked"


@dataclass(frozen=True)
class Sources:
    """One question's shares by source.

    `models` has the fit's own model first, then those it is compared with, and `STACKED` where
    there are weights to stack by. `flags` has, for each week, a sentence a regimen; `scaling` is of
    the own model's draws.
    """

    question: Question
    asked: DecisionAsked
    regimens: Regimens
    groups: Groups
    models: Mapping[str, Weighed]
    prior: Weighed | None
    scaling: Scaling | None
    flags: Mapping[float, tuple[str, ...]]

    @property
    def own(self) -> str:
        """The fit's own model."""
        return next(iter(self.models))


def with_stacked(models: Mapping[str, Weighed], weights: Mapping[str, float]) -> dict[str, Weighed]:
    """The models, and all of them stacked if each has a weight and there are several."""
    known = all(np.isfinite(weights.get(name, np.nan)) for name in models)
    if len(models) < 2 or not known:
        return dict(models)
    each = [weights[name] for name in models]
    return {**models, STACKED: stacked(list(models.values()), each)}
