"""Checks of the numbers in a row of `data.csv`: that they are there, are numbers, and can be."""

from __future__ import annotations

import math

from pkpd.data.arm_table import Arms, Lines
from pkpd.data.arm_word_checks import unit_factor
from pkpd.data.arm_words import DATA_NUMBERS, ENDPOINTS, SPREADS
from pkpd.errors import Fault

_FROM_SOURCE = "Correct it from the source."


def check_numbers(lines: Lines, arms: Arms) -> list[Fault]:
    """The cells with text where a number belongs; the week has its own check."""
    return [
        line.fault(f"'{line.text[name]}' in column {name} is no number", _FROM_SOURCE)
        for line in lines
        for name in DATA_NUMBERS
        if name != "week" and line.text.get(name) and math.isnan(line.numbers[name])
    ]


def check_weeks(lines: Lines, arms: Arms) -> list[Fault]:
    """The weeks that are no number, below zero, or before the arm was entered."""
    faults = []
    for line in lines:
        week, arm = line.numbers["week"], arms.get(line.arm)
        entry = (arm.entry_week if arm else None) or 0.0
        if math.isnan(week):
            found = f"week '{line.text['week']}' is no number"
            faults.append(line.fault(found, "Give one week, or exclude the row by a rule."))
        elif week < 0:
            faults.append(line.fault(f"week {week:g} is before the start", _FROM_SOURCE))
        elif week < entry:
            found = f"week {week:g} is before the arm was entered at week {entry:g}"
            faults.append(line.fault(found, "Give the row to the parent arm, or correct the week."))
    return faults


def check_doses(lines: Lines, arms: Arms) -> list[Fault]:
    """The doses and intervals below zero."""
    return [
        line.fault(f"{name} is {line.text[name]}", "It cannot be negative. " + _FROM_SOURCE)
        for line in lines
        for name in ("dose_mg", "interval_weeks")
        if line.numbers[name] < 0
    ]


def check_complete(lines: Lines, arms: Arms) -> list[Fault]:
    """The empty cells of what a statistic cannot do without."""
    faults = []
    for line in lines:
        counted = line.text["statistic"] == "percent"
        needed = ("value", "n", "count", "denominator") if counted else ("value", "n")
        for name in (*needed, *SPREADS.get(line.text["spread"], ())):
            if not line.text[name]:
                faults.append(line.fault(f"no {name}", "Fill it from the source, or drop the row."))
    return faults


def check_spreads(lines: Lines, arms: Arms) -> list[Fault]:
    """The spreads below zero and the intervals that end before they start."""
    faults = []
    for line in lines:
        low, high = line.numbers["spread_low"], line.numbers["spread_high"]
        if line.numbers["spread_value"] < 0:
            found = f"{line.text['spread']} is {line.text['spread_value']}"
            faults.append(line.fault(found, "It cannot be negative. " + _FROM_SOURCE))
        if low > high:
            found = f"spread_low {low:g} is above spread_high {high:g}"
            faults.append(line.fault(found, _FROM_SOURCE))
    return faults


def check_bounds(lines: Lines, arms: Arms) -> list[Fault]:
    """The values outside what the endpoint's scale allows."""
    faults = []
    for line in lines:
        endpoint = ENDPOINTS.get(line.text["endpoint"])
        value = line.numbers["value"] * unit_factor(line)
        if endpoint and (value < endpoint.low or value > endpoint.high):
            found = f"{line.text['endpoint']} of {line.text['value']} {line.text['unit']} cannot be"
            limits = f"{endpoint.low:g} to {endpoint.high:g} {endpoint.unit}"
            faults.append(line.fault(found, f"It lies in {limits}. {_FROM_SOURCE}"))
    return faults
