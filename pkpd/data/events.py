"""Individual event records, NONMEM style: read, checked, every fault listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.data.event_faults import model_faults, record_faults
from pkpd.data.text_table import EMPTY, Source, identifiers, numbers, text_table
from pkpd.errors import DataError, Fault

NUMBERS = ("TIME", "DV", "AMT", "EVID", "MDV", "RATE", "ADDL", "II", "SS")
REQUIRED = ("ID", "TIME", "AMT")
_ZERO_IF_EMPTY = ("RATE", "ADDL", "II", "SS")
_OF_COMPARTMENT = 100 * np.arange(1, 100) + 1
"""RxODE's EVID of a dose at once into compartment 1, 2 and so on: 101, 201, ..."""


@dataclass(frozen=True)
class Events:
    """Records of subjects in time order.

    EVID 0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose; time may go back at a reset.

    `table` has one row a record, in input order: `row` (line of the file, or place in the
    table), ID, TIME, DV, AMT, EVID, MDV, RATE, ADDL, II, SS as numbers, CMT as text, and the
    remaining columns as text, all names in capitals.
    """

    name: str
    table: pd.DataFrame

    def __str__(self) -> str:
        subjects = self.table["ID"].nunique()
        doses = int(self.table["EVID"].isin([1, 4]).sum())
        return (
            f"{self.name}: {subjects} subjects, {len(self.table)} records, {doses} dose records. "
            "Next: simulate(model, events)."
        )


def read_events(
    source: Source,
    *,
    states: Sequence[str] | None = None,
    covariates: Sequence[str] = (),
) -> Events:
    """Events of a CSV file, a table or a mapping of columns.

    Columns are ID TIME AMT and any of DV EVID CMT MDV RATE ADDL II SS and covariates. Their names
    may be in capitals or not; `.` or nothing is an empty cell. EVID where empty is 1 if AMT is
    above zero, else 0; 101 is 1 with CMT 1 (RxODE). MDV where empty is 0 if EVID is 0, else 1.
    With `states` (a model's compartments, in order) CMT is checked, and with `covariates` their
    columns.

    Raises
    ------
    DataError
        With every fault found: file, row and subject, what stands there, what to do.
    """
    name, raw = _raw(source)
    faults = list(_column_faults(name, raw))
    if faults:
        raise DataError(faults)
    table, faults = event_table(name, raw)
    faults += model_faults(name, table, states, covariates)
    if faults:
        raise DataError(sorted(faults, key=row_of))
    return Events(name, table)


def event_table(name: str, raw: pd.DataFrame) -> tuple[pd.DataFrame, list[Fault]]:
    """The records with numbers and defaults filled in, and every fault seen without a model.

    `raw` holds text, with `row` and the required columns, all names in capitals.
    """
    table, unreadable = _numbered(raw)
    faults = [
        *unreadable_faults(name, raw, unreadable),
        *record_faults(name, table, unreadable),
    ]
    return table, faults


def _raw(source: Source) -> tuple[str, pd.DataFrame]:
    name, table = text_table(source)
    table.columns = ["row", *(column.upper() for column in table.columns[1:])]
    return name, table


def _column_faults(name: str, table: pd.DataFrame) -> list[Fault]:
    faults = [
        Fault(
            name,
            f"column {column} is missing",
            f"Add it; the columns found are {', '.join(table.columns[1:])}.",
        )
        for column in REQUIRED
        if column not in table.columns
    ]
    twice = table.columns[table.columns.duplicated()].unique()
    faults += [Fault(name, f"column {c} stands there twice", "Keep one.") for c in twice]
    if table.empty:
        faults.append(Fault(name, "there are no records", "Give one row a dose or observation."))
    return faults


def _numbered(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table with its numbers and defaults filled in, and which cells are no numbers."""
    table, unreadable = raw.copy(), {}
    for column in NUMBERS:
        text = raw[column] if column in raw.columns else pd.Series("", index=raw.index)
        values, unreadable[column] = numbers(text)
        zero = text.isin(EMPTY).to_numpy() & (column in _ZERO_IF_EMPTY)
        table[column] = np.where(zero, 0.0, values)
    inferred = np.where(table["AMT"] > 0, 1.0, 0.0)
    no_kind = raw["EVID"].isin(EMPTY) if "EVID" in raw.columns else True
    table["EVID"] = np.where(no_kind, inferred, table["EVID"])
    table["CMT"] = raw["CMT"] if "CMT" in raw.columns else ""
    into = table["EVID"].isin(_OF_COMPARTMENT)
    table.loc[into, "CMT"] = (table.loc[into, "EVID"] // 100).astype(int).astype(str)
    table["EVID"] = table["EVID"].mask(into, 1.0)
    no_word = table["MDV"].isna() & ~unreadable["MDV"]
    table["MDV"] = table["MDV"].mask(no_word, (table["EVID"] != 0).astype(float))
    table["ID"] = identifiers(raw["ID"])
    return table, pd.DataFrame(unreadable)


def unreadable_faults(name: str, raw: pd.DataFrame, unreadable: pd.DataFrame) -> list[Fault]:
    """One fault a cell that holds something which is no number."""
    return [
        Fault(
            f"{name}, row {row['row']}, subject {row['ID']}",
            f"{column} is '{row[column]}', not a number",
            "Give a number, or . for none.",
        )
        for column in map(str, unreadable)
        for _, row in raw[unreadable[column]].iterrows()
    ]


def row_of(fault: Fault) -> int:
    """For ordering: the row a fault names, 0 where it names none."""
    _, found, rest = fault.where.partition(", row ")
    return int(rest.split(",")[0]) if found else 0
