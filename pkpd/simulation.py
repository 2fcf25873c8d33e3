"""Run a model over event records: one row out for each record that is not a dose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd

from pkpd.data.dosed_events import with_regimen
from pkpd.data.dosing_faults import dosing_faults
from pkpd.data.event_faults import model_faults
from pkpd.data.events import Events, Source, read_events
from pkpd.data.individuals import individual_values
from pkpd.early_records import early, early_faults, looks_at_time
from pkpd.errors import DataError, FitError, ModelError
from pkpd.library import individual, load
from pkpd.mechanism.adaptive import Equations
from pkpd.mechanism.courses import Course, course
from pkpd.mechanism.schedule import Schedule
from pkpd.mechanism.timeline import Dosing
from pkpd.model import Model, Named
from pkpd.records import by_subject, dosing, lengthened, schedules
from pkpd.regimen import Regimen
from pkpd.regimen import regimen as read_regimen
from pkpd.units import convert

SOLVERS = {"closed": "", "ode": "dopri8", "stiff": "kvaerno5"}


def simulate(
    model: Model | str,
    events: Events | Source,
    parameters: pd.DataFrame | Path | str | Mapping[str, float] | None = None,
    *,
    solver: str | None = None,
    settings: Mapping[str, float] | None = None,
    regimen: Regimen | str | None = None,
) -> pd.DataFrame:
    """Outputs and states at every record with EVID 0 or 2, in input order.

    Columns ID, TIME, then each output and each state of the model. Values are typical (no random
    effects) except where `parameters` (a table of ID and any parameters, or one value for all)
    or `settings` (one value for all) give others: these stand for the typical value with the
    subject's random effect applied, before covariates act; `f_`, `lag_`, `rate_` and `dur_` of a
    compartment replace what the model makes of them. Covariates are columns of the events; where
    there is no column the reference value holds. A record's own covariates govern the interval
    that ends at it. The model's time counts from the subject's first dose since the last reset;
    records before it are refused where a model without drug looks at time (`early_records`).

    Events are those of NONMEM's PREDPP: EVID 0 to 4, ADDL and II, SS 1 and 2 with doses at once,
    infusions (longer than II, too) and constant infusions (AMT 0), RATE above zero, -1 (parameter
    `rate_` and the compartment) and -2 (`dur_`), lag and bioavailability by compartment. Steady
    states are solved for, not waited for.

    `regimen` (words such as "300 mg every 4 weeks", week 0 at TIME 0) gives every subject its
    doses besides those of the events, by the subject's WT where they go by weight; records at the
    time of such a dose are read before it.

    `solver` is "closed" (linear models, the default for them), "stiff" (adaptive, implicit, the
    default for models that say they are stiff) or "ode" (adaptive, order 8).

    Raises
    ------
    DataError
        With every fault of the events or parameters.
    ModelError
        If the model cannot be simulated so.
    FitError
        If the solver fails for a subject, or a result is no number.
    """
    model = load(model) if isinstance(model, str) else model
    method = _method(model, solver)
    read = _checked(events, model)
    if regimen is not None:
        read = _dosed(read, model, read_regimen(regimen) if isinstance(regimen, str) else regimen)
    own, named = _parameters(model, read.table, parameters, settings or {})
    doses = dosing(model, read.table, {**own, **named})
    _refuse_doses(read, model, own, doses)
    _refuse_early(read, model, own, doses)
    return _rows(model, read.table, _levels(model, read.table, own, doses, method), own)


def _parameters(
    model: Model,
    table: pd.DataFrame,
    parameters: pd.DataFrame | Path | str | Mapping[str, float] | None,
    settings: Mapping[str, float],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Each record's own parameters, and those that say what becomes of its compartment's doses."""
    values = individual_values(model, table["ID"], parameters, settings)
    covariates = {
        c.name: np.asarray(pd.to_numeric(table[c.name.upper()]), float)
        for c in model.covariates
        if c.name.upper() in table.columns
    }
    own = {
        name: np.broadcast_to(np.asarray(value, float), len(table))
        for name, value in individual(model, values, covariates).items()
    }
    return own, {name: value for name, value in values.items() if name not in own}


def _refuse_doses(
    read: Events, model: Model, own: Mapping[str, np.ndarray], doses: Mapping[str, np.ndarray]
) -> None:
    """`DataError` with every dose that cannot be; `ModelError` for a steady state there is not."""
    faults = dosing_faults(read.name, read.table, doses)
    if faults:
        raise DataError(faults)
    if read.table["SS"].gt(0).any() and Equations(model.rates, model.states).timed(
        {name: value[0] for name, value in own.items()}
    ):
        raise ModelError(f"The rates of {model.name} look at time: it has no steady state (SS).")


def _refuse_early(
    read: Events, model: Model, own: Mapping[str, np.ndarray], doses: Mapping[str, np.ndarray]
) -> None:
    """`DataError` with every subject of whom outputs are asked where the model has no course."""
    if not looks_at_time(model, {name: float(value[0]) for name, value in own.items()}):
        return
    table, groups = read.table, by_subject(read.table)
    before = np.zeros(len(table), bool)
    for rows, made in zip(groups.values(), schedules(model, table, groups, doses), strict=True):
        before[rows] = early(made)[: len(rows)]
    told = table[before & table["EVID"].isin([0, 2]).to_numpy()]
    faults = early_faults(read.name, model, told)
    if faults:
        raise DataError(faults)


def _levels(
    model: Model,
    table: pd.DataFrame,
    own: Mapping[str, np.ndarray],
    doses: Mapping[str, np.ndarray],
    method: str,
) -> dict[str, np.ndarray]:
    """The states at every record, subject by subject, and the model's time `t`."""
    groups = by_subject(table)
    levels, since = np.zeros((len(table), len(model.states))), np.zeros(len(table))
    for subject, rows, made in zip(
        groups, groups.values(), schedules(model, table, groups, doses), strict=True
    ):
        at = lengthened(rows, made.time.size)
        p = {name: value[at] for name, value in own.items()}
        own_doses = Dosing(**{name: jnp.asarray(value[at]) for name, value in doses.items()})
        found = _course(model, made, own_doses, p, method)
        _refuse(found, table, rows, subject)
        levels[rows] = np.asarray(found.states)[: len(rows)]
        since[rows] = (made.time - made.origin)[: len(rows)]
    return {**dict(zip(model.states, levels.T, strict=True)), "t": since}


def _method(model: Model, solver: str | None) -> str:
    chosen = solver or ("closed" if model.linear else "stiff" if model.stiff else "ode")
    if chosen not in SOLVERS:
        raise ModelError(f"There is no solver '{solver}'. Solvers: {', '.join(SOLVERS)}.")
    if chosen == "closed" and not model.linear:
        raise ModelError(f"{model.name} is not linear: it has no closed form. Use 'ode'.")
    if model.inputs:
        raise ModelError(
            f"{model.name} needs {', '.join(model.inputs)} from another model, so it is not "
            f"simulated from event records alone. Name that model first: MODEL+{model.name}."
        )
    return SOLVERS[chosen]


def _checked(events: Events | Source, model: Model) -> Events:
    names = [covariate.name for covariate in model.covariates]
    if not isinstance(events, Events):
        return read_events(events, states=model.states, covariates=names)
    faults = model_faults(events.name, events.table, model.states, names)
    if faults:
        raise DataError(faults)
    return events


def _dosed(read: Events, model: Model, given: Regimen) -> Events:
    """The records with a regimen's doses, told in the model's units."""
    into = model.doses_into[0] if model.doses_into else model.states[0]
    unit = model.units.get(into)
    return with_regimen(
        read,
        given,
        week=convert(1.0, "week", model.units["time"]),
        milligram=convert(1.0, "mg", unit) if unit else 1.0,
    )


def _course(model: Model, made: Schedule, doses: Dosing, p: Mapping, method: str) -> Course:
    start = model.initial(p) if model.initial else {}
    size = made.time.size
    initial = [np.broadcast_to(np.asarray(start.get(s, 0.0), float), size) for s in model.states]
    equations = Equations(model.rates, model.states, method or "dopri8")
    return course(made, doses, np.stack(initial, axis=1), p, equations=equations, linear=not method)


def _refuse(found: Course, table: pd.DataFrame, rows: np.ndarray, subject: object) -> None:
    """`FitError` where a steady state was not found or the solver did not come through."""
    lost = ~np.asarray(found.steady)[: len(rows)]
    if lost.any():
        row = table["row"].iloc[rows[int(np.argmax(lost))]]
        raise FitError(
            f"There is no steady state for subject {subject}, row {row}. Check that the body can "
            "remove what is given (a saturable path may not), and that rates do not look at time."
        )
    stopped = ~np.asarray(found.fine)[: len(rows)]
    if stopped.any():
        when = table["TIME"].iloc[rows[int(np.argmax(stopped))]]
        raise FitError(
            f"The solver did not come through for subject {subject} before time {when:g}. "
            "Check that subject's parameters, or try solver='stiff'."
        )


def _rows(
    model: Model, table: pd.DataFrame, levels: Named, p: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    states = {name: levels[name] for name in model.states}
    outputs = {name: np.asarray(value) for name, value in model.outputs(levels, p).items()}
    every = pd.DataFrame({"ID": table["ID"], "TIME": table["TIME"], **outputs, **states})
    wanted = every[table["EVID"].isin([0, 2])].reset_index(drop=True)
    bad = ~np.isfinite(wanted.drop(columns="ID").to_numpy(float)).all(axis=1)
    if bad.any():
        subjects = ", ".join(str(subject) for subject in wanted.loc[bad, "ID"].unique()[:5])
        raise FitError(
            f"The result is no finite number for subject {subjects}. Check their parameters: a "
            "volume or a rate of zero does this."
        )
    return wanted
