"""Individual data of a folder: event records with observations, read and checked whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from pkpd.data.card import Rule
from pkpd.data.checksum import checksum_faults, fingerprint
from pkpd.data.covariates import filled
from pkpd.data.events import Events, row_of
from pkpd.data.individual_card import IndividualCard, missing_file, read_individual_card
from pkpd.data.individual_checks import checked_records
from pkpd.data.individual_description import (
    covariate_table,
    left_out,
    observation_table,
    sentence,
    to_mind,
)
from pkpd.data.observation_faults import observed
from pkpd.data.text_table import text_table
from pkpd.errors import DataError
from pkpd.units import factor

FILE = "data.csv"
_TOGETHER: Mapping[str, Mapping[str, int]] = {
    "TIME": {"TIME": 1, "II": 1, "RATE": -1},
    "AMT": {"AMT": 1, "RATE": 1},
    "DV": {"DV": 1, "LIMIT": 1},
}
"""What changes with a column's unit: columns, and the power of the factor. RATE is AMT a TIME."""


@dataclass(frozen=True, eq=False)
class Individuals:
    """Records of subjects with what was observed of them; equal data have equal `sha256`.

    `events.table` holds, in file order, row (line of the file), ID, TIME, DV, AMT, EVID, MDV, RATE,
    ADDL, II, SS as numbers, CMT (text, of doses alone), DVID, OCC, STUDY, DRUG, ARM as text ("" for
    none), CENS (0 observed, 1 below DV, or from LIMIT to DV, -1 above DV), LIMIT, and covariates as
    numbers, all under one rule: a record's own value governs the interval that ends at it.

    `units` has the unit of every column that has one, DV's apart: `dv_units`, by DVID. With `log`,
    DV and LIMIT are natural logarithms of numbers in that unit. `rules` says by covariate what the
    card states. `excluded` holds the rows left out, with `rule` and `reason`.
    """

    name: str
    events: Events
    excluded: pd.DataFrame
    card: Mapping[str, Any]
    sha256: str
    units: Mapping[str, str]
    dv_units: Mapping[str, str]
    rules: Mapping[str, str]
    log: bool
    remarks: tuple[str, ...]

    @property
    def observations(self) -> pd.DataFrame:
        """The records with an observation: EVID 0 and MDV 0."""
        return self.events.table[observed(self.events.table)]

    def __str__(self) -> str:
        """What there is, what is left out, what to mind."""
        table = self.events.table
        parts = [
            sentence(self.name, table),
            observation_table(table, self.dv_units, log=self.log),
            covariate_table(table, self.units, self.rules),
            left_out(self.card, self.excluded),
            to_mind(self.remarks),
            f"Source: {self.card['source']}",
            "Next: name these data in a fit.toml and run `pkpd check FIT`.",
        ]
        return "\n\n".join(part for part in parts if part)


def read_individuals(folder: str | Path, *, states: Sequence[str] | None = None) -> Individuals:
    """The individual data of a folder with `data.csv` and `card.toml`.

    With `states` (a model's compartments, in order) the CMT of doses is checked.

    Raises
    ------
    DataError
        With every fault: file, row and subject, what was found, what to do.
    """
    folder = Path(folder)
    if not (folder / FILE).is_file():
        raise DataError([missing_file(folder / FILE, folder / "card.toml")])
    _, text = text_table(folder / FILE)
    card, faults = read_individual_card(folder / "card.toml", list(text.columns[1:]))
    faults += checksum_faults(folder, card.card.content, (FILE,))
    if not card.columns:
        raise DataError(faults)
    rules = _rules(text, card.card.excludes)
    kept = text[[rule is None for rule in rules]].reset_index(drop=True)
    name = f"{folder.resolve().name}/{FILE}"
    table, found = checked_records(name, kept, card, states)
    if faults or found:
        raise DataError([*faults, *sorted(found, key=row_of)])
    return _individuals(folder, card, table, _excluded(text, rules))


def converted(
    individuals: Individuals, column: str, to_unit: str, dvid: str | None = None
) -> Individuals:
    """The same with a column told in another unit, and what goes with it (TIME: II and RATE).

    DV converts with LIMIT, for one `dvid` or for all; logarithms are shifted. Raises `UnitError`
    where the units are not of one kind, `ValueError` where the column has none.

    Examples
    --------
    >>> converted(data, "DV", "mg/L")  # of ng/mL  # doctest: +SKIP
    """
    if column == "DV":
        return _dv_converted(individuals, to_unit, dvid)
    if not individuals.units.get(column):
        raise ValueError(f"{individuals.name} states no unit of {column}")
    times, over = _ratio(individuals.units[column], to_unit)
    table = individuals.events.table
    new = {
        name: _scaled(table[name], *((times, over) if power > 0 else (over, times)))
        for name, power in _TOGETHER.get(column, {column: 1}).items()
    }
    units = {**individuals.units, column: to_unit}
    if column == "TIME":
        units["II"] = to_unit
    if column in ("TIME", "AMT"):
        units["RATE"] = f"{units['AMT']}/{units['TIME']}" if units.get("AMT") else ""
    events = replace(individuals.events, table=table.assign(**new))
    return replace(individuals, events=events, units=units)


def _ratio(from_unit: str, to_unit: str) -> tuple[float, float]:
    """What a number is multiplied with and divided by: 24 h are 24 / 24 days, not 24 x 0.0416..."""
    by, back = factor(from_unit, to_unit), factor(to_unit, from_unit)
    return (1.0, back) if back == round(back) else (by, 1.0)


def _scaled(values: pd.Series, times: float, over: float) -> pd.Series:
    """Values in another unit; a RATE of -1 or -2 is a word, not a number."""
    return values.where((values < 0) & (values.name == "RATE"), values * times / over)


def _dv_converted(individuals: Individuals, to_unit: str, dvid: str | None) -> Individuals:
    chosen = list(individuals.dv_units) if dvid is None else [dvid]
    table, units = individuals.events.table, dict(individuals.dv_units)
    times, over = (pd.Series(1.0, index=table.index) for _ in range(2))
    for name in chosen:
        if not units.get(name):
            raise ValueError(f"{individuals.name} states no unit of DV '{name}'")
        own, ratio = table["DVID"] == name, _ratio(units[name], to_unit)
        times, over = times.mask(own, ratio[0]), over.mask(own, ratio[1])
        units[name] = to_unit
    new = {
        column: table[column] + np.log(times / over)
        if individuals.log
        else table[column] * times / over
        for column in _TOGETHER["DV"]
    }
    events = replace(individuals.events, table=table.assign(**new))
    return replace(individuals, events=events, dv_units=units)


def _rules(text: pd.DataFrame, rules: Sequence[Rule]) -> list[Rule | None]:
    """The rule that leaves each row out, if any; the first of the card wins."""
    if not rules:
        return [None] * len(text)
    rows = cast("list[dict[str, Any]]", text.to_dict("records"))
    return [next((rule for rule in rules if rule.holds(row)), None) for row in rows]


def _excluded(text: pd.DataFrame, rules: Sequence[Rule | None]) -> pd.DataFrame:
    out = [rule for rule in rules if rule is not None]
    rows = text[[rule is not None for rule in rules]].reset_index(drop=True)
    return rows.assign(rule=[rule.name for rule in out], reason=[rule.reason for rule in out])


def _individuals(
    folder: Path, card: IndividualCard, table: pd.DataFrame, excluded: pd.DataFrame
) -> Individuals:
    name, content = folder.resolve().name, card.card.content
    whole = filled(table, card.covariates)
    parts = [fingerprint(folder, content, (FILE,)), card.fingerprint()]
    read = card.column("DV")
    assert read is not None  # a card without one is a fault
    dvids = table.loc[observed(table), "DVID"].unique()
    return Individuals(
        name=name,
        events=Events(name, whole),
        excluded=excluded,
        card=content,
        sha256=hashlib.sha256("\n".join(parts).encode()).hexdigest(),
        units={c.role: c.unit for c in card.columns if isinstance(c.unit, str) and c.role != "DV"},
        dv_units={d: read.unit if isinstance(read.unit, str) else read.unit[d] for d in dvids},
        rules={c.role: c.rule for c in card.covariates},
        log=read.log,
        remarks=(*_remarks(whole), *(f"{r.name}: {r.reason}" for r in card.card.remarks)),
    )


def _remarks(table: pd.DataFrame) -> list[str]:
    """Subjects without a dose or without an observation: no fault, but seldom meant."""
    said = []
    doses = table["EVID"].isin([1, 4])
    for what, has in (("dose", doses), ("observation", observed(table))):
        without = table["ID"][~has.groupby(table["ID"], sort=False).transform("any")].unique()
        if len(without):
            listed = ", ".join(map(str, without[:5])) + (", ..." if len(without) > 5 else "")
            some = f"{len(without)} subjects have" if len(without) > 1 else "one subject has"
            said.append(f"{some} no {what}: {listed}")
    return said
