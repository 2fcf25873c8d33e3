"""`arms.csv`: who was in each arm, and what they were given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pkpd.data.arm_words import PLACEBO
from pkpd.data.lines import Line
from pkpd.errors import Fault, ModelError
from pkpd.regimen import Regimen, regimen

ArmName = tuple[str, str]
_FROM_SOURCE = "Correct it from the source."
_WEEK = (lambda week: week >= 0, "a week counted from 0")
_NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    "n": (lambda n: n > 0 and n % 1 == 0, "a whole number of patients, above 0"),
    "entry_week": _WEEK,
    "phase_off_week": _WEEK,
    "easi_mean": (lambda mean: 0 <= mean <= 72, "the baseline EASI, 0 to 72"),
    "easi_sd": (lambda sd: sd > 0, "above 0, or empty where not posted"),
}


@dataclass(frozen=True)
class Arm:
    """One arm of one study.

    `drug` is the active drug the arm ever gets, or placebo. `regimen` counts from the start of
    the parent's treatment where there is a parent, and `entry_week` is when the arm left it.
    `last_dose_week` is None where dosing goes on or never is. `phase_off_week` is the week from
    which no active drug is given. EASI is that of baseline; `easi_sd` None where not posted.
    """

    study: str
    name: str
    drug: str
    n: int
    regimen: Regimen
    parent: ArmName | None
    entry_week: float | None
    last_dose_week: float | None
    easi_mean: float
    easi_sd: float | None
    phase_off_week: float | None = None


Lines = Sequence[Line]
Arms = Mapping[ArmName, Arm]


def build_arms(lines: Lines) -> tuple[dict[ArmName, Arm], list[Fault]]:
    """The arms by study and name, and every fault of their table.

    A faulty cell gives an arm with a stand-in, so that the rows of `data.csv` are still checked.
    """
    arms: dict[ArmName, Arm] = {}
    faults: list[Fault] = []
    for line in lines:
        arm, found = _arm(line)
        faults += found + _number_faults(line) + _twice(line, arms)
        arms[line.arm] = arm
    for line in lines:
        faults += _parent_faults(line, arms) + _dose_faults(line, arms[line.arm])
    return arms, faults


def _arm(line: Line) -> tuple[Arm, list[Fault]]:
    given, faults = _regimen(line)
    numbers = line.numbers
    parent = line.text["parent_study"], line.text["parent_arm"]
    arm = Arm(
        study=line.arm[0],
        name=line.arm[1],
        drug=line.text["drug"],
        n=int(numbers["n"]) if numbers["n"] > 0 else 0,
        regimen=given,
        parent=parent if any(parent) else None,
        entry_week=_optional(numbers["entry_week"]),
        last_dose_week=given.last_dose_week(),
        easi_mean=numbers["easi_mean"],
        easi_sd=_optional(numbers["easi_sd"]),
        phase_off_week=_optional(numbers["phase_off_week"]),
    )
    return arm, faults


def _regimen(line: Line) -> tuple[Regimen, list[Fault]]:
    try:
        found = regimen(line.text["regimen"])
    except ModelError as error:
        said = [line.fault("the regimen makes no sense", each) for each in error.said]
        return Regimen(), said
    if found.edges or found.rules:
        what = "goes by body weight" if found.edges else "is decided at visits"
        remedy = "Arms are fitted as given to all alike: write the doses of the arm."
        return Regimen(), [line.fault(f"the regimen '{found}' {what}", remedy)]
    return found, []


def _optional(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number_faults(line: Line) -> list[Fault]:
    faults = []
    for name, (holds, wanted) in _NUMBERS.items():
        text, value = line.text[name], line.numbers[name]
        if text and math.isnan(value):
            faults.append(line.fault(f"'{text}' in column {name} is no number", _FROM_SOURCE))
        elif (text or name in ("n", "easi_mean")) and not holds(value):
            faults.append(line.fault(f"{name} is '{text}'", f"It is {wanted}. {_FROM_SOURCE}"))
    return faults


def _twice(line: Line, arms: Arms) -> list[Fault]:
    if line.arm not in arms:
        return []
    return [line.fault("the arm stands here a second time", "Keep one row an arm.")]


def _parent_faults(line: Line, arms: Arms) -> list[Fault]:
    arm = arms[line.arm]
    if arm.parent is None:
        return []
    if arm.parent not in arms or arm.parent == line.arm:
        study, name = arm.parent
        return [line.fault(f"the parent {study} '{name}' is no other arm here", "Name one.")]
    if arm.entry_week is None:
        return [line.fault("it has a parent and no entry_week", "State when it left the parent.")]
    parent = arms[arm.parent]
    if _doses_before(parent, arm.entry_week) != _doses_before(arm, arm.entry_week):
        found = f"its doses before week {arm.entry_week:g} are not its parent's"
        return [line.fault(found, f"Until then the regimen is '{parent.regimen}'.")]
    return []


def _doses_before(arm: Arm, week: float) -> tuple[object, ...]:
    return tuple(dose for dose in arm.regimen.doses(week) if dose.week < week)


def _dose_faults(line: Line, arm: Arm) -> list[Fault]:
    faults = []
    if not arm.drug:
        faults.append(line.fault("no drug is named", f"Name it, or write '{PLACEBO}'."))
    if arm.drug == PLACEBO and arm.regimen.clauses:
        found = f"placebo, yet the regimen is '{arm.regimen}'"
        faults.append(line.fault(found, "Name the active drug, or write the regimen 'none'."))
    off = arm.phase_off_week
    if off is not None and off > 0:
        last = arm.regimen.last_dose_week(off)
        if not arm.regimen.ends or last == off or last != arm.regimen.last_dose_week():
            found = f"off drug from week {off:g}, yet the regimen '{arm.regimen}' doses then"
            faults.append(line.fault(found, "End the regimen earlier ('until week N')."))
    return faults
