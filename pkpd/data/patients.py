"""Records of new patients of a fit: read under its data card, with every fault of them.

Columns go by the names of contract C1 (ID TIME DV AMT EVID ..., covariates), in capitals or not, or
by the names that the fit's own file has. Units are those of the fit's card.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from pkpd.data.card import Card
from pkpd.data.covariates import filled
from pkpd.data.event_faults import DOSES, faults_at
from pkpd.data.events import Events, row_of
from pkpd.data.individual_card import ROLES, Column, IndividualCard, columns_of
from pkpd.data.individual_checks import checked_records
from pkpd.data.individual_table import Individuals
from pkpd.data.observation_faults import observed
from pkpd.data.text_table import Source, text_table
from pkpd.errors import DataError, Fault

SLACK = 1e-9
"""Of a time: two that differ by less are one."""


@dataclass(frozen=True)
class Wanted:
    """What a fit needs to know of a patient.

    `covariates` in capitals, `baselines` those of them that outputs are multiplied with, `dvids`
    what may be observed (none where all rows are of one kind), `ranges` the lowest and highest DV
    by DVID and whether it is a whole number, `events` the DVID of events that end a patient's
    record, `drug` the one that the doses are of, `states` the compartments.
    """

    covariates: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    dvids: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[float, float, bool]] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    drug: str = ""
    states: tuple[str, ...] = ()


def read_patients(source: Source, content: Mapping[str, Any], wanted: Wanted) -> Individuals:
    """The patients of a CSV file or table; `content` is the card of the fit's data.

    Raises
    ------
    DataError
        With every fault: row and subject, what was found, what to do.
    """
    name, text = text_table(source)
    known = columns_of(content["columns"])
    text = text.rename(columns=_roles(text, known))
    faults = [*_twice(name, text), *_missing(name, text, known, wanted)]
    text = text.loc[:, ~text.columns.duplicated()]
    if not {"ID", "TIME"} <= set(text.columns):
        raise DataError(faults)
    text = text if "DV" in text.columns else text.assign(DV="")
    card = _card(content, text, known, wanted)
    table, found = checked_records(name, text, card, wanted.states or None)
    faults += [*found, *_faults(name, table, card, wanted)]
    if faults:
        raise DataError(sorted(faults, key=row_of))
    return _individuals(name, table, card, content)


def last_times(table: pd.DataFrame) -> dict[Any, float]:
    """The time of each subject's last record."""
    return {who: float(t) for who, t in table.groupby("ID", sort=False)["TIME"].max().items()}


def _roles(text: pd.DataFrame, known: Sequence[Column]) -> dict[str, str]:
    """The role of each column, by its name in the file."""
    roles = {*ROLES, *(c.role for c in known)}
    by_name = {c.name: c.role for c in known}
    named = [c for c in text.columns if c != "row"]
    return {c: c.upper() if c.upper() in roles else by_name.get(c, c) for c in named}


def _twice(name: str, text: pd.DataFrame) -> Iterator[Fault]:
    for column in text.columns[text.columns.duplicated()].unique():
        yield Fault(name, f"two columns are read as {column}", "Keep one.")


def _missing(
    name: str, text: pd.DataFrame, known: Sequence[Column], wanted: Wanted
) -> Iterator[Fault]:
    """Columns without which a patient is not known."""
    needed = ["ID", "TIME", *(c for c in wanted.covariates if c in {k.role for k in known})]
    needed += ["DVID"] if len(wanted.dvids) > 1 and "DV" in text.columns else []
    for column in dict.fromkeys(needed):
        if column in text.columns:
            continue
        near = difflib.get_close_matches(column, [c.upper() for c in text.columns], n=1)
        meant = f"Did you mean it by {near[0]}? " if near else ""
        what = ", the baseline of a score" if column in wanted.baselines else ""
        what = what or (", a covariate of the fit" if column in wanted.covariates else "")
        yield Fault(name, f"column {column}{what}, is missing", f"{meant}Add it.")


def _card(
    content: Mapping[str, Any], text: pd.DataFrame, known: Sequence[Column], wanted: Wanted
) -> IndividualCard:
    """The fit's card for the columns that are here, under the names of their roles."""
    by_role = {c.role: replace(c, name=c.role) for c in known}
    here = [
        by_role.get(c, Column(c, c, "", "", {}, False))
        for c in text.columns
        if (c in ROLES and c != "row") or (c in by_role and c in wanted.covariates)
    ]
    return IndividualCard(Card(content, (), ()), tuple(here), content.get("replicates", False))


def _faults(
    name: str, table: pd.DataFrame, card: IndividualCard, wanted: Wanted
) -> Iterator[Fault]:
    yield from _unknown(name, table, card, wanted)
    yield from _out_of_range(name, table, wanted)
    yield from _gone(name, table, wanted)
    yield from _going_on(name, table)
    for column in (c for c in wanted.baselines if c in table.columns):
        yield from faults_at(
            name,
            table[(table[column] <= 0) & ~table["ID"].duplicated()],
            lambda r, c=column: f"{c} is {r[c]:g}: a baseline is above zero",
            "Give the score that the patient began with.",
        )
    other = ~table["DRUG"].str.lower().isin(["", wanted.drug.lower(), "placebo"])
    yield from faults_at(
        name,
        table[other & bool(wanted.drug)],
        lambda r: f"DRUG is '{r['DRUG']}', which is not in the fit",
        f"The fit is of {wanted.drug}.",
    )


def _unknown(
    name: str, table: pd.DataFrame, card: IndividualCard, wanted: Wanted
) -> Iterator[Fault]:
    """Observations of a kind that the fit does not have; the card's unit may have told some."""
    column = card.column("DV")
    assert column is not None  # added where it was missing
    told = table["DVID"] if not isinstance(column.unit, str) else pd.Series("", table.index)
    told = ~told.isin(["", *column.unit]) if not isinstance(column.unit, str) else told.ne("")
    wrong = observed(table) & table["DVID"].ne("") & ~table["DVID"].isin(wanted.dvids) & ~told
    if wanted.dvids:
        yield from faults_at(
            name,
            table[wrong],
            lambda r: f"DVID is '{r['DVID']}', of which the fit has no observation",
            f"It has {', '.join(wanted.dvids)}.",
        )


def _out_of_range(name: str, table: pd.DataFrame, wanted: Wanted) -> Iterator[Fault]:
    for dvid, (low, high, whole) in wanted.ranges.items():
        own = table[observed(table) & (table["DVID"] == dvid) & table["DV"].notna()]
        wrong = (own["DV"] < low) | (own["DV"] > high)
        wrong |= (own["DV"] != own["DV"].round()) & whole
        kind = "a whole number" if whole else "a score"
        yield from faults_at(
            name,
            own[wrong],
            lambda r: f"DV is {r['DV']:g}",
            f"'{dvid}' is {kind} from {low:g} to {high:g}." if dvid else f"DV is {kind}.",
        )


def _gone(name: str, table: pd.DataFrame, wanted: Wanted) -> Iterator[Fault]:
    left = observed(table) & table["DVID"].isin(wanted.events) & (table["DV"] != 0)
    yield from faults_at(
        name,
        table[left & table["DV"].notna()],
        lambda r: f"'{r['DVID']}' is {r['DV']:g} at {r['TIME']:g}: the patient has left",
        "There is nothing to forecast: leave the patient out.",
    )


def _going_on(name: str, table: pd.DataFrame) -> Iterator[Fault]:
    """Doses implied by ADDL that come after the patient's last record: they are not given yet."""
    last = table.groupby("ID", sort=False)["TIME"].transform("max")
    end = table["TIME"] + table["ADDL"] * table["II"]
    beyond = table["EVID"].isin(DOSES) & (end > last * (1 + SLACK))
    rows = table.assign(end=end, last=last)[np.asarray(beyond)]
    yield from faults_at(
        name,
        rows,
        lambda r: f"its doses go on to {r['end']:g}, after the last record at {r['last']:g}",
        "Let ADDL end with the last dose that was given; what is to come is the regimen's.",
    )


def _individuals(
    name: str, table: pd.DataFrame, card: IndividualCard, content: Mapping[str, Any]
) -> Individuals:
    whole = filled(table, card.covariates)
    read = card.column("DV")
    assert read is not None  # added where it was missing
    dvids = table.loc[observed(table), "DVID"].unique()
    return Individuals(
        name=name,
        events=Events(name, whole),
        excluded=pd.DataFrame(),
        card=content,
        sha256="",
        units={c.role: c.unit for c in card.columns if isinstance(c.unit, str) and c.role != "DV"},
        dv_units={
            d: read.unit if isinstance(read.unit, str) else read.unit.get(d, "") for d in dvids
        },
        rules={c.role: c.rule for c in card.covariates},
        log=read.log,
        remarks=(),
    )
