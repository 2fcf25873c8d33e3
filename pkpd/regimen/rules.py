"""Rules that look at what a patient shows at visits: extend, shorten, stop, re-treat."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from pkpd.errors import ModelError
from pkpd.regimen.amounts import amount_faults
from pkpd.regimen.clauses import Clause, Every, interval_faults, last_week
from pkpd.regimen.numbers import of_weeks, told
from pkpd.responses import RESPONSES

VISITS = 4.0
"""Weeks between visits where a regimen does not say."""
Act = Literal["extend", "shorten", "stop", "re-treat"]
_ON_KEPT = ("extend", "stop")
_TAKES = {
    "extend": "an interval and the weeks a response is kept",
    "stop": "the weeks a response is kept and no interval",
    "shorten": "an interval and a response that is lost",
    "re-treat": "an interval and a response that is lost",
}


@dataclass(frozen=True)
class Rule:
    """What is done at a visit that finds a response kept for `kept` weeks, or lost.

    "extend" and "stop" act on a response kept, "shorten" and "re-treat" on one lost. `interval`
    is the new one in weeks (None for "stop"); `amount` mg, None for what was given before.
    """

    act: Act
    response: str
    interval: float | None = None
    kept: float | None = None
    amount: float | None = None

    def __post_init__(self) -> None:
        faults = [] if self.response in RESPONSES else [unknown(self.response)]
        faults += [] if self.interval is None else interval_faults(self.interval)
        faults += [] if self.amount is None else amount_faults(self.amount)
        if self.act in _ON_KEPT and not (self.kept and 0 < self.kept < math.inf):
            faults.append(
                f"A response kept for {self.kept or 0:g} weeks is not kept: give weeks above 0, as "
                "in 'after EASI-75 kept for 24 weeks'."
            )
        if (self.interval is None) != (self.act == "stop") or (
            self.act not in _ON_KEPT and self.kept is not None
        ):
            faults.append(
                f"A rule to {self.act} takes {_TAKES[self.act]}: leave out what it does not take."
            )
        if faults:
            raise ModelError(*faults)

    def __str__(self) -> str:
        response, mg = RESPONSES[self.response], ""
        if self.amount is not None:
            mg = f"{told(self.amount)} mg "
        if self.act in _ON_KEPT:
            kept = "1 week" if self.kept == 1 else f"{told(self.kept or 0)} weeks"
            when = f"after {response} kept for {kept}"
        else:
            when = f"when {response} is lost"
        if self.act == "stop":
            return f"stop {when}"
        joint = ("with " if mg else "") if self.act == "re-treat" else "to "
        return f"{self.act} {joint}{mg}every {of_weeks(self.interval or 0)} {when}"


def response_named(words: str) -> str | None:
    """The response that words such as `EASI-75`, `easi 75` or `vIGA 0/1` stand for."""
    plain = re.sub(r"[^a-z0-9]", "", words.lower()).removeprefix("v").upper()
    return plain if plain in RESPONSES else None


def unknown(words: str) -> str:
    """The sentence about a response that rules do not know."""
    near = difflib.get_close_matches(words.upper(), [*RESPONSES, *RESPONSES.values()], 1, 0.6)
    meant = f"Did you mean {near[0]}? " if near else ""
    return (
        f"'{words}' is no response that is known. {meant}Known are {', '.join(RESPONSES.values())}."
    )


def rule_faults(clauses: Sequence[Clause], rules: Sequence[Rule], seen: float) -> list[str]:
    """Every rule that could never act, or that another one contradicts."""
    if not rules:
        return [] if seen == VISITS else [
            f"'seen every {of_weeks(seen)}' decides nothing: no rule looks at visits. Leave it out."
        ]  # fmt: skip
    if not clauses:
        return [f"'{rule}' has no dosing before it: begin with one." for rule in rules]
    longest, shortest = _intervals(clauses, rules)
    faults = interval_faults(seen)
    for rule in rules:
        faults += _idle(rule, clauses, rules, longest, shortest)
    return faults + [
        f"'{one}' and '{other}' contradict each other: keep one."
        for one, other in combinations(rules, 2)
        if (one.act, one.response, one.kept) == (other.act, other.response, other.kept)
    ]


def _intervals(clauses: Sequence[Clause], rules: Sequence[Rule]) -> tuple[float, float]:
    """The longest interval that dosing may have, and the shortest, in weeks."""
    own = [clause.interval for clause in clauses if isinstance(clause, Every)]
    own += [b - a for a, b in pairwise(sorted({clause.first for clause in clauses}))]
    new = [(rule.act, rule.interval) for rule in rules if rule.interval is not None]
    longest = own + [interval for act, interval in new if act != "shorten"]
    shortest = own + [interval for act, interval in new if act != "extend"]
    return max(longest, default=math.inf), min(shortest, default=0.0)


def _idle(
    rule: Rule, clauses: Sequence[Clause], rules: Sequence[Rule], longest: float, shortest: float
) -> list[str]:
    if rule.act == "extend" and (rule.interval or 0) <= shortest:
        return [
            f"'{rule}' extends nothing: doses are never less than {of_weeks(shortest)} apart. "
            "Give a longer interval."
        ]
    if rule.act == "shorten" and (rule.interval or 0) >= longest:
        return [
            f"'{rule}' shortens nothing: doses are never more than {of_weeks(longest)} apart. "
            "Give a shorter interval."
        ]
    ends = all(math.isfinite(last_week(clause)) for clause in clauses)
    if rule.act == "re-treat" and not ends and not any(r.act == "stop" for r in rules):
        return [
            f"'{rule}' never acts: the dosing before it never ends. Write 'until week N' in it, or "
            "'stop at week N', or 'stop after EASI-90 kept for 24 weeks'."
        ]
    return []
