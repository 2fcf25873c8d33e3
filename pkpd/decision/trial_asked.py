"""A planned re-randomised trial, as asked about: its arms, sizes and test, checked together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from pkpd.decision.asked import unfitted
from pkpd.decision.power import Design
from pkpd.decision.score_test import MIETTINEN, TESTS
from pkpd.decision.sizing import MOST
from pkpd.errors import DataError, Fault
from pkpd.prediction.checks import close
from pkpd.prediction.estimands import NRI, ON_TREATMENT, POLICY
from pkpd.prediction.plan import STOP
from pkpd.responses import RESPONSES
from pkpd.settings import Predictions, Question, Settings

DRAWS, WEEK = 1000, 72.0
ARM = re.compile(r"Q(\d+(?:\.\d+)?)W", re.IGNORECASE)
SHARES = ("margin", "one_sided_level", "wanted", "level")
ANALYSED = (NRI, ON_TREATMENT, POLICY)
"""Estimands under which each patient randomised is a success or a failure, and seen to be."""
NOT_ANALYSED = {
    "hypothetical": "what those who leave would have shown is never seen: no trial can count it",
    "observed": "those who come are not all who were randomised, and how many come is chance: "
    "the test compares arms as randomised",
}


@dataclass(frozen=True)
class TrialAsked:
    """Responders of an induction re-randomised at selection, alike many to each arm.

    `arms` are `Q8W` and so on, or `stop`; the first is the reference. `sizes` are patients an arm,
    one answer each; with `wanted` the size is searched that reaches this assurance. Responders at
    `week` are compared under `estimand`, one of `ANALYSED`. `level` is that of intervals.
    """

    arms: tuple[str, ...]
    sizes: tuple[int, ...]
    wanted: float | None
    margin: float
    one_sided_level: float
    test: str
    week: float
    endpoint: str
    estimand: str
    drugs: tuple[str, ...]
    level: float
    draws: int = DRAWS
    patients: int = 512
    seed: int = 1

    @property
    def design(self) -> Design:
        """The test."""
        return Design(self.margin, self.one_sided_level, self.test)

    @property
    def intervals(self) -> tuple[float, ...]:
        """Weeks between doses of each arm; infinity where dosing stops."""
        return tuple(interval_of(arm) for arm in self.arms)

    def questions(self, asked: Predictions) -> tuple[Question, ...]:
        """The fit's questions about the drugs asked for."""
        return tuple(q for q in asked.questions if q.drug in self.drugs)

    def predictions(self, asked: Predictions) -> Predictions:
        """The settings under which the arms are followed: to the visit where they are compared.

        The fit's visits before it count while on treatment; else they do not matter.
        """
        finite = tuple(sorted(each for each in self.intervals if math.isfinite(each)))
        before = asked.weeks if self.estimand == ON_TREATMENT else ()
        between = {week for week in before if asked.selection_week < week < self.week}
        return asked.model_copy(
            update={
                "weeks": (asked.selection_week, *sorted(between), self.week),
                "intervals": finite,
                "patients": self.patients,
                "seed": self.seed,
            }
        )


def interval_of(arm: str) -> float:
    """Weeks between doses of `Q8W`; infinity for `stop`; NaN for a word that is neither."""
    match = ARM.fullmatch(arm)
    if match:
        return float(match.group(1))
    return math.inf if arm.lower() == STOP else math.nan


def trial_asked(settings: Settings, options: Mapping[str, Any]) -> TrialAsked:
    """The settings' own numbers with `options` in their place.

    Raises
    ------
    DataError
        Listing every unknown word and number out of range.
    """
    told = {name: value for name, value in options.items() if value is not None}
    asked = settings.predictions
    known = [field.name for field in fields(TrialAsked)]
    faults = [
        Fault(f"option '{name}'", "there is none of this name", close(name, known))
        for name in told
        if name not in known
    ]
    made = replace(_base(asked), **{k: v for k, v in told.items() if k in known})
    faults += [
        *_arms(made),
        *_numbers(made, asked),
        *_words(made, asked),
        *unfitted(made.endpoint, settings),
    ]
    if faults:
        raise DataError(faults)
    return made


def _base(asked: Predictions) -> TrialAsked:
    return TrialAsked(
        arms=tuple(f"Q{interval:g}W" for interval in sorted(asked.intervals)),
        sizes=(),
        wanted=None,
        margin=asked.margin,
        one_sided_level=0.025,
        test=MIETTINEN,
        week=WEEK if asked.selection_week < WEEK else max(asked.weeks),
        endpoint=asked.endpoints[0],
        estimand=NRI,
        drugs=tuple(dict.fromkeys(question.drug for question in asked.questions)),
        level=asked.level,
        patients=asked.patients,
        seed=asked.seed,
    )


def _arms(made: TrialAsked) -> Iterator[Fault]:
    for place, (arm, interval) in enumerate(zip(made.arms, made.intervals, strict=True)):
        if math.isnan(interval):
            yield Fault(f"arm '{arm}'", "not a regimen that is understood", "Write Q8W, or stop")
        elif interval <= 0:
            yield Fault(f"arm '{arm}'", "weeks between doses must be above 0", "Or write stop")
        elif place == 0 and math.isinf(interval):
            found = "the reference is the arm that others may not fall short of"
            yield Fault(f"arm '{arm}'", found, "Put a dosing interval first")
    if len({*made.intervals}) < len(made.arms):
        yield Fault("arms", "one is given twice", "Give each once")
    if len(made.arms) < 2:
        yield Fault("arms", "a reference and one more are needed", "Write Q4W,Q8W")


def _numbers(made: TrialAsked, asked: Predictions) -> Iterator[Fault]:
    for name in SHARES:
        value = getattr(made, name)
        if value is not None and not 0 < value < 1:
            yield Fault(f"{name} {value:g}", "not within 0 and 1", "Give a share, such as 0.1")
    for size in made.sizes:
        if not (float(size).is_integer() and 2 <= size <= MOST):
            yield Fault(f"n {size:g}", f"not a whole number from 2 to {MOST}", "Patients an arm")
    if not made.sizes and made.wanted is None:
        yield Fault("n", "no size is given", "Give patients an arm, or the assurance wanted")
    for name in ("draws", "patients"):
        if getattr(made, name) < 4:
            yield Fault(f"{name} {getattr(made, name)}", "too few", "Give 4 or more")
    if not (math.isfinite(made.week) and made.week > asked.selection_week):
        found = f"responders are re-randomised at week {asked.selection_week:g}"
        yield Fault(f"week {made.week:g}", found, "Give a week after it")


def _words(made: TrialAsked, asked: Predictions) -> Iterator[Fault]:
    drugs = tuple(dict.fromkeys(question.drug for question in asked.questions))
    if not drugs:
        yield Fault("predictions.questions", "none in fit.toml", "Add [[predictions.questions]]")
    pairs = [("drug", drug, drugs) for drug in made.drugs]
    pairs += [("endpoint", made.endpoint, RESPONSES), ("test", made.test, TESTS)]
    if made.estimand in NOT_ANALYSED:
        found = NOT_ANALYSED[made.estimand]
        yield Fault(f"estimand '{made.estimand}'", found, f"Ask for {' or '.join(ANALYSED)}")
    else:
        pairs.append(("estimand", made.estimand, ANALYSED))
    for name, word, known in pairs:
        if word not in known:
            yield Fault(f"{name} '{word}'", f"no such {name} here", close(word, known))
