"""Rows of text made records of subjects, under the card's names, and every fault of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pkpd.data.covariates import covariate_faults
from pkpd.data.event_faults import faults_at, model_faults
from pkpd.data.events import event_table, unreadable_faults
from pkpd.data.individual_card import Column, IndividualCard
from pkpd.data.observation_faults import (
    concentration,
    negative_faults,
    observation_faults,
    observed,
)
from pkpd.data.text_table import EMPTY, labels, numbers
from pkpd.errors import Fault, UnitError
from pkpd.units import factor

LABELS = ("DVID", "OCC", "STUDY", "DRUG", "ARM")
_ORDER = (
    "row", "ID", "TIME", "DV", "AMT", "EVID", "MDV", "RATE", "ADDL", "II", "SS", "CMT", "DVID",
    "CENS", "LIMIT", "OCC", "STUDY", "DRUG", "ARM",
)  # fmt: skip


def checked_records(
    name: str, text: pd.DataFrame, card: IndividualCard, states: Sequence[str] | None
) -> tuple[pd.DataFrame, list[Fault]]:
    """The records under their roles, covariates as the file has them, and all faults."""
    faults = _unit_faults(name, card)
    if text.empty:
        fault = Fault(name, "there are no records", "Give one row a dose or observation.")
        return pd.DataFrame(columns=list(_ORDER)), [*faults, fault]
    raw = _named(text, card.columns)
    raw = _worded(raw, card.columns)
    faults += _unsaid_doses(name, raw)
    table, found = event_table(name, raw)
    table, unreadable = _observed_numbers(table, raw, card.covariates)
    faults += found + _word_faults(name, raw, unreadable, card.columns)
    faults += observation_faults(name, table, unreadable, replicates=card.replicates)
    faults += _dv_faults(name, table, card)
    readable = [c for c in card.covariates if not unreadable[c.role].any()]
    faults += covariate_faults(name, table, readable)
    table = _finished(table, card.covariates)
    return table, faults + model_faults(name, table, states, ())


def _named(text: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The columns that are read, under their roles; AMT of nothing where there is none."""
    raw = pd.DataFrame({"row": text["row"], **{c.role: text[c.name] for c in columns}})
    return raw if "AMT" in raw.columns else raw.assign(AMT="")


def _worded(raw: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Numbers for words; a word that stands for none is kept, so that it counts as unreadable."""
    new = {}
    for c in columns:
        if c.values:
            told = raw[c.role].map({word: repr(float(v)) for word, v in c.values.items()})
            new[c.role] = told.fillna(raw[c.role])
    return raw.assign(**new)


def _word_faults(
    name: str, raw: pd.DataFrame, unreadable: pd.DataFrame, columns: Sequence[Column]
) -> list[Fault]:
    """Cells of CENS, LIMIT and covariates that are no number, or none of the card's words."""
    words = {c.role: c.values for c in columns if c.values and c.role in unreadable.columns}
    faults = unreadable_faults(name, raw, unreadable.drop(columns=["DV", *words]))
    for role, values in words.items():
        faults += faults_at(
            name,
            raw[unreadable[role]],
            lambda r, role=role: f"{role} is '{r[role]}'",
            f"The card gives numbers for {', '.join(values)}.",
        )
    return faults


def _unsaid_doses(name: str, raw: pd.DataFrame) -> list[Fault]:
    """AMT where there is a column EVID that does not say what it is."""
    if "EVID" not in raw.columns:
        return []
    rows = raw[raw["EVID"].isin(EMPTY).to_numpy() & (numbers(raw["AMT"])[0] > 0)]
    found = faults_at(name, rows, lambda r: f"AMT is {r['AMT']}, but EVID is empty", "Set EVID.")
    return list(found)


def _observed_numbers(
    table: pd.DataFrame, raw: pd.DataFrame, covariates: Sequence[Column]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table with CENS, LIMIT, covariates and labels, and which cells are no numbers."""
    nothing = pd.Series("", index=raw.index)
    new, unreadable = {}, {"DV": numbers(raw["DV"])[1]}
    for role in ("CENS", "LIMIT", *(c.role for c in covariates)):
        new[role], unreadable[role] = numbers(raw.get(role, nothing))
    new["CENS"] = np.where(np.isnan(new["CENS"]) & ~unreadable["CENS"], 0.0, new["CENS"])
    new |= {role: labels(raw.get(role, nothing)) for role in LABELS}
    return table.assign(**new), pd.DataFrame(unreadable)


def _finished(table: pd.DataFrame, covariates: Sequence[Column]) -> pd.DataFrame:
    """Columns in order; CMT of doses alone, CENS of observations alone."""
    dose = table["EVID"].isin([1, 4])
    cens = table["CENS"].where(observed(table), 0).fillna(0).astype(int)
    table = table.assign(CMT=table["CMT"].where(dose, ""), CENS=cens)
    return table[[*_ORDER, *(c.role for c in covariates)]]


def _dv_faults(name: str, table: pd.DataFrame, card: IndividualCard) -> list[Fault]:
    """Concentrations below zero; observations whose DVID has no unit in the card."""
    column = card.column("DV")
    assert column is not None  # a card without one is a fault
    units: Mapping[str, str] = column.unit if not isinstance(column.unit, str) else {}
    faults = []
    if isinstance(column.unit, str):
        measured = pd.Series(concentration(column.unit), index=table.index)
    else:
        measured = table["DVID"].isin([d for d, unit in units.items() if concentration(unit)])
        rows = table[observed(table) & table["DVID"].ne("") & ~table["DVID"].isin(list(units))]
        faults += faults_at(
            name,
            rows,
            lambda r: f"DVID is '{r['DVID']}', for which the card gives no unit of DV",
            f"It gives one for {', '.join(units)}.",
        )
    if not column.log:
        faults += negative_faults(name, table, measured)
    return faults


def _unit_faults(name: str, card: IndividualCard) -> list[Fault]:
    """Columns that must be told in one unit: II in that of TIME, RATE in AMT a TIME."""
    unit = {c.role: c.unit for c in card.columns if isinstance(c.unit, str) and c.unit}
    pairs = [("II", unit.get("TIME")), ("LIMIT", unit.get("DV"))]
    if "AMT" in unit and "TIME" in unit:
        pairs.append(("RATE", f"{unit['AMT']}/({unit['TIME']})"))
    return [
        Fault(
            f"{name}, column {role}",
            f"its unit is {unit[role]} where {wanted} is needed",
            "Tell both in one unit.",
        )
        for role, wanted in pairs
        if wanted and role in unit and not _same(unit[role], wanted)
    ]


def _same(one: str, other: str) -> bool:
    try:
        return factor(one, other) == 1
    except UnitError:
        return False
