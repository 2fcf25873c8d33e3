"""What stands beside a model's answer: the prior's, those of scaled posteriors, the sensitivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pkpd.decision.asked import DecisionAsked
from pkpd.decision.quantities import BEHIND, ByDraw, Summary, by_draw, choices, summaries
from pkpd.decision.scaling import COMPONENTS, Scaling, sensitivity
from pkpd.decision.sources import Sources

Said = Mapping[str, Summary]


@dataclass(frozen=True)
class Beside:
    """At one week: what the prior says, what each reliably scaled posterior says, the draws."""

    asked: DecisionAsked
    prior: Said | None = None
    tried: Sequence[Said] = ()
    drawn: ByDraw | None = None
    scaling: Scaling | None = None

    def of(self, quantity: str, g: int, r: int) -> dict[str, float]:
        """Columns beside one quantity of a group and regimen."""
        return {
            **_prior(self.prior, quantity, g, r),
            **_ends([said[quantity].value[g, r] for said in self.tried]),
            **{f"{name}_sensitivity": self._sensitive(name, quantity, g, r) for name in COMPONENTS},
        }

    def _sensitive(self, component: str, quantity: str, g: int, r: int) -> float:
        behind = BEHIND.get(quantity)
        if self.scaling is None or self.drawn is None or behind is None:
            return np.nan
        return sensitivity(self.drawn[behind][:, g, r], self.scaling, component)

    def chosen(self, name: str, g: int, intervals: Sequence[float]) -> dict[str, float]:
        """Columns beside one decision of a group, in weeks between doses."""
        known = [] if self.prior is None else [self.prior]
        before, after = (
            [_weeks(getattr(choices(said, self.asked), name)[g], intervals) for said in several]
            for several in (known, self.tried)
        )
        return {"prior_value": before[0] if before else np.nan, **_ends(after)}


def beside(sources: Sources, week: float) -> Beside:
    """What stands beside the own model's answer at one week."""
    asked, level = sources.asked, sources.asked.level
    drawn = by_draw(sources.models[sources.own].share, sources.regimens, asked, week)
    tried = [s for s in sources.scaling.tried if s.reliable] if sources.scaling else []
    prior = None
    if sources.prior is not None:
        found = by_draw(sources.prior.share, sources.regimens, asked, week)
        prior = summaries(found, sources.prior.weight, level)
    said = [summaries(drawn, each.weight, level) for each in tried]
    return Beside(asked, prior, said, drawn, sources.scaling)


def _prior(prior: Said | None, quantity: str, g: int, r: int) -> dict[str, float]:
    if prior is None:
        return {}
    found = prior[quantity]
    return {
        "prior_value": found.value[g, r],
        "prior_lower": found.lower[g, r],
        "prior_upper": found.upper[g, r],
    }


def _ends(values: Sequence[float]) -> dict[str, float]:
    """The least and greatest answer under scaled priors and likelihoods."""
    known = [value for value in values if not np.isnan(value)]
    return {"scaled_least": min(known), "scaled_greatest": max(known)} if known else {}


def _weeks(place: int | None, intervals: Sequence[float]) -> float:
    return np.nan if place is None else float(intervals[place])
