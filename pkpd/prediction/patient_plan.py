"""The time to come of patients with records: regimens from a start on, visits, one table of all.

Weeks to come count from the start: the patient's last record, or a week of the records' clock.
A visit comes before a dose at the same time, so that a concentration is a trough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.data.event_faults import DOSES
from pkpd.data.patients import SLACK, last_times
from pkpd.errors import Fault
from pkpd.model import Model
from pkpd.regimen import Dose, Regimen
from pkpd.settings_individual import Observation
from pkpd.units import factor

UNTIL = "Write it as 'from week N' of the weeks to come"


@dataclass(frozen=True)
class Ahead:
    """Regimens, weeks at which patients are seen, and the week of the record at which it begins.

    `start` None: each patient's time to come begins at its last record.
    """

    regimens: tuple[Regimen, ...]
    weeks: tuple[float, ...]
    start: float | None = None


def week_of(model: Model) -> float:
    """A week in the model's unit of time."""
    return factor("week", model.units["time"])


def starts(table: pd.DataFrame, ahead: Ahead, model: Model) -> dict:
    """When the time to come of each patient begins, on the clock of its records."""
    last = last_times(table)
    if ahead.start is None:
        return last
    return dict.fromkeys(last, ahead.start * week_of(model))


def faults_ahead(name: str, table: pd.DataFrame, ahead: Ahead, model: Model) -> Iterator[Fault]:
    """Regimens that would begin in the past of the record, or with a dose that stands there."""
    week, begin = week_of(model), starts(table, ahead, model)
    for who, last in last_times(table).items():
        if begin[who] < last * (1 - SLACK):
            yield Fault(
                f"{name}, subject {who}",
                f"the regimens would begin at week {begin[who] / week:g}, before the last record "
                f"at week {last / week:g}: their doses lie in the past of the record",
                "Begin at the last record (leave --start out) or later",
            )
            continue
        yield from _clashes(name, who, table, begin[who], ahead, model)
        yield from _new_clocks(name, who, table[table["ID"] == who], begin[who], ahead)


def _clashes(
    name: str, who: object, table: pd.DataFrame, begin: float, ahead: Ahead, model: Model
) -> Iterator[Fault]:
    """Another dose than the regimen's stands in the record where the regimen begins."""
    given = _standing(table[table["ID"] == who], begin)
    for regimen in ahead.regimens:
        first = [dose for dose in regimen.doses(0.0) if dose.week == 0]
        amount = first[0].amount * _per_mg(model) if first else given
        if given and not np.isclose(amount, given):
            yield Fault(
                f"{name}, subject {who}",
                f"a dose of {given:g} stands in the record where '{regimen}' begins with another",
                f"{UNTIL}: the dose at its week 0 has been given",
            )


def _new_clocks(
    name: str, who: object, own: pd.DataFrame, begin: float, ahead: Ahead
) -> Iterator[Fault]:
    """A first dose after the record began: a model's clock starts with the first dose, anew."""
    dosed = (own["EVID"].isin(DOSES) & (own["AMT"] > 0)).any()
    if dosed or np.isclose(begin, own["TIME"].iloc[0]):
        return
    for regimen in ahead.regimens:
        if regimen.clauses:
            yield Fault(
                f"{name}, subject {who}",
                f"the record has no dose, and '{regimen}' would start the model's clock anew",
                "Forecast without a dose ('none'), or let the record begin at the first dose",
            )


def table_ahead(
    table: pd.DataFrame, ahead: Ahead, observations: Sequence[Observation], model: Model
) -> pd.DataFrame:
    """Records of every patient under every regimen, regimens first: past doses, visits, doses.

    Subject R n + k .. is patient k of n under regimen R. Visits stand at the start, too, so that
    what happens later can be told given that the patient was there.
    """
    parts, begin = [], starts(table, ahead, model)
    for r, regimen in enumerate(ahead.regimens):
        for k, (who, own) in enumerate(table.groupby("ID", sort=False)):
            found = _own(own, begin[who], regimen, ahead, observations, model)
            parts.append(found.assign(ID=r * len(begin) + k))
    whole = pd.concat(parts, ignore_index=True)
    return whole.assign(row=np.arange(1, len(whole) + 1))


def _own(
    own: pd.DataFrame, begin: float, regimen: Regimen, ahead: Ahead,
    observations: Sequence[Observation], model: Model,
) -> pd.DataFrame:  # fmt: skip
    """One patient's records under one regimen, in order of time."""
    week, last = week_of(model), own.iloc[-1]
    past = own.assign(
        EVID=own["EVID"].mask(own["EVID"] == 0, 2.0), MDV=1.0, DV=np.nan, DVID="", CENS=0,
        LIMIT=np.nan,
    )  # fmt: skip
    seen = [
        _record(last, begin + at * week, EVID=0.0, MDV=0.0, DV=float(each.outcome != "event"),
                DVID=each.dvid or "")
        for at in (0.0, *ahead.weeks)
        for each in observations
    ]  # fmt: skip
    given = [
        _record(last, begin + dose.week * week, EVID=1.0, MDV=1.0, AMT=dose.amount * _per_mg(model))
        for dose in _to_come(regimen, own, begin, ahead)
    ]
    ordered = sorted([*seen, *given], key=lambda record: record["TIME"])  # stable: visits first
    return pd.concat([past, pd.DataFrame(ordered)], ignore_index=True)[list(past.columns)]


def _to_come(regimen: Regimen, own: pd.DataFrame, begin: float, ahead: Ahead) -> Iterator[Dose]:
    """The regimen's doses, but for one at its start that stands in the record."""
    standing = _standing(own, begin) > 0
    for dose in regimen.doses(max(ahead.weeks)):
        if dose.week > 0 or not standing:
            yield dose


def _record(last: pd.Series, time: float, **said: object) -> dict:
    """A record with the covariates of the last one."""
    plain = {"AMT": 0.0, "RATE": 0.0, "ADDL": 0.0, "II": 0.0, "SS": 0.0, "CMT": "", "DVID": "",
             "DV": np.nan, "CENS": 0, "LIMIT": np.nan}  # fmt: skip
    return {**last.to_dict(), **plain, "TIME": time, **said}


def _standing(own: pd.DataFrame, time: float) -> float:
    """What was given at a time, further doses of a record (ADDL) among it; 0 if nothing."""
    doses = own[own["EVID"].isin(DOSES) & (own["AMT"] > 0)]
    end = doses["TIME"] + doses["ADDL"] * doses["II"]  # none goes on beyond the last record
    return float(doses["AMT"][np.isclose(end, time)].sum())


def _per_mg(model: Model) -> float:
    """What a milligram is in the model's unit of doses; 1 where that has no unit."""
    into = (model.doses_into or model.states)[0]
    unit = model.units.get(into, "")
    return factor("mg", unit) if unit else 1.0
