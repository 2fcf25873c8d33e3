"""Event tables packed for the engine: schedules of one shape, and what becomes of doses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pkpd.data.dosing_faults import overlapping
from pkpd.data.event_faults import compartment
from pkpd.mechanism.dosing import dosing_value
from pkpd.mechanism.schedule import Records, Schedule, schedule, stacked
from pkpd.model import Model


def by_subject(table: pd.DataFrame) -> dict:
    """The rows of each subject, in the order in which subjects first stand there."""
    found = table.groupby("ID", sort=False).indices
    return {who: np.asarray(rows) for who, rows in found.items()}


def dosing(model: Model, table: pd.DataFrame, p: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The fields of `Dosing`, for all records, each of its record's compartment."""
    state = compartments(model, table)
    found = {}
    for role, field in (("f", "share"), ("lag", "lag"), ("rate", "rate"), ("dur", "duration")):
        by_state = [dosing_value(p, dosing=model.dosing, role=role, state=s) for s in model.states]
        wide = np.stack([np.broadcast_to(np.asarray(v, float), len(table)) for v in by_state])
        found[field] = wide[state, np.arange(len(table))]
    return found


def compartments(model: Model, table: pd.DataFrame) -> np.ndarray:
    """The place among the states of each record's compartment."""
    default = model.states.index(model.doses_into[0] if model.doses_into else model.states[0])
    state = table["CMT"].map(lambda text: compartment(text, model.states)).to_numpy(int)
    return np.where(state < 0, default, state)


def schedules(
    model: Model, table: pd.DataFrame, groups: Mapping, doses: Mapping[str, np.ndarray]
) -> list[Schedule]:
    """Every subject's schedule, all of one shape; `groups` are the rows of each subject."""
    overlap = overlapping(table, doses)
    columns = {
        "time": table["TIME"].to_numpy(float),
        "kind": table["EVID"].to_numpy(int),
        "amount": table["AMT"].fillna(0.0).to_numpy(float),
        "state": compartments(model, table),
        "rate": table["RATE"].to_numpy(float),
        "further": table["ADDL"].to_numpy(int),
        "interval": table["II"].to_numpy(float),
        "steady": table["SS"].to_numpy(int),
    }
    return stacked(
        [
            schedule(Records(**{name: value[rows] for name, value in columns.items()}), overlap)
            for rows in groups.values()
        ]
    )


def lengthened(rows: np.ndarray, length: int) -> np.ndarray:
    """The rows of a subject, its last one again up to the length."""
    return np.concatenate([rows, np.full(length - len(rows), rows[-1])])
