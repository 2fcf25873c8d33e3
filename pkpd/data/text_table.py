"""A table of text cells, each row with its place in the file; cells read as numbers or names."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pkpd.errors import DataError, Fault

Source = str | Path | pd.DataFrame | Mapping[str, Any]
EMPTY = ("", ".", "NA", "nan", "NaN", "<NA>", "None")


def text_table(source: Source) -> tuple[str, pd.DataFrame]:
    """The name of the source, and its cells as stripped text with `row` in front.

    `row` is the line of the file, or the place in the table; rows with nothing in them are left
    out. Raises `DataError` where a file is no table.
    """
    if isinstance(source, Mapping):
        source = pd.DataFrame(source)
    if isinstance(source, pd.DataFrame):
        table = source.astype(object).where(source.notna(), "").astype(str).reset_index(drop=True)
        name, rows = "table", np.arange(1, len(table) + 1)
    else:
        name = str(source)
        table, rows = _read_csv(Path(source))
    table = table.apply(lambda column: column.str.strip())
    table.columns = [str(column).strip() for column in table.columns]
    if "row" in table.columns:
        fault = Fault(f"{name}, column row", "the name stands for the line of the file", "Rename.")
        raise DataError([fault])
    table.insert(0, "row", rows)
    return name, table[(table.drop(columns="row") != "").any(axis=1)].reset_index(drop=True)


def numbers(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The column as floats, NaN where empty, and where it holds something that is no number."""
    place, different = _different(column)
    empty = different.isin(EMPTY).to_numpy()
    values = np.asarray(pd.to_numeric(different.where(~empty), errors="coerce"), float)
    return values[place], (~empty & ~np.isfinite(values))[place]


def identifiers(column: pd.Series) -> pd.Series:
    """Subject names: whole numbers where all are, numbers where all are, else text."""
    values, wrong = numbers(column)
    if wrong.any() or np.isnan(values).any():
        return column
    return pd.Series(values.astype(int) if (values == values.round()).all() else values)


def labels(column: pd.Series) -> pd.Series:
    """Names as text, "" where empty; `1.0` is `1` where all that are given are whole numbers."""
    place, different = _different(column)
    text = different.mask(different.isin(EMPTY), "")
    values, wrong = numbers(text)
    given = text.ne("").to_numpy()
    if given.any() and not wrong.any() and (values[given] == values[given].round()).all():
        text = text.mask(given, pd.Series(np.where(given, values, 0)).astype(int).astype(str))
    return text.iloc[place].set_axis(column.index)


def _different(column: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Each cell's place among the different ones, and these: a column says few things often."""
    place, different = pd.factorize(column, use_na_sentinel=False)
    return place, pd.Series(different)


def _read_csv(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The cells, and the line of each row; rows of more or fewer cells than the head are faults."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            head = next(reader, [])
            records = [(reader.line_num, cells) for cells in reader if cells]
    except FileNotFoundError:
        raise DataError([Fault(str(path), "there is no such file", "Check the path.")]) from None
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DataError([_no_table(path, str(error))]) from None
    if not head:
        raise DataError([_no_table(path, "it is empty")])
    ragged = [
        Fault(
            f"{path}, row {row}",
            f"{len(cells)} cells where the head has {len(head)}",
            "Put text that holds a comma in double quotes, and fill the missing cells.",
        )
        for row, cells in records
        if len(cells) != len(head)
    ]
    if ragged:
        raise DataError(ragged)
    table = pd.DataFrame([cells for _, cells in records], columns=head, dtype=str)
    return table, np.array([row for row, _ in records], int)


def _no_table(path: Path, error: str) -> Fault:
    return Fault(str(path), f"it is not a CSV table ({error})", "Save it as CSV, UTF-8.")
