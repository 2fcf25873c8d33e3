"""A table as a value: what the page prints, with each interval's level and kind beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One entry; `words` says the level and kind of `interval`, `tone` is "", "good" or "bad"."""

    text: str
    interval: str = ""
    words: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Group:
    """Rows under one heading (empty for none)."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """A captioned table; `spell` asks each interval to state its own level and kind."""

    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...]
    spell: bool

    def __str__(self) -> str:
        """Give back the caption and how long the table is."""
        return f"{self.caption}: {sum(len(group.rows) for group in self.groups)} rows"


def table(
    caption: str, columns: Sequence[str], groups: Sequence[Group], *, notes: Sequence[str] = ()
) -> Table:
    """Give back the table with its intervals explained, once if all are alike.

    A column name that starts with `#` is set as numbers. Groups without rows are left out.
    """
    groups = tuple(group for group in groups if group.rows)
    cells = [cell for group in groups for row in group.rows for cell in row]
    kinds = sorted({cell.words for cell in cells if cell.interval})
    explained = (f"Intervals: {kinds[0]}.",) if len(kinds) == 1 else ()
    return Table(
        caption=caption,
        columns=tuple(name.removeprefix("#") for name in columns),
        numeric=tuple(name.startswith("#") for name in columns),
        groups=groups,
        notes=(*explained, *notes),
        spell=len(kinds) > 1,
    )


def plain(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> Table:
    """Give back a table of one group from rows of cells or text."""
    made = tuple(
        tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows
    )
    return table(caption, columns, [Group("", made)])
