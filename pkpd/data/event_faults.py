"""What may be wrong with event records, one small rule each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from pkpd.data.lines import number
from pkpd.errors import Fault

Found = Callable[[pd.Series], str]
DOSES, RESETS = (1, 4), (3, 4)


def record_faults(name: str, table: pd.DataFrame, unreadable: pd.DataFrame) -> list[Fault]:
    """Faults that can be seen without a model; cells that are no numbers are told elsewhere."""
    faults = []
    for wrong, found, remedy in (
        *_order_rules(table, unreadable),
        *_dose_rules(table, unreadable),
        *_kind_rules(table),
    ):
        faults += faults_at(name, table[np.asarray(wrong)], found, remedy)
    return faults


def model_faults(
    name: str, table: pd.DataFrame, states: Sequence[str] | None, covariates: Sequence[str]
) -> list[Fault]:
    """Faults against a model's compartments and covariates."""
    faults = []
    if states is not None:
        known = ", ".join(f"{i} {state}" for i, state in enumerate(states, 1))
        given = table["CMT"].astype(str)
        strange = given.isin([t for t in given.unique() if compartment(t, states) is None])
        faults += faults_at(
            name, table[strange], lambda r: f"CMT is '{r['CMT']}'", f"Compartments are: {known}."
        )
    for column in (c.upper() for c in covariates if c.upper() in table.columns):
        wrong = ~np.isfinite(pd.to_numeric(table[column], errors="coerce"))
        faults += faults_at(
            name,
            table[wrong],
            lambda r, c=column: f"{c} is '{r[c]}', not a number",
            "Give every record its value, or leave the column out for the reference value.",
        )
    return faults


def compartment(text: str, states: Sequence[str]) -> int | None:
    """The place of the compartment, -1 for the default one, `None` if there is none such."""
    if text in ("", ".", "0", "0.0"):
        return -1
    if text.lower() in states:
        return list(states).index(text.lower())
    place = number(text)
    return int(place) - 1 if place in range(1, len(states) + 1) else None


def faults_at(name: str, rows: pd.DataFrame, found: Found, remedy: str) -> Iterator[Fault]:
    """One fault a row: its place, what was found there, what to do."""
    for _, row in rows.iterrows():
        where = f"{name}, row {row['row']}, subject {row['ID']}"
        yield Fault(where, found(row), remedy)


def _order_rules(t: pd.DataFrame, unreadable: pd.DataFrame) -> Iterator[tuple]:
    """Each rule: which rows break it, what was found there, what to do."""
    subject = t["ID"].astype(str)
    yield subject == "", lambda r: "ID is empty", "Name the subject."
    no_time = t["TIME"].isna() & ~unreadable["TIME"]
    yield no_time, lambda r: "TIME is empty", "Give the time of the record."
    yield (
        t["TIME"] < 0,
        lambda r: f"TIME is {r['TIME']:g}, below zero",
        "Count from a first record.",
    )
    begins = subject != subject.shift()
    again = begins & subject.where(begins).duplicated() & (subject != "")
    yield (
        again,
        lambda r: "the subject's records resume here after another's",
        "Keep them together.",
    )
    back = (t["TIME"].diff() < 0) & ~begins & ~t["EVID"].isin(RESETS)
    yield back, lambda r: f"TIME goes back to {r['TIME']:g}", "Put the records in time order."


def _dose_rules(t: pd.DataFrame, unreadable: pd.DataFrame) -> Iterator[tuple]:
    dose = t["EVID"].isin(DOSES)
    yield t["AMT"] < 0, lambda r: f"AMT is {r['AMT']:g}, below zero", "Give a dose of zero or more."
    yield (
        (t["AMT"] > 0) & t["EVID"].isin([0, 2, 3]),
        lambda r: f"AMT is {r['AMT']:g} on a record that is no dose (EVID {r['EVID']:g})",
        "Set EVID to 1, or AMT to 0.",
    )
    no_amount = dose & t["AMT"].isna() & ~unreadable["AMT"]
    yield no_amount, lambda r: f"a dose record (EVID {r['EVID']:g}) has no AMT", "Give the amount."
    yield t["II"] < 0, lambda r: f"II is {r['II']:g}, below zero", "Give the time between doses."
    whole = (t["ADDL"] >= 0) & (t["ADDL"] == t["ADDL"].round())
    yield (
        ~whole & t["ADDL"].notna(),
        lambda r: f"ADDL is {r['ADDL']:g}",
        "Give the number of further doses: 0, 1, 2 and so on.",
    )
    yield (
        (t["ADDL"] > 0) & (t["II"] == 0),
        lambda r: f"ADDL is {r['ADDL']:g} without II",
        "Give II, the time between the doses.",
    )
    columns = ["ID", "TIME", "CMT", "AMT", "RATE", "ADDL", "II", "SS", "EVID"]
    yield (
        dose & (t["AMT"] > 0) & t.where(dose)[columns].duplicated(),
        lambda r: f"the dose of {r['AMT']:g} at {r['TIME']:g} stands there twice",
        "Remove one; if both were given, write one dose of the whole amount.",
    )


def _kind_rules(t: pd.DataFrame) -> Iterator[tuple]:
    """EVID, SS and RATE: what they may be, alone and together."""
    dose = t["EVID"].isin(DOSES)
    yield (
        t["EVID"].notna() & ~t["EVID"].isin([0, 1, 2, 3, 4]),
        lambda r: f"EVID is {r['EVID']:g}",
        "Use 0 (observation), 1 (dose), 2 (other), 3 (reset) or 4 (reset and dose).",
    )
    yield (
        t["MDV"].notna() & ~t["MDV"].isin([0, 1]),
        lambda r: f"MDV is {r['MDV']:g}",
        "Use 0 (DV holds an observation) or 1 (it does not).",
    )
    yield (
        t["SS"].notna() & ~t["SS"].isin([0, 1, 2]),
        lambda r: f"SS is {r['SS']:g}",
        "Use 0 (none), 1 (steady state) or 2 (steady state added to what is there).",
    )
    steady = t["SS"].isin([1, 2])
    yield (
        steady & ~dose,
        lambda r: f"SS is {r['SS']:g} on a record that is no dose (EVID {r['EVID']:g})",
        "Set SS to 0, or EVID to 1.",
    )
    constant = steady & dose & (t["AMT"] == 0) & (t["RATE"] != 0)
    yield (
        steady & dose & ~constant & (t["II"] == 0),
        lambda r: f"SS is {r['SS']:g} without II",
        "Give II, the time between the doses; or AMT 0 and a RATE for a constant infusion.",
    )
    yield (
        constant & ((t["II"] != 0) | (t["ADDL"] != 0)),
        lambda r: "a steady state of a constant infusion (AMT 0) has II or ADDL",
        "Set both to 0: the infusion ends at the record.",
    )
    yield (
        constant & (t["RATE"] == -2),
        lambda r: "a steady state of a constant infusion (AMT 0) has RATE -2",
        "Give its rate: it has no duration.",
    )
    yield (
        (t["RATE"] < 0) & ~t["RATE"].isin([-1, -2]),
        lambda r: f"RATE is {r['RATE']:g}, below zero",
        "Give amount per time, 0 for a dose at once, -1 (modelled rate) or -2 (duration).",
    )
    yield (
        dose & (t["RATE"] != 0) & ~steady & (t["AMT"] == 0),
        lambda r: f"RATE is {r['RATE']:g} with AMT 0",
        "Give the amount infused.",
    )
