"""What the settings ask of the data in vain, every fault of it, and which rows are of what."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pkpd.data.event_faults import faults_at
from pkpd.errors import Fault
from pkpd.model import Model
from pkpd.settings_individual import IndividualSettings, Observation


def asked_faults(
    settings: IndividualSettings, model: Model, table: pd.DataFrame, where: str
) -> Iterator[Fault]:
    """What is asked for and not there, and values that no outcome of its kind can have."""
    yield from _absent(settings, table, where)
    yield from _unseen(settings, model, table, where)
    for each in settings.observations:
        yield from _impossible(each, table, settings.data)


def _absent(settings: IndividualSettings, table: pd.DataFrame, where: str) -> list[Fault]:
    """Covariates and occasions that the settings ask for and the data lack."""
    faults = [
        Fault(
            f"{where}, parameters.{name}.covariates",
            f"the data have no covariate '{effect.name}'",
            "Name a column of the data card with a rule",
        )
        for name, choice in settings.parameters.items()
        for effect in choice.covariates
        if effect.name.upper() not in table.columns
    ]
    faults += [
        Fault(
            f"{where}, observations.{each.label}.times",
            f"the data have no covariate '{each.times}'",
            "Name a column of the data card with a rule",
        )
        for each in settings.observations
        if each.times and each.times.upper() not in table.columns
    ]
    wants = [name for name, choice in settings.parameters.items() if choice.occasion]
    if wants and ("OCC" not in table.columns or (table["OCC"] == "").all()):
        found = f"'{wants[0]}' varies between occasions, and the data have no column OCC"
        faults.append(Fault(f"{where}, parameters", found, 'Add a column as = "OCC"'))
    return faults


def rows_of(observation: Observation, table: pd.DataFrame) -> pd.Series:
    """Which rows are observations of it."""
    observed = (table["EVID"] == 0) & (table["MDV"].fillna(0) == 0) & table["DV"].notna()
    if observation.dvid is None or "DVID" not in table.columns:
        return observed
    return observed & (table["DVID"].astype(str) == observation.dvid)


def _unseen(
    settings: IndividualSettings, model: Model, table: pd.DataFrame, where: str
) -> Iterator[Fault]:
    """Outputs that the model does not have, and observations without a row."""
    for each in settings.observations:
        for name in filter(None, (each.output, each.cumulative)):
            if name not in model.units:
                yield _no_output(name, model, where)
        if not rows_of(each, table).any():
            told = f" of DVID {each.dvid}" if each.dvid is not None else ""
            seen = sorted(set(table.get("DVID", pd.Series(dtype=str)).astype(str)) - {""})
            yield Fault(
                f"{where}, observations.{each.label}",
                f"the data have no observed row{told}",
                f"DVID in the data: {', '.join(seen) or 'none'}",
            )


def _no_output(name: str, model: Model, where: str) -> Fault:
    known = [name for name in model.units if name not in ("time", *model.states)]
    return Fault(
        f"{where}, observations",
        f"{model.name} has no output '{name}'",
        f"Outputs: {', '.join(known)}",
    )


def _impossible(observation: Observation, table: pd.DataFrame, name: str) -> Iterator[Fault]:
    """Rows whose DV an outcome of this kind cannot have."""
    own = table[rows_of(observation, table)]
    own = own[own["CENS"] == 0] if "CENS" in own.columns else own
    may, told = _possible(observation, own["DV"].to_numpy(float))
    kind = f"a {observation.outcome} outcome"
    yield from faults_at(
        name,
        own[~may],
        lambda r: f"DV is {r['DV']:g}, which {kind} ({observation.label}) cannot be",
        f"{told}. Correct it, or say another outcome in fit.toml.",
    )


def _possible(seen: Observation, y: np.ndarray) -> tuple[np.ndarray, str]:
    """Which values may be, and what they may be in words."""
    match seen.outcome:
        case "bounded":
            return (seen.low <= y) & (y <= seen.high), f"From {seen.low:g} to {seen.high:g}"
        case "count":
            return (y >= 0) & (y == np.round(y)), "Whole numbers from 0"
        case "continuous":
            return np.ones(y.shape, bool), ""
    sizes = {"binary": 2, "event": 3, "ordinal": seen.categories, "markov": len(seen.chain)}
    most = sizes[seen.outcome] - 1
    return np.isin(y, np.arange(most + 1)), f"Whole numbers from 0 to {most}"
