"""Covariates of event records, by the rule each one states, brought to one rule for all.

Downstream a record's own value governs the interval that ends at it (`nonmem`). Under `locf` a
value governs from its record on, so that each record is given the value of the one before. Empty
cells take the value that the rule makes hold there: of the next record that has one (`nonmem`), of
the last (`locf`), of the subject (`constant`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from pkpd.data.event_faults import faults_at
from pkpd.data.individual_card import Column
from pkpd.errors import Fault


def filled(table: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The table with every covariate at every record; NaN where a subject has none."""
    subjects = table["ID"]
    new = {}
    for column in columns:
        by_subject = table[column.role].groupby(subjects, sort=False)
        back, forth = by_subject.bfill(), by_subject.ffill()
        whole = forth.fillna(back) if column.rule == "locf" else back.fillna(forth)
        if column.rule == "locf":
            whole = whole.groupby(subjects, sort=False).shift().fillna(whole)
        new[column.role] = whole
    return table.assign(**new)


def covariate_faults(name: str, table: pd.DataFrame, columns: Sequence[Column]) -> list[Fault]:
    """Subjects without a value, and values that change though said to be constant."""
    faults = []
    for column in columns:
        faults += _absent(name, table, column)
        if column.rule == "constant":
            faults += _changing(name, table, column)
    return faults


def _absent(name: str, table: pd.DataFrame, column: Column) -> Iterable[Fault]:
    none = table[column.role].isna().groupby(table["ID"], sort=False).transform("all")
    first = none & ~table["ID"].duplicated()
    return faults_at(
        name,
        table[first],
        lambda r: f"{column.role} has no value in any record of the subject",
        "Give it once, or leave the subject out by a rule of the card.",
    )


def _changing(name: str, table: pd.DataFrame, column: Column) -> Iterable[Fault]:
    first = table[column.role].groupby(table["ID"], sort=False).transform("first")
    other = table[column.role].notna() & (table[column.role] != first)
    where = other & ~table["ID"].where(other).duplicated()
    return faults_at(
        name,
        table.assign(first=first)[np.asarray(where)],
        lambda r: f"{column.role} is {r[column.role]:g} after {r['first']:g}, though constant",
        "Correct it, or state the rule nonmem or locf.",
    )
