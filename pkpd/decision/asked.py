"""What a decision is asked: numbers of fit.toml, or one's own in their place, checked together."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from pkpd.decision.groups import Cuts
from pkpd.errors import DataError, Fault
from pkpd.prediction.checks import close
from pkpd.prediction.estimands import ESTIMANDS, Outcome
from pkpd.responses import IGA, RESPONSES
from pkpd.settings import Loss, Predictions, Question, Settings

WEEKS = (52.0, 72.0, 104.0)
DRAWS = 1000
SHARES = ("margin", "kept_share", "probability", "level")


@dataclass(frozen=True)
class DecisionAsked:
    """Everything a decision rests on besides the posterior.

    `margin` is the loss of response against the reference that is tolerated, `kept_share` the
    share of the reference's response that is to be kept, `probability` how surely; `level` is that
    of intervals. `drugs` are those asked about, `beside` other endpoints to be answered in brief.
    The shortest interval is the reference.
    """

    margin: float
    kept_share: float
    probability: float
    level: float
    intervals: tuple[float, ...]
    weeks: tuple[float, ...]
    endpoint: str
    estimand: str
    drugs: tuple[str, ...]
    loss: Loss
    beside: tuple[str, ...] = ()
    weight_cut: float | None = None
    easi_cut: float | None = None
    draws: int = DRAWS
    patients: int = 512
    seed: int = 1

    @property
    def cuts(self) -> Cuts:
        """Where subgroups are split."""
        return Cuts(self.weight_cut, self.easi_cut)

    @property
    def outcome(self) -> Outcome:
        """What is asked about."""
        return Outcome(self.endpoint, self.estimand)

    def about(self, outcome: Outcome) -> DecisionAsked:
        """The same, asked about another outcome."""
        return replace(self, endpoint=outcome.endpoint, estimand=outcome.estimand)

    @property
    def others(self) -> tuple[Outcome, ...]:
        """Outcomes answered in brief: the endpoint and those beside it, under every estimand."""
        endpoints = (self.endpoint, *self.beside)
        every = (Outcome(endpoint, name) for endpoint in endpoints for name in ESTIMANDS)
        return tuple(dict.fromkeys(each for each in every if each != self.outcome))

    def questions(self, asked: Predictions) -> tuple[Question, ...]:
        """The fit's questions about the drugs asked for."""
        return tuple(q for q in asked.questions if q.drug in self.drugs)

    def predictions(self, asked: Predictions) -> Predictions:
        """The settings under which the asked regimens are followed: weeks and intervals of here."""
        last = max(self.weeks)
        visits = {week for week in asked.weeks if week <= last} | {*self.weeks}
        return asked.model_copy(
            update={
                "weeks": tuple(sorted(visits)),
                "intervals": self.intervals,
                "patients": self.patients,
                "seed": self.seed,
            }
        )


def decision_asked(settings: Settings, options: Mapping[str, Any]) -> DecisionAsked:
    """The settings' own numbers with `options` in their place.

    Raises
    ------
    DataError
        Listing every unknown word, number out of range, and question that the fit cannot answer.
    """
    told = {name: value for name, value in options.items() if value is not None}
    made, faults = _made(settings.predictions, told)
    faults += [*_unknown(told), *_ranges(made), *_words(made, settings)]
    faults += _times(made, settings.predictions)
    if faults:
        raise DataError(faults)
    return made


def _made(asked: Predictions, told: Mapping[str, Any]) -> tuple[DecisionAsked, list[Fault]]:
    last = max(asked.weeks, default=0.0)
    base = DecisionAsked(
        margin=asked.margin,
        kept_share=asked.kept_share,
        probability=asked.probability,
        level=asked.level,
        intervals=asked.intervals,
        weeks=tuple(week for week in WEEKS if week <= last) or (last,),
        endpoint=asked.endpoints[0],
        estimand="hypothetical",
        drugs=tuple(dict.fromkeys(question.drug for question in asked.questions)),
        loss=asked.loss,
        patients=asked.patients,
        seed=asked.seed,
    )
    known = {field.name for field in fields(base)}
    own = {name: value for name, value in told.items() if name in known and name != "loss"}
    loss, faults = _loss(asked.loss, told.get("loss") or {})
    made = replace(base, **own, loss=loss)
    return replace(made, intervals=tuple(sorted(made.intervals))), faults


def _loss(base: Loss, own: Mapping[str, float]) -> tuple[Loss, list[Fault]]:
    """The loss table with some of its numbers replaced."""
    known = tuple(Loss.model_fields)
    faults = [
        Fault(f"loss, '{name}'", "no such loss", close(name, known))
        for name in own
        if name not in known
    ]
    faults += [
        Fault(f"loss, {name} {value:g}", "not a number from 0 on", "Give 0 or more")
        for name, value in own.items()
        if not (math.isfinite(value) and value >= 0)
    ]
    return (base if faults else base.model_copy(update=dict(own))), faults


def _unknown(told: Mapping[str, Any]) -> Iterator[Fault]:
    names = [field.name for field in fields(DecisionAsked)]
    for name in told:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Options: {', '.join(names)}"
            yield Fault(f"option '{name}'", "there is none of this name", remedy)


def _ranges(made: DecisionAsked) -> Iterator[Fault]:
    for name in SHARES:
        value = getattr(made, name)
        if not 0 < value < 1:
            yield Fault(
                f"{name} {value:g}", "not within 0 and 1", "Give a share, such as 0.1 for 10 %"
            )
    for name in ("draws", "patients"):
        value = getattr(made, name)
        if value < 1:
            yield Fault(f"{name} {value}", "none are left", "Give 1 or more")
    for name in ("weight_cut", "easi_cut"):
        value = getattr(made, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            yield Fault(f"{name} {value:g}", "not a number above 0", "Give kg, or points of EASI")


def _words(made: DecisionAsked, settings: Settings) -> Iterator[Fault]:
    asked = tuple(dict.fromkeys(q.drug for q in settings.predictions.questions))
    if not asked:
        yield Fault("predictions.questions", "none in fit.toml", "Add [[predictions.questions]]")
    pairs = [("drug", drug, asked) for drug in made.drugs]
    endpoints = dict.fromkeys((made.endpoint, *made.beside))
    pairs += [("endpoint", endpoint, RESPONSES) for endpoint in endpoints]
    pairs.append(("estimand", made.estimand, ESTIMANDS))
    for name, word, known in pairs:
        if word not in known:
            yield Fault(f"{name} '{word}'", f"no such {name} in the fit", close(word, known))
    yield from unfitted(made.endpoint, settings)


def unfitted(endpoint: str, settings: Settings) -> Iterator[Fault]:
    """The fault of asking for IGA 0/1 of a fit without: the EASI says nothing of its threshold."""
    if endpoint == IGA and all(each.endpoint != IGA for each in settings.endpoints):
        found = "no IGA 0/1 is fitted: where it begins is the prior's guess alone"
        remedy = "Ask for a fall in EASI, or add it to [[endpoints]] of fit.toml"
        yield Fault(f"endpoint '{endpoint}'", found, remedy)


def _times(made: DecisionAsked, asked: Predictions) -> Iterator[Fault]:
    for interval in made.intervals:
        if not (math.isfinite(interval) and interval > 0):
            found = "weeks between doses must be above 0"
            yield Fault(f"interval {interval:g}", found, "Stopping is always among the regimens")
    if len({*made.intervals}) < len(made.intervals):
        yield Fault("intervals", "one is given twice", "Give each once")
    if not made.intervals:
        yield Fault("intervals", "there are none", "Give at least one, such as 4")
    for week in made.weeks:
        if not (math.isfinite(week) and week > asked.selection_week):
            yield Fault(
                f"week {week:g}",
                f"responders are re-randomised at week {asked.selection_week:g}",
                "Give weeks after it",
            )
    if not made.weeks:
        yield Fault("weeks", "there are none", "Give at least one, such as 72")
