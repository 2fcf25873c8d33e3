"""Checks of counts in `data.csv`: within a row, between rows, and against the arm."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

from pkpd.data.arm_table import Arms, Lines
from pkpd.data.arm_word_checks import unit_factor
from pkpd.data.arm_words import KEY, THRESHOLDS
from pkpd.data.lines import Line
from pkpd.errors import Fault

_FROM_SOURCE = "Correct it from the source."


def check_counts(lines: Lines, arms: Arms) -> list[Fault]:
    """The counts that are not whole, below zero or above their denominator."""
    faults = []
    for line in lines:
        for name in ("count", "denominator", "n"):
            if line.numbers[name] % 1 > 0 or line.numbers[name] < 0:
                found = f"{name} {line.text[name]} is no whole number of patients"
                faults.append(line.fault(found, _FROM_SOURCE))
        if line.numbers["count"] > line.numbers["denominator"]:
            found = f"count {line.text['count']} is above the denominator"
            remedy = f"At most {line.text['denominator']} patients can count. {_FROM_SOURCE}"
            faults.append(line.fault(found, remedy))
    return faults


def check_percentages(lines: Lines, arms: Arms) -> list[Fault]:
    """Within half a unit of the last decimal posted, the first or second of a percentage."""
    faults = []
    for line in lines:
        count, denominator = line.numbers["count"], line.numbers["denominator"]
        if not denominator > 0 or math.isnan(count) or line.text["statistic"] != "percent":
            continue
        scale = unit_factor(line)
        right = 100.0 * count / denominator
        decimals = max(len(line.text["value"].partition(".")[2]), 1)
        rounding = max(0.5 * 10**-decimals * scale, 0.005)
        if abs(line.numbers["value"] * scale - right) > rounding + 1e-9:
            found = f"{line.text['value']} {line.text['unit']} is not {count:g}/{denominator:g}"
            faults.append(line.fault(found, f"That would be {right:.2f} %. {_FROM_SOURCE}"))
    return faults


def check_thresholds(lines: Lines, arms: Arms) -> list[Fault]:
    """The visits at which a harder threshold counts more patients than an easier one."""
    faults = []
    for group in _by_visit(lines).values():
        ranked = sorted(group, key=lambda line: THRESHOLDS.index(line.text["endpoint"]))
        for easier, harder in pairwise(ranked):
            ours, theirs = harder.numbers["count"], easier.numbers["count"]
            if harder.text["endpoint"] != easier.text["endpoint"] and ours > theirs:
                found = (
                    f"{harder.text['endpoint']} counts {ours:g} patients at week "
                    f"{harder.text['week']}, {easier.text['endpoint']} (row {easier.row}) "
                    f"only {theirs:g}"
                )
                faults.append(harder.fault(found, "The harder cannot count more: correct one."))
    return faults


def check_sizes(lines: Lines, arms: Arms) -> list[Fault]:
    """The rows with more patients than their arm has."""
    faults = []
    for line in lines:
        arm = arms.get(line.arm)
        for name in ("n", "denominator"):
            if arm and 0 < arm.n < line.numbers[name]:
                found = f"{name} {line.text[name]} is above the arm's n of {arm.n}"
                faults.append(line.fault(found, "Correct it, or the arm's n in arms.csv."))
    return faults


def check_duplicates(lines: Lines, arms: Arms) -> list[Fault]:
    """The rows that state the same statistic a second time."""
    first: dict[tuple[object, ...], int] = {}
    faults = []
    for line in lines:
        key = (*(line.text[name] for name in KEY if name != "week"), _week(line))
        if first.setdefault(key, line.row) != line.row:
            found = f"the same {', '.join(KEY[2:])} as in row {first[key]}"
            faults.append(line.fault(found, "Keep one of the two rows."))
    return faults


def _by_visit(lines: Lines) -> dict[tuple[object, ...], list[Line]]:
    groups: dict[tuple[object, ...], list[Line]] = defaultdict(list)
    for line in lines:
        if line.text["endpoint"] in THRESHOLDS and not math.isnan(line.numbers["count"]):
            groups[(*line.arm, _week(line), line.text["estimand"])].append(line)
    return groups


def _week(line: Line) -> float | str:
    """The week as a number, so that 12 and 12.0 are one; as text where it is none."""
    week = line.numbers["week"]
    return line.text["week"] if math.isnan(week) else week
