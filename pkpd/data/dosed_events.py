"""Event records given the doses of a regimen, subject by subject."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pkpd.data.events import Events
from pkpd.data.text_table import numbers
from pkpd.errors import DataError, Fault
from pkpd.regimen import Regimen
from pkpd.regimen.changes import NEAR
from pkpd.regimen.value import past_faults

_DOSE = {"EVID": 1.0, "MDV": 1.0, "DV": np.nan, "RATE": 0.0, "ADDL": 0.0, "II": 0.0, "SS": 0.0,
         "CMT": ""}  # fmt: skip


def with_regimen(events: Events, given: Regimen, *, week: float, milligram: float) -> Events:
    """The records and, up to each subject's last, the doses of a regimen, week 0 at TIME 0.

    `week` and `milligram` are these in the model's units. Doses go into the model's own dosing
    compartment. A record at the time of a dose stands before it; a dose has the covariates of the
    record it comes before. Weight, where doses go by it, is a subject's first WT, in kg.

    Raises
    ------
    DataError
        With every subject without a weight, with a reset, or dosed on record after the regimen's
        first dose; and where the regimen is decided at visits.
    """
    if given.rules:
        found = f"'{given}' is decided by responses, which event records do not hold"
        raise DataError([Fault("regimen", found, "Predict it from a fit: pkpd predict FIT.")])
    parts, faults = [events.table.assign(place=np.arange(len(events.table), dtype=float))], []
    for subject, rows in parts[0].groupby("ID", sort=False):
        where = f"{events.name}, subject {subject}"
        more = _reset(where, rows) + _weightless(where, rows, given)
        if not more:
            more = _past(where, rows, given, week)
            parts.append(_doses(rows, given, week, milligram))
        faults += more
    if faults:
        raise DataError(faults)
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    ordered = table.sort_values(["place", "TIME"], kind="stable", ignore_index=True)
    return Events(events.name, ordered.drop(columns="place"))


def _doses(rows: pd.DataFrame, given: Regimen, week: float, milligram: float) -> pd.DataFrame:
    """A row for each dose before the subject's last record, in front of the first one after it."""
    end = float(rows["TIME"].max())
    doses = [d for d in given.doses(end / week, _weight(rows)) if d.week * week < end]
    times = np.array([dose.week * week for dose in doses])
    after = np.array([int(np.argmax(rows["TIME"].to_numpy(float) > time)) for time in times], int)
    amounts = [dose.amount * milligram for dose in doses]
    made = rows.iloc[after].assign(**_DOSE)
    return made.assign(TIME=times, AMT=amounts, place=made["place"] - 0.5)


def _weight(rows: pd.DataFrame) -> float | None:
    """The subject's first weight, kg; None without one."""
    if "WT" not in rows:
        return None
    found = numbers(rows["WT"].astype(str))[0]
    found = found[np.isfinite(found)]
    return float(found[0]) if found.size else None


def _reset(where: str, rows: pd.DataFrame) -> list[Fault]:
    if not rows["EVID"].isin([3, 4]).any():
        return []
    found = "a reset (EVID 3 or 4) starts time anew, so that a week is no one time"
    return [Fault(where, found, "Leave the reset out, or give the doses as records.")]


def _weightless(where: str, rows: pd.DataFrame, given: Regimen) -> list[Fault]:
    weight = _weight(rows)
    if not given.edges or (weight is not None and weight > 0):
        return []
    found = "the regimen goes by body weight and there is none above 0 kg in column WT"
    return [Fault(where, found, "Give the weight, kg, or a regimen with one dose for all.")]


def _past(where: str, rows: pd.DataFrame, given: Regimen, week: float) -> list[Fault]:
    doses = rows[rows["EVID"] == 1]
    if doses.empty:
        return []
    last = float((doses["TIME"] + doses["ADDL"] * doses["II"]).max()) / week
    said = past_faults(given.weeks(last + NEAR), last)
    return [Fault(where, each.rstrip("."), "Its doses are on record up to then.") for each in said]
