"""Parameter values of subjects: a table by ID, or one value for all."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pkpd.data.events import identifiers, numbers, text_table
from pkpd.errors import DataError, Fault
from pkpd.model import DOSING, Model


def individual_values(
    model: Model,
    subjects: pd.Series,
    parameters: pd.DataFrame | Path | str | Mapping[str, float] | None,
    settings: Mapping[str, float],
) -> dict[str, np.ndarray]:
    """Values by parameter, one for each of `subjects`, for the parameters that are given at all.

    `parameters` is a table of ID and any parameters, or one value a name; `settings` is one value
    a name. Names may be in capitals; `f_`, `lag_`, `rate_` and `dur_` of each compartment are
    names too. Raises `DataError` with every fault.
    """
    shared = {"settings": settings}
    faults: list[Fault] = []
    found: dict[str, np.ndarray] = {}
    if isinstance(parameters, Mapping):
        shared["parameters"] = parameters
    elif parameters is not None:
        found = _from_table(model, subjects, parameters, faults)
    for place, values in shared.items():
        for given, value in values.items():
            where = f"{place}, {given}"
            name = _known(model, given, where, faults)
            if name in found:
                faults.append(Fault(where, "it is given twice", "Give it in one place."))
            elif name:
                column = np.array([_number(value)])
                faults += _value_faults(model, name, column, [where])
                found[name] = np.full(len(subjects), column[0])
    if faults:
        raise DataError(faults)
    return found


def dosing_names(model: Model) -> tuple[str, ...]:
    """The dosing parameters of every compartment."""
    return tuple(f"{role}_{state}" for state in model.states for role in DOSING)


def _from_table(
    model: Model, subjects: pd.Series, source: pd.DataFrame | Path | str, faults: list[Fault]
) -> dict[str, np.ndarray]:
    name, table = text_table(source)
    name = "parameters" if name == "table" else name
    columns = {column.upper(): column for column in table.columns}
    if "ID" not in columns:
        faults.append(Fault(name, "column ID is missing", "Give one row a subject, with its ID."))
        return {}
    ids = identifiers(table[columns["ID"]])
    for row, twice in zip(table["row"], ids.duplicated(), strict=True):
        if twice:
            faults.append(
                Fault(f"{name}, row {row}", "the subject stands there twice", "Keep one.")
            )
    place = {str(subject): i for i, subject in enumerate(ids)}
    absent = [s for s in subjects.unique() if str(s) not in place]
    faults += [
        Fault(
            f"{name}, subject {s}",
            "the events have this subject, the parameters do not",
            "Add a row for it.",
        )
        for s in absent
    ]
    rows = np.array([place.get(str(subject), 0) for subject in subjects], int)
    where = [f"{name}, row {r}, subject {s}" for r, s in zip(table["row"], ids, strict=True)]
    found = {}
    for column in table.columns.drop(["row", columns["ID"]]):
        parameter = _known(model, column, f"{name}, column {column}", faults)
        if parameter:
            values, _ = numbers(table[column])
            faults += _value_faults(model, parameter, values, where)
            found[parameter] = values[rows] if len(values) else np.full(len(rows), np.nan)
    return found


def _known(model: Model, given: str, where: str, faults: list[Fault]) -> str | None:
    """The parameter meant, or `None` and a fault."""
    names = [*model.typical(), *dosing_names(model)]
    name = str(given).lower()
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    faults.append(
        Fault(
            where,
            f"{model.name} has no parameter '{given}'",
            f"{hint}Parameters: {', '.join(names)}.",
        )
    )
    return None


def _number(value: object) -> float:
    values, _ = numbers(pd.Series([str(value)]))
    return float(values[0])


def _value_faults(model: Model, name: str, values: np.ndarray, where: list[str]) -> list[Fault]:
    scale = next((p.scale for p in model.parameters if p.name == name), "log")
    wrong = ~np.isfinite(values)
    if scale != "identity":
        wrong |= values < 0
    if scale == "logit":
        wrong |= values > 1
    range_ = {"identity": "any number", "log": "zero or more", "logit": "from 0 to 1"}[scale]
    return [
        Fault(
            where[i],
            f"{name} is {values[i]:g}"
            if np.isfinite(values[i])
            else f"{name} is empty or no number",
            f"It must be {range_}.",
        )
        for i in np.flatnonzero(wrong)
    ]
