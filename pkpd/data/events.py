"""Individual event records, NONMEM style: read, checked, every fault listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pkpd.data.event_faults import model_faults, record_faults
from pkpd.errors import DataError, Fault

Source = str | Path | pd.DataFrame | Mapping[str, Any]
NUMBERS = ("TIME", "DV", "AMT", "EVID", "MDV", "RATE", "ADDL", "II", "SS")
REQUIRED = ("ID", "TIME", "AMT")
_ZERO_IF_EMPTY = ("RATE", "ADDL", "II", "SS")
_EMPTY = ("", ".", "NA", "nan", "NaN", "<NA>", "None")


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
    above zero, else 0. With `states` (a model's compartments, in order) CMT is checked,
    and with `covariates` their columns.

    Raises
    ------
    DataError
        With every fault found: file, row and subject, what stands there, what to do.
    """
    name, raw = _raw(source)
    faults = list(_column_faults(name, raw))
    if faults:
        raise DataError(faults)
    table, unreadable = _numbered(raw)
    faults = [
        *_unreadable_faults(name, raw, unreadable),
        *record_faults(name, table, unreadable),
        *model_faults(name, table, states, covariates),
    ]
    if faults:
        raise DataError(sorted(faults, key=_row_of))
    return Events(name, table)


def numbers(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The column as floats, NaN where empty, and where it holds something that is no number."""
    filled = column.where(~column.isin(_EMPTY))
    values = np.asarray(pd.to_numeric(filled, errors="coerce"), float)
    return values, ~column.isin(_EMPTY).to_numpy() & ~np.isfinite(values)


def text_table(source: Source) -> tuple[str, pd.DataFrame]:
    """The name of the source, and its cells as stripped text with `row` in front."""
    if isinstance(source, Mapping):
        source = pd.DataFrame(source)
    if isinstance(source, pd.DataFrame):
        table = source.astype(object).where(source.notna(), "").astype(str).reset_index(drop=True)
        name, first = "table", 1
    else:
        table, name, first = _read_csv(Path(source)), str(source), 2
    table = table.apply(lambda column: column.str.strip())
    table.columns = [str(column).strip() for column in table.columns]
    table.insert(0, "row", np.arange(first, first + len(table)))
    return name, table[(table.drop(columns="row") != "").any(axis=1)].reset_index(drop=True)


def identifiers(column: pd.Series) -> pd.Series:
    """Subject names: whole numbers where all are, numbers where all are, else text."""
    values, wrong = numbers(column)
    if wrong.any() or np.isnan(values).any():
        return column
    return pd.Series(values.astype(int) if (values == values.round()).all() else values)


def _read_csv(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError([Fault(str(path), "there is no such file", "Check the path.")])
    try:
        return pd.read_csv(
            path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        fault = Fault(str(path), f"it is not a CSV table ({error})", "Save it as CSV, UTF-8.")
        raise DataError([fault]) from None


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
        zero = text.isin(_EMPTY).to_numpy() & (column in _ZERO_IF_EMPTY)
        table[column] = np.where(zero, 0.0, values)
    inferred = np.where(table["AMT"] > 0, 1.0, 0.0)
    no_kind = raw["EVID"].isin(_EMPTY) if "EVID" in raw.columns else True
    table["EVID"] = np.where(no_kind, inferred, table["EVID"])
    table["CMT"] = raw["CMT"] if "CMT" in raw.columns else ""
    table["ID"] = identifiers(raw["ID"])
    return table, pd.DataFrame(unreadable)


def _unreadable_faults(name: str, raw: pd.DataFrame, unreadable: pd.DataFrame) -> list[Fault]:
    return [
        Fault(
            f"{name}, row {row['row']}, subject {row['ID']}",
            f"{column} is '{row[column]}', not a number",
            "Give a number, or . for none.",
        )
        for column in map(str, unreadable)
        for _, row in raw[unreadable[column]].iterrows()
    ]


def _row_of(fault: Fault) -> int:
    """For ordering: the row a fault names, 0 where it names none."""
    _, found, rest = fault.where.partition(", row ")
    return int(rest.split(",")[0]) if found else 0
