"""What may be wrong with doses once their lags, rates and durations are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from pkpd.errors import Fault

MODELLED = {-1: ("rate", "rate_"), -2: ("duration", "dur_")}


def dosing_faults(name: str, table: pd.DataFrame, doses: Mapping[str, np.ndarray]) -> list[Fault]:
    """Faults of records against the share, lag, rate and duration of their compartments."""
    given = table["EVID"].isin([1, 4]).to_numpy()
    rate, interval = table["RATE"].to_numpy(float), table["II"].to_numpy(float)
    repeated = given & (table["SS"].to_numpy(float) > 0) & (interval > 0)
    faults = list(
        _told(
            name,
            table,
            repeated & (doses["lag"] >= interval),
            lambda k: f"the lag is {doses['lag'][k]:g}, not below II ({interval[k]:g})",
            "A steady state needs a lag below the time between doses.",
        )
    )
    for told, (field, role) in MODELLED.items():
        value = doses[field]
        faults += _told(
            name,
            table,
            given & (rate == told) & np.isnan(value),
            lambda k, told=told, field=field: f"RATE is {told}, but nothing gives its {field}",
            f"Give {role} and the compartment among the parameters, as in {role}central.",
        )
        faults += _told(
            name,
            table,
            given & (rate == told) & (value <= 0),
            lambda k, field=field, value=value: f"the modelled {field} is {value[k]:g}",
            "It must be above zero.",
        )
    return faults


def overlapping(table: pd.DataFrame, doses: Mapping[str, np.ndarray]) -> int:
    """The most implied doses that still run when their steady state is reached."""
    rate, amount = table["RATE"].to_numpy(float), table["AMT"].fillna(0.0).to_numpy(float)
    interval = table["II"].to_numpy(float)
    steady = (table["SS"].to_numpy(float) > 0) & (interval > 0) & (rate != 0)
    if not steady.any():
        return 0
    flow = np.where(rate > 0, rate, np.where(rate == -1, doses["rate"], np.nan))
    lasts = np.where(rate == -2, doses["duration"], amount * doses["share"] / flow)
    return int(np.max(np.ceil((lasts + doses["lag"])[steady] / interval[steady])))


def _told(name: str, table: pd.DataFrame, wrong: np.ndarray, found, remedy: str) -> Iterator[Fault]:
    for k in np.flatnonzero(wrong):
        where = f"{name}, row {table['row'].iloc[k]}, subject {table['ID'].iloc[k]}"
        yield Fault(where, found(k), remedy)
