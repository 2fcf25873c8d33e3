"""Regimens in words: the grammar that is read. `writing` gives the form that is written.

    regimen   clause { "," clause | ", then" clause | "and" clause } { "," change | "," rule }
    clause    "none"
              [dose] "every" N "weeks" ["x" COUNT] ["from week" W] ["until week" W]
              ["extra"] dose "at week" W    |    "extra dose at week" W
              AMOUNT "mg loading dose" ["at week" W]
              "stop at week" W
    dose      AMOUNT "mg"
              band "," band { "," band } ","    (no weight left out, none in two bands)
    band      AMOUNT "mg below" KG "kg"
              AMOUNT "mg from" KG ["to" KG] "kg"
    change    "miss" which    |    which "late by" N "days"    |    which "early by" N "days"
    which     "dose" N    |    "doses" N, N "and" N    |    "the dose at week" W
    rule      "extend to" [AMOUNT "mg"] "every" N "weeks after" RESPONSE "kept for" N "weeks"
              "shorten to" [AMOUNT "mg"] "every" N "weeks when" RESPONSE "is lost"
              "stop after" RESPONSE "kept for" N "weeks"
              "re-treat" ["with" AMOUNT "mg"] "every" N "weeks when" RESPONSE "is lost"
              "seen every" N "weeks"

`Q4W` stands for `every 4 weeks`, `weekly` for `every week`, `skip` for `miss`. An amount left out
is the one of the clause before. Capitals do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from pkpd.errors import ModelError
from pkpd.regimen.amounts import Band, Bands
from pkpd.regimen.changes import Change, change_faults
from pkpd.regimen.clauses import Clause
from pkpd.regimen.joining import Join, Said, joined, named
from pkpd.regimen.numbers import NUMBER, listed, of_weeks
from pkpd.regimen.phrases import UNDERSTOOD, Changed, Nothing, Seen, Stop, Timed, read_phrase
from pkpd.regimen.rules import VISITS, Rule, rule_faults

Parts = tuple[tuple[Clause, ...], tuple[Change, ...], tuple[Rule, ...], float]

_JOIN = re.compile(
    rf"\s*[,;](?!\s*{NUMBER}\s*(?:,|;|$|and\b|to\b|late\b|early\b|days?\b))\s*(?:(then)\s+)?"
    rf"|\s+(then)\s+|\s+(and)\s+(?=(?:extra\s+)?{NUMBER}\s*mg\b)"
)
_BANDED = re.compile(r"(?<=\bkg)\s+(?=every\b|q[\d.]*w\b|weekly\b|at\s+week\b)")


_NO_SCHEDULE = re.compile(
    r"(?:extend|shorten|re-?\s?treat|stop\s+after|miss|skip|(?:the\s+)?doses?|seen)\b"
)


def parse(text: str) -> Parts:
    """Clauses, changes, rules and the weeks between visits that a text states.

    Raises
    ------
    ModelError
        With every phrase that is not understood or states nonsense. What depends on the schedule
        is looked at once the schedule itself is understood.
    """
    said, faults = _read(text)
    timed, more = _with_bands(said)
    faults += more
    clauses: tuple[Clause, ...] = ()
    changes: tuple[Change, ...] = ()
    rules = tuple(each.states for each in said if isinstance(each.states, Rule))
    seen, more = _visits(said)
    faults += more
    if all(each.states is not None for each in timed):
        clauses, more = joined(timed)
        faults += more
        if not more:
            changes, more = named(
                clauses, [e.states for e in said if isinstance(e.states, Changed)]
            )
            faults += more + change_faults(clauses, changes)
            faults += [] if _unread(said) else rule_faults(clauses, rules, seen)
    if faults:
        raise ModelError(*faults)
    return clauses, changes, rules, seen


def _read(text: str) -> tuple[list[Said], list[str]]:
    """Every phrase by itself, and the faults of those that cannot be."""
    said: list[Said] = []
    faults: list[str] = []
    for words, join in _phrases(text):
        try:
            states = read_phrase(words)
        except ModelError as error:
            states = None
            faults += error.said
        said.append(Said(words, join, states))
    return said, faults


def _phrases(text: str) -> list[tuple[str, Join]]:
    """The phrases' words, and how each joins what comes before it."""
    plain = _BANDED.sub(", ", " ".join(text.lower().split()))
    found: list[tuple[str, Join]] = []
    start, join = 0, ""
    for match in _JOIN.finditer(plain):
        found.append((plain[start : match.start()], join))
        start = match.end()
        join = "then" if match[1] or match[2] else "and" if match[3] else ","
    found.append((plain[start:], join))
    if not all(words for words, _ in found):
        raise ModelError(f"The regimen '{text}' has an empty part. Understood are {UNDERSTOOD}.")
    return found


def _unread(said: Iterable[Said]) -> bool:
    """Whether a rule or a change was not understood."""
    return any(each.states is None and _NO_SCHEDULE.match(each.words) for each in said)


def _visits(said: Iterable[Said]) -> tuple[float, list[str]]:
    found = sorted({each.states.interval for each in said if isinstance(each.states, Seen)})
    if len(found) > 1:
        both = listed([f"every {of_weeks(each)}" for each in found])
        return VISITS, [f"Patients are said to be seen {both}: keep one."]
    return found[0] if found else VISITS, []


def _with_bands(said: Iterable[Said]) -> tuple[list[Said], list[str]]:
    """The schedule's phrases, bands put into the doses that follow them, and the bands' faults.

    A phrase of the schedule that was not understood states None.
    """
    found: list[Said] = []
    faults: list[str] = []
    bands: list[Said] = []
    for each in said:
        if isinstance(each.states, Band) or (each.states is None and each.words.endswith("kg")):
            bands.append(each)
        elif isinstance(each.states, Timed) and each.states.amount is None and bands:
            given, more = _banded(bands, each, each.states)
            found, faults, bands = [*found, given], faults + more, []
        elif isinstance(each.states, Timed | Stop | Nothing) or (
            each.states is None and not _NO_SCHEDULE.match(each.words)
        ):
            found.append(each)
    if bands:
        words = ", ".join(band.words for band in bands)
        faults.append(
            f"'{words}' states no time: write 'every 4 weeks' or 'at week 0' after the last band."
        )
        found.append(Said(words, ",", None))
    return found, faults


def _banded(bands: list[Said], timed: Said, states: Timed) -> tuple[Said, list[str]]:
    """A dose with its bands; states None where they are at fault."""
    words = ", ".join([*(band.words for band in bands), timed.words])
    each = tuple(band.states for band in bands if isinstance(band.states, Band))
    if len(each) < len(bands):
        return Said(words, bands[0].join, None), []
    try:
        extra = states.extra or words.startswith("extra")
        return Said(words, bands[0].join, replace(states, amount=Bands(each), extra=extra)), []
    except ModelError as error:
        return Said(words, bands[0].join, None), list(error.said)
