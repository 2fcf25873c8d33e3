"""Run a model over event records: one row out for each record that is not a dose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pkpd.data.event_faults import compartment, model_faults
from pkpd.data.events import Events, Source, read_events
from pkpd.data.individuals import individual_values
from pkpd.errors import DataError, FitError, ModelError
from pkpd.library import individual, load
from pkpd.mechanism.adaptive import solve_adaptive
from pkpd.mechanism.dosing import dosing_value
from pkpd.mechanism.linear import solve_linear
from pkpd.mechanism.timeline import Records, Timeline, common_length, padded, timeline
from pkpd.model import Model

SOLVERS = {"closed": "", "ode": "dopri8", "stiff": "kvaerno5"}


def simulate(
    model: Model | str,
    events: Events | Source,
    parameters: pd.DataFrame | Path | str | Mapping[str, float] | None = None,
    *,
    solver: str | None = None,
    settings: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Outputs and states at every record with EVID 0 or 2, in input order.

    Columns ID, TIME, then each output and each state of the model. Values are typical (no random
    effects) except where `parameters` (a table of ID and any parameters, or one value for all)
    or `settings` (one value for all) give others: these stand for the typical value with the
    subject's random effect applied, before covariates act; `f_` and `lag_` of a compartment
    replace what the model makes of them. Covariates are columns of the events; where there is no
    column the reference value holds. A record's own covariates govern the interval that ends at
    it. The model's time counts from the subject's first dose record.

    `solver` is "closed" (linear models, the default for them), "ode" (adaptive, order 8) or
    "stiff" (adaptive, implicit).

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
    table = read.table
    values = individual_values(model, table["ID"], parameters, settings or {})
    covariates = {
        c.name: np.asarray(pd.to_numeric(table[c.name.upper()]), float)
        for c in model.covariates
        if c.name.upper() in table.columns
    }
    own = {
        name: np.broadcast_to(np.asarray(value, float), len(table))
        for name, value in individual(model, values, covariates).items()
    }
    dosing = {name: value for name, value in values.items() if name not in own}
    records = _records(model, table, {**own, **dosing})
    groups = table.groupby("ID", sort=False).indices
    lines = {who: _line(model, records, np.asarray(rows)) for who, rows in groups.items()}
    length = common_length(lines.values())
    levels = np.zeros((len(table), len(model.states)))
    for subject, rows in groups.items():
        p = {name: value[rows] for name, value in own.items()}
        line = padded(lines[subject], length)
        levels[rows] = _subject(model, line, p, method=method, subject=subject)
    return _rows(model, table, levels, own)


def _method(model: Model, solver: str | None) -> str:
    chosen = solver or ("closed" if model.linear else "ode")
    if chosen not in SOLVERS:
        raise ModelError(f"There is no solver '{solver}'. Solvers: {', '.join(SOLVERS)}.")
    if chosen == "closed" and not model.linear:
        raise ModelError(f"{model.name} is not linear: it has no closed form. Use 'ode'.")
    if model.inputs:
        raise ModelError(
            f"{model.name} needs {', '.join(model.inputs)} from another model, so it is not "
            "simulated from event records alone."
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


def _records(model: Model, table: pd.DataFrame, p: Mapping[str, np.ndarray]) -> dict:
    """The fields of `Records`, for all subjects in one."""
    default = model.states.index(model.doses_into[0] if model.doses_into else model.states[0])
    state = table["CMT"].map(lambda text: compartment(text, model.states)).to_numpy(int)
    state = np.where(state < 0, default, state)

    def of_compartment(role: str) -> np.ndarray:
        by_state = [dosing_value(p, dosing=model.dosing, role=role, state=s) for s in model.states]
        wide = np.stack([np.broadcast_to(np.asarray(v, float), len(table)) for v in by_state])
        return wide[state, np.arange(len(table))]

    return {
        "time": table["TIME"].to_numpy(float),
        "dose": (table["EVID"] == 1).to_numpy(),
        "amount": table["AMT"].fillna(0.0).to_numpy(float),
        "state": state,
        "rate": table["RATE"].to_numpy(float),
        "further": table["ADDL"].to_numpy(int),
        "interval": table["II"].to_numpy(float),
        "share": of_compartment("f"),
        "lag": of_compartment("lag"),
    }


def _line(model: Model, records: Mapping[str, np.ndarray], rows: np.ndarray) -> Timeline:
    own = Records(**{name: value[rows] for name, value in records.items()})
    return timeline(own, len(model.states))


def _subject(
    model: Model, line: Timeline, p: Mapping[str, np.ndarray], *, method: str, subject: object
) -> np.ndarray:
    """The states of one subject at each record."""
    at_step = {name: value[line.governs] for name, value in p.items()}
    first = {name: value[0] for name, value in p.items()}
    start = model.initial(first) if model.initial else {}
    initial = np.array([float(start.get(name, 0.0)) for name in model.states])
    if not method:
        path = solve_linear(
            initial,
            line.end - line.start,
            line.infusion,
            line.bolus,
            at_step,
            rates=model.rates,
            states=model.states,
        )
        return np.asarray(path)[line.read]
    return _adaptive(model, line, initial, at_step, method=method, subject=subject)[line.read]


def _adaptive(
    model: Model, line: Timeline, initial: np.ndarray, p: Mapping, *, method: str, subject: object
) -> np.ndarray:
    path, fine = solve_adaptive(
        initial,
        line.start - line.origin,
        line.end - line.origin,
        line.infusion,
        line.bolus,
        p,
        rates=model.rates,
        states=model.states,
        method=method,
    )
    if not fine.all():
        when = line.end[int(np.argmin(np.asarray(fine)))]
        raise FitError(
            f"The solver did not come through for subject {subject} before time {when:g}. "
            "Check that subject's parameters, or try solver='stiff'."
        )
    return np.asarray(path)


def _rows(
    model: Model, table: pd.DataFrame, levels: np.ndarray, p: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    states = dict(zip(model.states, levels.T, strict=True))
    outputs = {name: np.asarray(value) for name, value in model.outputs(states, p).items()}
    every = pd.DataFrame({"ID": table["ID"], "TIME": table["TIME"], **outputs, **states})
    wanted = every[table["EVID"] != 1].reset_index(drop=True)
    bad = ~np.isfinite(wanted.drop(columns="ID").to_numpy(float)).all(axis=1)
    if bad.any():
        subjects = ", ".join(str(subject) for subject in wanted.loc[bad, "ID"].unique()[:5])
        raise FitError(
            f"The result is no finite number for subject {subjects}. Check their parameters: a "
            "volume or a rate of zero does this."
        )
    return wanted
