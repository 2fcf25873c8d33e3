"""One question answered by every model at hand: the same virtual patients, regimens and visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from pkpd.arm_level.problem import Likelihood
from pkpd.decision.asked import DecisionAsked
from pkpd.decision.drawn import Asked, Kept, kept_beside, kept_by_draw
from pkpd.decision.groups import Groups, groups
from pkpd.decision.quantities import Regimens
from pkpd.decision.scaling import Scaling
from pkpd.decision.sources import Sources, with_stacked
from pkpd.decision.weighed import Weighed, even
from pkpd.prediction.estimands import Outcome
from pkpd.prediction.plan import Plan, plan
from pkpd.prediction.seen import flag, seen
from pkpd.prediction.simulated import Draws, people_for, random_of
from pkpd.settings import Question

LEAVING = 0.5
"""Share of the patients followed after leaving as well: of those who leave, only a mean is used."""
BRIEF = 250
"""Draws behind an answer in brief, or a rival's, about: every so many of those there are."""
_TURN = Lock()
"""Draws are solved for one question at a time, while others make patients or sum up."""


@dataclass(frozen=True)
class Contender:
    """A model with draws of its posterior: the fit's own, or one compared with it.

    `by_arm` are the draws' log-likelihoods, where they were stored.
    """

    likelihood: Likelihood
    draws: Draws
    by_arm: np.ndarray | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.likelihood.disease.name

    @property
    def count(self) -> int:
        """How many draws there are."""
        return len(next(iter(self.draws.values())))

    @property
    def every(self) -> int:
        """Every so many of its draws are some `BRIEF`."""
        return max(1, self.count // BRIEF)


@dataclass(frozen=True)
class Evidence:
    """What every question is answered from.

    The fit's own model is the first contender; `prior` draws are of it, `scaling` of its draws;
    `weights` stack the models, where known.
    """

    contenders: Sequence[Contender]
    prior: Draws | None = None
    scaling: Scaling | None = None
    weights: Mapping[str, float] | None = None


def answered(question: Question, evidence: Evidence, asked: DecisionAsked) -> list[Sources]:
    """Follow the question's responders under every model, and under the prior.

    First the outcome asked about, in full, of rivals by some `BRIEF` draws; then `asked.others` in
    brief: the fit's own model and its prior, all patients, some `BRIEF` draws.
    """
    own = under(evidence.contenders[0].likelihood, asked)
    scored = [random_of(each.likelihood.disease) for each in evidence.contenders]
    made = plan(own, question, scored=tuple(dict.fromkeys(sum(scored, ()))), leaving=LEAVING)
    who = groups_of(own, question, asked)
    first, *rivals = evidence.contenders
    wanted = dict.fromkeys(asked.others, who.everybody.member)
    draws, few = joined(first.draws, evidence.prior), first.every
    chosen = {asked.outcome: who.member}
    with _TURN:
        kept = kept_beside(first.likelihood, made, draws, chosen, wanted, few)
        others = [_rival(each, made, chosen) for each in rivals]
    models = {first.name: even(kept[asked.outcome].share[: first.count])}
    models |= {each.name: even(found.share) for each, found in zip(rivals, others, strict=True)}
    full = Sources(
        question=question,
        asked=asked,
        regimens=Regimens(made.labels, made.intervals, made.weeks),
        groups=who,
        models=with_stacked(models, evidence.weights or {}),
        prior=_prior(kept[asked.outcome], first.count),
        scaling=evidence.scaling,
        flags=_flags(own, made, asked.weeks),
    )
    count = -(-first.count // few)
    return [full, *(_brief(full, each, kept[each], count) for each in wanted)]


def _rival(model: Contender, made: Plan, chosen: Asked) -> Kept:
    """What some `BRIEF` draws of another model say of the outcome chosen."""
    some = {name: value[:: model.every] for name, value in model.draws.items()}
    (found,) = kept_by_draw(model.likelihood, made, some, chosen).values()
    return found


def _brief(full: Sources, outcome: Outcome, kept: Kept, count: int) -> Sources:
    """Another outcome of the same patients: the own model's `count` draws, then the prior's."""
    return replace(
        full,
        asked=full.asked.about(outcome),
        groups=full.groups.everybody,
        models={full.own: even(kept.share[:count])},
        prior=_prior(kept, count),
        scaling=None,
    )


def _prior(kept: Kept, count: int) -> Weighed | None:
    """The shares by draw of the prior, which follow the `count` draws of the posterior."""
    return even(kept.share[count:]) if len(kept.share) > count else None


def under(likelihood: Likelihood, asked: DecisionAsked) -> Likelihood:
    """The same likelihood, asked about these regimens and weeks."""
    predictions = asked.predictions(likelihood.settings.predictions)
    settings = likelihood.settings.model_copy(update={"predictions": predictions})
    return replace(likelihood, settings=settings)


def groups_of(likelihood: Likelihood, question: Question, asked: DecisionAsked) -> Groups:
    """The subgroups of a question's virtual patients."""
    people = people_for(likelihood, question.drug, runs=1)
    return groups(people.covariates["wt"][0], people.easi[0], asked.cuts)


def joined(draws: Draws, more: Draws | None) -> Draws:
    """Draws, then more draws of the same variables; those of a joint fit's individuals are not."""
    if more is None:
        return draws
    return {name: np.concatenate([draws[name], value]) for name, value in more.items()}


def _flags(
    likelihood: Likelihood, made: Plan, weeks: Sequence[float]
) -> dict[float, tuple[str, ...]]:
    known = seen(likelihood, made.question.drug)
    places = range(len(made.labels))
    return {week: tuple(flag(made, known, r, week) for r in places) for week in weeks}
