"""Results to stdout: a sentence or a table for people, or JSON and nothing else."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # pandas takes 0.4 s, which `pkpd --help` need not wait for
    from pandas import DataFrame


def say(text: object) -> None:
    """Print a sentence or any value that tells itself."""
    print(text)


def say_json(value: Any) -> None:
    """Print plain data as JSON; what is no number becomes null."""
    json.dump(_plain(value), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    print()


def say_rows(rows: list[dict[str, Any]]) -> None:
    """Print rows as a table as wide as they need, so that no cell is cut in a pipe."""
    if not rows:
        print("No rows.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        table.add_column(str(name), no_wrap=not sys.stdout.isatty())
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 10_000, highlight=False, markup=False).print(
        table, crop=False
    )


def rows_of(table: DataFrame) -> list[dict[str, Any]]:
    """A table as a list of rows."""
    return _plain(table.to_dict("records"))


def _cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """Only what JSON has: numpy's numbers told as Python's, NaN and infinity as None."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return _plain(value.item()) if type(value).__module__ == "numpy" else str(value)
