"""What may be left out of arm-level data: trials, later results, arms, the off-drug phase."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd

from pkpd.data.arms import Arm, ArmData
from pkpd.errors import DataError, Fault
from pkpd.prediction.checks import close

Key = tuple[str, str]
KINDS = ("trial", "later", "arm", "off-drug")


@dataclass(frozen=True)
class LeftOut:
    """A part of the data: `rows` by their line in data.csv, and the `arms` that go altogether.

    An arm whose patients are responders of an arm that stays keeps its place, for its size is what
    the parent's entry count is made of, and its selection visit, which the fit conditions on.
    """

    kind: str
    name: str
    rows: frozenset[int]
    arms: frozenset[Key]

    @property
    def folder(self) -> str:
        """A folder name: kind and name, letters and digits alone."""
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", self.name).strip("-")
        return plain if self.kind == self.name else f"{self.kind}-{plain}"


def everything(data: ArmData) -> tuple[LeftOut, ...]:
    """Each trial, later results of the re-randomised, each arm, and the off-drug phase, if any."""
    trials = [_trial(data, study) for study in dict.fromkeys(arm.study for arm in data.arms)]
    off = _off_drug(data)
    arms = [_arm(data, arm) for arm in data.arms]
    return (*trials, *_later(data), *arms, *([off] if off.rows else []))


def chosen(data: ArmData, words: Sequence[str], fits: Callable[[LeftOut], bool]) -> list[LeftOut]:
    """What `words` name: kinds, trials, arms ("study: arm", or the arm alone); none, all of it.

    `fits` says whether what stays can be fitted. Without words, parts that leave nothing to fit
    are passed over; where they were named it is a fault.

    Raises
    ------
    DataError
        Listing every unknown name, with close ones, and every part that leaves nothing to fit.
    """
    known = everything(data)
    found = [_named(known, word) for word in words] if words else [known]
    faults = [_unknown(known, word) for word, some in zip(words, found, strict=False) if not some]
    parts = list(dict.fromkeys(part for some in found for part in some))
    left = [part for part in parts if fits(part)]
    if words:
        faults += [_nothing_left(data, part) for part in parts if part not in left]
    elif not left:
        faults += [_nothing_left(data, part) for part in parts]
    if faults:
        raise DataError(faults)
    return left


def off_drug(data: ArmData, rows: pd.DataFrame) -> np.ndarray:
    """Which rows (study, arm, week) come after an active dose was first not taken."""
    since = {(arm.study, arm.name): arm.phase_off_week for arm in data.arms}
    weeks = [since[key] for key in zip(rows["study"], rows["arm"], strict=True)]
    off = np.array([np.inf if week is None else week for week in weeks], float)
    return rows["week"].to_numpy(float) > off


def _trial(data: ArmData, study: str) -> LeftOut:
    gone = _with_entered(data, [arm for arm in data.arms if arm.study == study])
    return LeftOut("trial", study, _rows_of(data, gone), frozenset(gone))


def _later(data: ArmData) -> Iterator[LeftOut]:
    """Each study of re-randomised patients after its selection visit; who entered is known."""
    entered = {arm.study: arm.entry_week for arm in data.arms if arm.parent is not None}
    for study, week in entered.items():
        later = (data.rows["study"] == study) & (data.rows["week"] > (week or 0.0))
        rows = frozenset(int(row) for row in data.rows["row"][later])
        yield LeftOut("later", f"{study} after week {week:g}", rows, frozenset())


def _arm(data: ArmData, arm: Arm) -> LeftOut:
    name, gone = f"{arm.study}: {arm.name}", _with_entered(data, [arm])
    if arm.parent is None:
        return LeftOut("arm", name, _rows_of(data, gone), frozenset(gone))
    later = data.rows[data.rows["week"] > (arm.entry_week or 0.0)]
    return LeftOut("arm", name, _rows_of(replace(data, rows=later), gone), frozenset())


def _off_drug(data: ArmData) -> LeftOut:
    rows = data.rows["row"][off_drug(data, data.rows)]
    return LeftOut("off-drug", "off-drug", frozenset(int(row) for row in rows), frozenset())


def _with_entered(data: ArmData, arms: list[Arm]) -> set[Key]:
    """The arms, and those that their patients entered later: the same patients again."""
    keys = {(arm.study, arm.name) for arm in arms}
    return keys | {(arm.study, arm.name) for arm in data.arms if arm.parent in keys}


def _rows_of(data: ArmData, arms: set[Key]) -> frozenset[int]:
    rows = data.rows
    ours = [key in arms for key in zip(rows["study"], rows["arm"], strict=True)]
    return frozenset(int(row) for row in rows["row"][np.array(ours, bool)])


def _named(known: Iterable[LeftOut], word: str) -> list[LeftOut]:
    known = list(known)
    exact = [part for part in known if word in (part.kind, part.name)]
    by_arm = [p for p in known if p.kind == "arm" and p.name.partition(": ")[2] == word]
    return exact or (by_arm if len(by_arm) == 1 else [])


def _unknown(known: Iterable[LeftOut], word: str) -> Fault:
    names = reduce(lambda all_, part: [*all_, part.name], known, list(KINDS))
    return Fault(
        f"--leave '{word}'", "no such kind, trial or arm", close(word, dict.fromkeys(names))
    )


def _nothing_left(data: ArmData, part: LeftOut) -> Fault:
    studies = list(dict.fromkeys(arm.study for arm in data.arms))
    one = f": the data are of {studies[0]} alone" if len(studies) == 1 else ""
    found = f"without it nothing is left to fit{one}"
    return Fault(f"--leave '{part.name}'", found, "Leave out an arm or the off-drug phase")
