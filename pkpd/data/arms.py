"""Arm-level data: published summaries of trial arms, read from a folder and checked whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pkpd.data.arm_checks import ARMS_FILE, CHECKS, check_all
from pkpd.data.arm_table import Arm, ArmName, build_arms
from pkpd.data.arm_word_checks import unit_factor
from pkpd.data.arm_words import (
    ARM_COLUMNS,
    ARM_NUMBERS,
    DATA_COLUMNS,
    DATA_NUMBERS,
    ENDPOINTS,
    IN_UNIT,
)
from pkpd.data.card import Rule, read_card
from pkpd.data.checksum import checksum_faults, fingerprint
from pkpd.data.lines import Line, read_lines
from pkpd.errors import DataError, Fault

__all__ = ["Arm", "ArmData", "read_arms"]

_FILES = ("data.csv", ARMS_FILE)


@dataclass(frozen=True, eq=False)
class ArmData:
    """Published summaries of trial arms; equal data have equal `sha256`.

    `rows` has the columns of data.csv and `row`, the line in that file; numbers are floats, NaN
    where empty, in the unit of their endpoint (CONC in mg/L). `excluded` holds the rows left out,
    with `rule` and `reason`; its `week` stays text, for a rate spans weeks.
    """

    name: str
    arms: tuple[Arm, ...]
    rows: pd.DataFrame
    excluded: pd.DataFrame
    card: Mapping[str, Any]
    sha256: str

    def arm(self, study: str, name: str) -> Arm:
        """The arm of that study and name."""
        for arm in self.arms:
            if (arm.study, arm.name) == (study, name):
                return arm
        raise KeyError(f"{self.name} has no arm '{name}' in study {study}")


def read_arms(folder: str | Path) -> ArmData:
    """The arm-level data of a folder with `data.csv`, `arms.csv` and `card.toml`.

    Raises
    ------
    DataError
        With every fault of the three files, each with file, row, arm, what was found, what to do.
    """
    folder = Path(folder)
    lines, columns, faults = read_lines(folder / "data.csv", DATA_COLUMNS, DATA_NUMBERS)
    arms, arm_faults = _read_arm_table(folder / ARMS_FILE)
    card, card_faults = read_card(folder / "card.toml", DATA_COLUMNS, CHECKS)
    excluded = _excluded(lines, card.excludes)
    waived = {row: rule.waives for row, rule in excluded.items()}
    present = columns | {ARMS_FILE} if arms else columns
    faults += arm_faults + card_faults + check_all(lines, arms, present, waived)
    faults += checksum_faults(folder, card.content, _FILES)
    if faults:
        raise DataError(faults)
    return ArmData(
        name=folder.resolve().name,
        arms=tuple(arms.values()),
        rows=_rows([line for line in lines if line.row not in excluded]),
        excluded=_excluded_rows([line for line in lines if line.row in excluded], excluded),
        card=card.content,
        sha256=fingerprint(folder, card.content, _FILES),
    )


def _read_arm_table(path: Path) -> tuple[dict[ArmName, Arm], list[Fault]]:
    """The arms and the faults of their table; no arms where a column is missing."""
    lines, columns, faults = read_lines(path, ARM_COLUMNS, ARM_NUMBERS)
    if not columns.issuperset(ARM_COLUMNS):
        return {}, faults
    arms, found = build_arms(lines)
    return arms, faults + found


def _excluded(lines: Sequence[Line], rules: Sequence[Rule]) -> dict[int, Rule]:
    """The rule that leaves a row out, by row; the first rule of the card wins."""
    return {
        line.row: rule
        for line in lines
        for rule in reversed(rules)
        if rule.holds(dict.fromkeys(DATA_COLUMNS, "") | dict(line.text))
    }


def _rows(lines: Sequence[Line]) -> pd.DataFrame:
    records = [_record(line) for line in lines]
    columns = list(records[0]) if records else ["row", *DATA_COLUMNS]
    return pd.DataFrame.from_records(records, columns=columns)


def _record(line: Line) -> dict[str, object]:
    """The row's cells by column, in the unit of its endpoint where that is known."""
    scale = unit_factor(line)
    if math.isnan(scale):  # an excluded row may name any endpoint and unit
        return {"row": line.row, **line.text, **line.numbers}
    scaled = {name: line.numbers[name] * scale for name in IN_UNIT}
    unit = ENDPOINTS[line.text["endpoint"]].unit
    return {"row": line.row, **line.text, **line.numbers, **scaled, "unit": unit}


def _excluded_rows(lines: Sequence[Line], rules: Mapping[int, Rule]) -> pd.DataFrame:
    frame = _rows(lines).assign(week=[line.text["week"] for line in lines])
    return frame.assign(
        rule=[rules[line.row].name for line in lines],
        reason=[rules[line.row].reason for line in lines],
    )
