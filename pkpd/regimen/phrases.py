"""One phrase of a regimen's text, read by itself: what it states, before it meets the others."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pkpd.errors import ModelError
from pkpd.regimen.amounts import Amount, Band, amount_faults
from pkpd.regimen.changes import WEEK, move_faults
from pkpd.regimen.clauses import interval_faults, week_faults
from pkpd.regimen.numbers import NUMBER
from pkpd.regimen.rules import Act, Rule, response_named, unknown

UNDERSTOOD = (
    "'none', '300 mg every 4 weeks', '300 mg Q4W from week 4 until week 32', "
    "'300 mg every 4 weeks x6, then every 8 weeks', "
    "'500 mg at week 0, then 250 mg every 4 weeks', 'extra 300 mg at week 2', 'stop at week 24', "
    "'miss doses 3 and 4', 'dose 5 late by 10 days', "
    "'150 mg below 60 kg, 300 mg from 60 kg, every 4 weeks', "
    "'re-treat every 4 weeks when EASI-50 is lost', "
    "'extend to every 8 weeks after EASI-75 kept for 24 weeks'"
)


@dataclass(frozen=True)
class Timed:
    """Doses at times: an amount or None for the one before; once at `first`, or at intervals."""

    amount: Amount | None
    interval: float | None
    first: float | None
    until: float | None = None
    count: float | None = None
    extra: bool = False


@dataclass(frozen=True)
class Stop:
    """No dose at `week` or later."""

    week: float


@dataclass(frozen=True)
class Changed:
    """Doses by number or by week that are missed (`days` None) or moved by so many days."""

    numbers: tuple[float, ...]
    week: float | None
    days: float | None


@dataclass(frozen=True)
class Seen:
    """Visits every `interval` weeks."""

    interval: float


@dataclass(frozen=True)
class Nothing:
    """No drug."""


Phrase = Timed | Band | Stop | Changed | Seen | Nothing | Rule

_AMOUNT = rf"(?P<amount>{NUMBER})\s*mg"
_BAND = rf"(?:extra\s+)?{_AMOUNT}"
_WEEK = rf"week\s+(?P<week>{NUMBER})"
INTERVAL = rf"(?:every\s+(?:(?P<every>{NUMBER})\s+)?weeks?|q(?P<q>{NUMBER})?w|weekly)"
_FROM = rf"(?:\s+(?:starting\s+)?(?:from|at)\s+week\s+(?P<first>{NUMBER}))?"
_UNTIL = rf"(?:\s+(?:until|to|through)\s+week\s+(?P<until>{NUMBER}))?"
_COUNT = rf"(?:\s+(?:[x×]\s*(?P<x>{NUMBER})|for\s+(?P<for>{NUMBER})\s+doses?))?"
_LIST = rf"(?P<numbers>{NUMBER}(?:\s*(?:,|and|to)\s*{NUMBER})*)"
_WHICH = rf"(?:the\s+)?doses?\s+(?:{_LIST}|(?:of|at)\s+{_WEEK})"
_BY = rf"(?P<by>{NUMBER})\s+(?P<unit>day|week)s?"
_LOST = r"when\s+(?P<response>.+?)\s+(?:is|are)\s+lost"
_KEPT = rf"after\s+(?P<response>.+?)\s+(?:is\s+)?kept\s+for\s+(?P<kept>{NUMBER})\s+weeks?"


def read_phrase(phrase: str) -> Phrase:
    """What a phrase states, its own numbers checked.

    Raises
    ------
    ModelError
        If it is not understood, or with every number in it that cannot be.
    """
    for pattern, reader in _READERS:
        if match := pattern.fullmatch(phrase):
            return reader(match)
    raise ModelError(f"'{phrase}' is not understood in a regimen. Understood are {UNDERSTOOD}.")


def _number(match: re.Match[str], name: str) -> float | None:
    found = match.groupdict().get(name)
    return None if found is None else float(found)


def _checked(faults: list[str]) -> None:
    if faults:
        raise ModelError(*faults)


def _interval(match: re.Match[str]) -> float:
    return float(match["every"] or match["q"] or 1)


def _every(match: re.Match[str]) -> Timed:
    amount, first, until = (_number(match, name) for name in ("amount", "first", "until"))
    counts = [c for name in ("x", "for") if (c := _number(match, name)) is not None]
    faults = [] if amount is None else amount_faults(amount)
    faults += [] if first is None else week_faults(first)
    faults += interval_faults(_interval(match))
    if counts and not (counts[0] >= 1 and counts[0].is_integer()):
        faults.append(f"'x{counts[0]:g}' is no number of doses: write a whole one, as in 'x6'.")
    if counts and until is not None:
        faults.append(
            f"'{match[0]}' ends twice, after {counts[0]:g} doses and at week {until:g}: keep one."
        )
    _checked(faults)
    return Timed(amount, _interval(match), first, until, counts[0] if counts else None)


def _once(match: re.Match[str]) -> Timed:
    amount, week = _number(match, "amount"), _number(match, "week")
    week = 0.0 if week is None else week
    _checked(([] if amount is None else amount_faults(amount)) + week_faults(week))
    return Timed(amount, None, week, extra="extra" in match[0])


def _band(match: re.Match[str]) -> Band:
    low, high = _number(match, "low"), _number(match, "high")
    amount = float(match["amount"])
    low, high = 0.0 if low is None else low, math.inf if high is None else high
    faults = amount_faults(amount)
    if not 0 <= low < high or (low == 0 and math.isinf(high)):
        faults.append(
            f"'{match[0]}' holds for no weight or for all: give weights above 0 kg, the lower "
            "first, as in '200 mg from 60 to 80 kg'."
        )
    _checked(faults)
    return Band(amount, low, high)


def _stop(match: re.Match[str]) -> Stop:
    if float(match["week"]) < 0:
        raise ModelError(f"'{match[0]}' is before the start: weeks count from 0.")
    return Stop(float(match["week"]))


def _changed(match: re.Match[str]) -> Changed:
    days = _number(match, "by")
    if days is not None:
        days *= WEEK if match["unit"] == "week" else 1
        _checked(move_faults(days))
        days = -days if "early" in match[0] else days
    week = _number(match, "week")
    return Changed(_numbers(match["numbers"] or ""), week, days)


def _numbers(text: str) -> tuple[float, ...]:
    """`3, 5 and 7 to 9` as numbers of doses."""
    found: list[float] = []
    for word in re.split(r"\s*(?:,|and)\s*", text) if text else []:
        ends = [float(end) for end in re.split(r"\s*to\s*", word)]
        if len(ends) > 1 and not 0 <= ends[-1] - ends[0] < 1000:
            raise ModelError(f"'{word}' is no range of doses: give the lower number first.")
        found += [ends[0] + k for k in range(int(ends[-1] - ends[0]) + 1)]
    return tuple(found)


def _rule(act: Act) -> Callable[[re.Match[str]], Rule]:
    def read(match: re.Match[str]) -> Rule:
        interval = None if act == "stop" else _interval(match)
        kept, amount = _number(match, "kept"), _number(match, "amount")
        response, faults = response_named(match["response"]), []
        if response is None:
            faults.append(unknown(match["response"]))
        try:
            found = Rule(act, response or "EASI50", interval, kept, amount)
        except ModelError as error:
            raise ModelError(*faults, *error.said) from None
        _checked(faults)
        return found

    return read


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(parts))


_READERS = cast(
    "tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Phrase]], ...]",
    (
        (_pattern(rf"(?:{_AMOUNT}\s+)?", INTERVAL, _COUNT, _FROM, _UNTIL), _every),
        (_pattern(r"(?:extra\s+)?", _AMOUNT, r"\s+at\s+", _WEEK), _once),
        (_pattern(r"extra\s+dose\s+at\s+", _WEEK), _once),
        (_pattern(r"at\s+", _WEEK), _once),
        (_pattern(_AMOUNT, rf"\s+loading\s+dose(?:\s+at\s+{_WEEK})?"), _once),
        (_pattern(r"(?:a\s+)?loading\s+dose\s+of\s+", _AMOUNT, rf"(?:\s+at\s+{_WEEK})?"), _once),
        (_pattern(_BAND, rf"\s+(?:below|under)\s+(?P<high>{NUMBER})\s*kg"), _band),
        (
            _pattern(
                _BAND,
                rf"\s+from\s+(?P<low>{NUMBER})(?:\s*kg)?\s+to\s+(?:below\s+)?(?P<high>{NUMBER})\s*kg",
            ),
            _band,
        ),
        (_pattern(_BAND, rf"\s+from\s+(?P<low>{NUMBER})\s*kg(?:\s+on)?"), _band),
        (_pattern(r"stop\s+at\s+", _WEEK), _stop),
        (_pattern(r"(?:miss|skip)\s+", _WHICH), _changed),
        (_pattern(_WHICH, rf"\s+(?:late|early)\s+by\s+{_BY}"), _changed),
        (_pattern(_WHICH, rf"\s+{_BY}\s+(?:late|early)"), _changed),
        (_pattern(r"seen\s+", INTERVAL), lambda match: _seen(match)),
        (
            _pattern(rf"extend\s+(?:to\s+)?(?:{_AMOUNT}\s+)?", INTERVAL, r"\s+", _KEPT),
            _rule("extend"),
        ),
        (
            _pattern(rf"shorten\s+(?:to\s+)?(?:{_AMOUNT}\s+)?", INTERVAL, r"\s+", _LOST),
            _rule("shorten"),
        ),
        (_pattern(r"stop\s+", _KEPT), _rule("stop")),
        (
            _pattern(rf"re-?\s?treat\s+(?:with\s+{_AMOUNT}\s+)?", INTERVAL, r"\s+", _LOST),
            _rule("re-treat"),
        ),
        (_pattern("none"), lambda match: Nothing()),
    ),
)


def _seen(match: re.Match[str]) -> Seen:
    _checked(interval_faults(_interval(match)))
    return Seen(_interval(match))
