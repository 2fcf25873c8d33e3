"""A CSV file as text, line by line, so that a fault can name the row it stands in."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pkpd.errors import Fault


@dataclass(frozen=True)
class Line:
    """One record: its 1-based line in the file, its text by column, and its numbers.

    A number that is empty or cannot be read is NaN; the check of that column says so.
    """

    file: str
    row: int
    text: Mapping[str, str]
    numbers: Mapping[str, float]

    @property
    def arm(self) -> tuple[str, str]:
        """Study and arm."""
        return self.text.get("study", ""), self.text.get("arm", "")

    def fault(self, found: str, remedy: str) -> Fault:
        """A fault that stands in this line."""
        study, arm = self.arm
        return Fault(f"{self.file} row {self.row}, {study} arm '{arm}'", found, remedy)


def read_lines(
    path: Path, columns: Sequence[str], numeric: Iterable[str]
) -> tuple[list[Line], frozenset[str], list[Fault]]:
    """The lines of a CSV file, the columns it has, and what is wrong with its shape.

    A line with too many or too few cells is a fault and is not among the lines.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            records = [(reader.line_num, cells) for cells in reader if cells]
    except FileNotFoundError:
        return [], frozenset(), [_absent(path)]
    except UnicodeDecodeError as error:
        return [], frozenset(), [_garbled(path, error)]
    except csv.Error as error:
        fault = Fault(path.name, f"not a table ({error})", "Look for a quote that is not closed.")
        return [], frozenset(), [fault]
    faults = _missing(path.name, header, columns) + _ragged(path.name, len(header), records)
    numeric = tuple(numeric)
    whole = [(row, cells) for row, cells in records if len(cells) == len(header)]
    lines = [_line(path.name, row, header, cells, numeric) for row, cells in whole]
    return lines, frozenset(header), faults


def number(text: str) -> float:
    """The finite number a text states, or NaN."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    # '1_000' is a number to Python and to nobody else.
    return value if math.isfinite(value) and "_" not in text else math.nan


def _line(
    file: str, row: int, header: list[str], cells: list[str], numeric: tuple[str, ...]
) -> Line:
    text = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    return Line(file, row, text, {name: number(text.get(name, "")) for name in numeric})


def _missing(file: str, header: list[str], columns: Sequence[str]) -> list[Fault]:
    return [
        Fault(f"{file} header", f"column '{name}' is missing", _add(name, header, columns))
        for name in columns
        if name not in header
    ]


def _add(name: str, header: list[str], columns: Sequence[str]) -> str:
    strangers = [column for column in header if column not in columns]
    near = difflib.get_close_matches(name, strangers, n=1, cutoff=0.5)
    return f"Rename '{near[0]}' to '{name}'." if near else f"Add the column '{name}'."


def _ragged(file: str, width: int, records: list[tuple[int, list[str]]]) -> list[Fault]:
    return [
        Fault(
            f"{file} row {row}",
            f"{len(cells)} cells where the header has {width}",
            "Put text that holds a comma in double quotes, and fill the missing cells.",
        )
        for row, cells in records
        if len(cells) != width
    ]


def _absent(path: Path) -> Fault:
    return Fault(str(path), "no such file", f"Put '{path.name}' into the folder.")


def _garbled(path: Path, error: UnicodeDecodeError) -> Fault:
    return Fault(f"{path.name} byte {error.start}", "not UTF-8 text", "Save the file as UTF-8.")
