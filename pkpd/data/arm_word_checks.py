"""Checks of the words in a row of `data.csv`: arm, drug, endpoint, statistic, unit."""

from __future__ import annotations

import math

from pkpd.data.arm_table import Arms, Lines
from pkpd.data.arm_words import ENDPOINTS, ESTIMANDS, PLACEBO, SPREADS
from pkpd.data.lines import Line
from pkpd.errors import Fault, UnitError
from pkpd.units import factor


def unit_factor(line: Line) -> float:
    """What the row's value is multiplied by to be in its endpoint's unit; NaN if unknown."""
    endpoint = ENDPOINTS.get(line.text.get("endpoint", ""))
    try:
        return factor(line.text["unit"], endpoint.unit) if endpoint else math.nan
    except UnitError:
        return math.nan


def check_arms(lines: Lines, arms: Arms) -> list[Fault]:
    """The rows whose arm is not in arms.csv."""
    return [
        line.fault("this arm is not in arms.csv", "Add it there, or correct study and arm.")
        for line in lines
        if line.arm not in arms
    ]


def check_drugs(lines: Lines, arms: Arms) -> list[Fault]:
    """The rows whose drug is neither the arm's, nor placebo, nor the one after the other."""
    faults = []
    for line in lines:
        arm = arms.get(line.arm)
        if arm and line.text["drug"] not in (known := _drug_names(arm.drug)):
            found = f"drug '{line.text['drug']}' is not known in this arm"
            faults.append(line.fault(found, f"Write one of {', '.join(known)}."))
    return faults


def check_words(lines: Lines, arms: Arms) -> list[Fault]:
    """The endpoints, statistics, estimands and kinds of spread that are not known."""
    faults = []
    for line in lines:
        endpoint = ENDPOINTS.get(line.text["endpoint"])
        choices = {
            "endpoint": tuple(ENDPOINTS),
            "statistic": endpoint.statistics if endpoint else _statistics(),
            "estimand": ESTIMANDS,
            "spread": tuple(SPREADS),
        }
        for column, known in choices.items():
            if (word := line.text[column]) not in known:
                found = f"{column} '{word}' is not known for {line.text['endpoint']}"
                faults.append(line.fault(found, f"Write one of {', '.join(filter(None, known))}."))
    return faults


def check_units(lines: Lines, arms: Arms) -> list[Fault]:
    """The units that are unknown or of the wrong kind for the endpoint."""
    faults = []
    for line in lines:
        name = line.text["endpoint"]
        if name in ENDPOINTS:
            try:
                factor(line.text["unit"], ENDPOINTS[name].unit)
            except UnitError as error:
                found = f"unit '{line.text['unit']}' cannot be one of {name}"
                faults.append(line.fault(found, str(error)))
    return faults


def _drug_names(drug: str) -> tuple[str, ...]:
    return (PLACEBO,) if drug == PLACEBO else (drug, PLACEBO, f"{drug} then {PLACEBO}")


def _statistics() -> tuple[str, ...]:
    return tuple(dict.fromkeys(s for e in ENDPOINTS.values() for s in e.statistics))
