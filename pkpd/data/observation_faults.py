"""What may be wrong with the observations of individual data, one small rule each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pkpd.data.event_faults import RESETS, Found, faults_at
from pkpd.errors import Fault, UnitError
from pkpd.units import factor

Rule = tuple[pd.Series, Found, str]
_CONCENTRATIONS = ("mg/L", "mol/L", "U/L")


def observation_faults(
    name: str, table: pd.DataFrame, unreadable: pd.DataFrame, *, replicates: bool
) -> list[Fault]:
    """Faults of DV, MDV, CENS, LIMIT and DVID; cells that are no numbers are told elsewhere."""
    faults = []
    for wrong, found, remedy in (
        *_value_rules(table, unreadable),
        *_censoring_rules(table),
        *_name_rules(table, replicates=replicates),
    ):
        faults += faults_at(name, table[np.asarray(wrong)], found, remedy)
    return faults


def concentration(unit: str) -> bool:
    """Whether the unit is one of a concentration."""
    return any(_told_in(unit, other) for other in _CONCENTRATIONS)


def negative_faults(name: str, table: pd.DataFrame, measured: pd.Series) -> Iterator[Fault]:
    """Observations below zero where `measured` says that DV is a concentration, not its log."""
    below = observed(table) & measured & (table["DV"] < 0)
    return faults_at(
        name,
        table[below],
        lambda r: f"DV is {r['DV']:g}, a concentration below zero",
        "Correct it; if below the limit of quantification, set CENS to 1 and DV to the limit; if "
        "DV is a logarithm, say log = true in the card.",
    )


def observed(table: pd.DataFrame) -> pd.Series:
    """Which records hold an observation: EVID 0 and MDV 0."""
    return (table["EVID"] == 0) & (table["MDV"] == 0)


def _told_in(unit: str, other: str) -> bool:
    try:
        factor(unit, other)
    except UnitError:
        return False
    return True


def _value_rules(t: pd.DataFrame, unreadable: pd.DataFrame) -> Iterator[Rule]:
    """Each rule: which rows break it, what was found there, what to do."""
    empty = observed(t) & t["DV"].isna() & ~unreadable["DV"]
    yield (
        empty & (t["CENS"] == 0),
        lambda r: "DV is empty on an observation (EVID 0, MDV 0)",
        "Give DV, or set MDV to 1.",
    )
    yield (
        (t["EVID"] == 0) & t["CENS"].isin([-1, 1]) & t["DV"].isna() & ~unreadable["DV"],
        lambda r: f"CENS is {r['CENS']:g}, but DV is empty",
        "Set DV to the limit that the value is beyond.",
    )


def _censoring_rules(t: pd.DataFrame) -> Iterator[Rule]:
    yield (
        t["CENS"].notna() & ~t["CENS"].isin([-1, 0, 1]),
        lambda r: f"CENS is {r['CENS']:g}",
        "Use 0 (observed), 1 (below DV) or -1 (above DV).",
    )
    yield (
        observed(t) & (t["CENS"] == 1) & (t["LIMIT"] >= t["DV"]),
        lambda r: f"LIMIT is {r['LIMIT']:g}, not below DV ({r['DV']:g})",
        "With CENS 1 the value lies from LIMIT to DV: give the lower end, or leave LIMIT empty.",
    )
    yield (
        observed(t) & (t["CENS"] == -1) & t["LIMIT"].notna(),
        lambda r: f"LIMIT is {r['LIMIT']:g} with CENS -1",
        "Leave LIMIT empty: a value above DV has no other end here.",
    )


def _name_rules(t: pd.DataFrame, *, replicates: bool) -> Iterator[Rule]:
    seen = observed(t)
    some = bool((seen & t["DVID"].ne("")).any())
    yield (
        seen & (t["DVID"] == "") & some,
        lambda r: "DVID is empty, where other observations have one",
        "Say what was measured.",
    )
    if replicates:
        return
    span = t["EVID"].isin(RESETS).cumsum().rename("span")  # after a reset time may start anew
    same = pd.concat([t[["ID", "TIME", "DVID", "DV", "CENS", "LIMIT"]], span], axis=1)
    twice = same[seen & t["DV"].notna()].duplicated().reindex(t.index, fill_value=False)
    yield (
        twice,
        lambda r: f"the observation {r['DV']:g} at {r['TIME']:g} stands there twice",
        "Remove one; if both were measured, say replicates = true in the card.",
    )
