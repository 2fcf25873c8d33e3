"""What is fixed of an individual-level fit before any number is known: schedules and observed rows.

Subjects lie last: N subjects, R records each (the last one repeated up to the longest).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from pkpd.errors import DataError
from pkpd.individual.asked import asked_faults, rows_of
from pkpd.individual.chain import begins, chain_faults, chain_of, sights
from pkpd.individual.numbers import outcome_faults
from pkpd.mechanism.schedule import Schedule
from pkpd.model import Model
from pkpd.records import by_subject, compartments, lengthened, schedules
from pkpd.settings_individual import IndividualSettings, Observation


@dataclass(frozen=True)
class Subjects:
    """What is known of N subjects at K records (1 where nothing changes within a subject)."""

    covariates: Mapping[str, Float[np.ndarray, "K N"]]
    occasion: Int[np.ndarray, "K N"] | None


@dataclass(frozen=True)
class Stream:
    """The n rows of one observation: where each stands, what was seen, and how it is censored.

    `kind` 0 observed, 1 below `y`, -1 above `y`, 2 between `limit` and `y`; `times` the covariate
    that the output is multiplied by, if any; `row` is the place in the table of events. Where a
    chain `begins` its category is given, not explained.
    """

    observation: Observation
    record: Int[np.ndarray, " n"]
    subject: Int[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    kind: Int[np.ndarray, " n"]
    limit: Float[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]
    times: Float[np.ndarray, " n"] | None = None
    begins: Bool[np.ndarray, " n"] | None = None


@dataclass(frozen=True)
class Design:
    """Subjects, their schedules (arrays with N first), compartments of records, observations.

    `table` is that of the events, with the records that a chain adds (see `chain`); `renew` the
    category known from each record on (-1: none), `chain` the states that it is about.
    """

    subjects: tuple[str, ...]
    occasions: tuple[str, ...]
    known: Subjects
    schedule: Schedule
    state: Int[np.ndarray, "R N"]
    streams: tuple[Stream, ...]
    table: pd.DataFrame
    renew: Int[np.ndarray, "R N"] | None = None
    chain: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many subjects."""
        return len(self.subjects)


def design(model: Model, settings: IndividualSettings, table: pd.DataFrame, where: str) -> Design:
    """The design of a checked table of events; `DataError` lists what the settings ask in vain."""
    wrong = [
        *outcome_faults(settings, where),
        *chain_faults(settings, model, where),
        *asked_faults(settings, model, table, where),
    ]
    if wrong:
        raise DataError(wrong)
    chain = chain_of(settings)
    known = sights(table, rows_of(chain, table).to_numpy()) if chain else None
    table = known.table if known else table
    groups = by_subject(table)
    streams = _streams(settings, table, groups)
    made = schedules(model, table, groups, _most_overlapping(table))
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *made)
    size = made[0].time.size
    at = np.stack([lengthened(rows, size) for rows in groups.values()], axis=1)
    occasions, occasion = _occasions(settings, table, at)
    return Design(
        subjects=tuple(str(who) for who in groups),
        occasions=occasions,
        known=Subjects(_covariates(model, settings, table, at), occasion),
        schedule=stacked,
        state=compartments(model, table)[at],
        streams=streams,
        table=table,
        renew=_renewed(known.category, at) if known else None,
        chain=chain.chain if chain else (),
    )


def _renewed(category: Int[np.ndarray, " rows"], at: Int[np.ndarray, "R N"]) -> np.ndarray:
    """The category known from each record on; records that only lengthen a subject say none."""
    again = np.concatenate([np.zeros((1, at.shape[1]), bool), at[1:] == at[:-1]])
    return np.where(again, -1, category[at])


def _most_overlapping(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Doses of which as many implied ones are written out as may run into a steady state.

    A lag may be anything below the interval; modelled rates and durations have none (`steady`).
    """
    one = np.ones(len(table))
    lag = table["II"].to_numpy(float)
    return {"share": one, "lag": lag, "rate": np.inf * one, "duration": 0.0 * one}


def covariate_names(model: Model, settings: IndividualSettings) -> list[str]:
    """Covariates that the settings or the model know, in capitals; data may lack the model's."""
    effects = [e.name for c in settings.parameters.values() for e in c.covariates]
    return list(dict.fromkeys(n.upper() for n in (*effects, *(c.name for c in model.covariates))))


def _covariates(
    model: Model, settings: IndividualSettings, table: pd.DataFrame, at: Int[np.ndarray, "R N"]
) -> dict[str, np.ndarray]:
    """Covariates by record, or one row where none changes within a subject."""
    found = {}
    for name in covariate_names(model, settings):
        if name in table.columns:
            found[name] = pd.to_numeric(table[name]).to_numpy(float)[at]
    constant = {name: bool((value == value[:1]).all()) for name, value in found.items()}
    return {name: value[:1] if constant[name] else value for name, value in found.items()}


def _occasions(
    settings: IndividualSettings, table: pd.DataFrame, at: Int[np.ndarray, "R N"]
) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Labels `subject:occasion`, and which holds at each record."""
    if not any(choice.occasion for choice in settings.parameters.values()):
        return (), None
    label = table["ID"].astype(str) + ":" + table["OCC"].astype(str)
    codes, labels = pd.factorize(label)
    return tuple(str(each) for each in labels), codes[at]


def _streams(
    settings: IndividualSettings, table: pd.DataFrame, groups: Mapping
) -> tuple[Stream, ...]:
    place = np.zeros((len(table), 2), int)
    for n, rows in enumerate(groups.values()):
        place[rows] = np.stack([np.arange(len(rows)), np.full(len(rows), n)], axis=1)
    return tuple(
        _stream(each, table, np.flatnonzero(rows_of(each, table)), place)
        for each in settings.observations
    )


def _stream(
    observation: Observation, table: pd.DataFrame, rows: np.ndarray, place: np.ndarray
) -> Stream:
    own = table.iloc[rows]
    y = own["DV"].to_numpy(float)
    kind = own["CENS"].to_numpy(int) if "CENS" in own.columns else np.zeros(len(own), int)
    limit = own["LIMIT"].to_numpy(float) if "LIMIT" in own.columns else np.full(y.size, np.nan)
    kind = np.where((kind == 1) & np.isfinite(limit), 2, kind)
    record, subject = place[rows].T
    times = None
    if observation.times:
        times = own[observation.times.upper()].to_numpy(float)
    first = begins(table)[rows] if observation.outcome == "markov" else None
    return Stream(observation, record, subject, y, kind, np.nan_to_num(limit), rows, times, first)
