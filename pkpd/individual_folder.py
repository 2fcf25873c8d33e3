"""The folder of an individual-level fit: settings, data and model read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pkpd.data.individual_table import Individuals, converted, read_individuals
from pkpd.errors import DataError, Fault, ModelError
from pkpd.fit_folder import data_folder
from pkpd.individual.build import solved, unsolved
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.start import centring
from pkpd.library import load
from pkpd.model import Model
from pkpd.model_units import in_time_unit
from pkpd.provenance import hashes_of, settings_told, versions
from pkpd.settings_individual import IndividualSettings, read_individual_settings


@dataclass(frozen=True)
class IndividualFit:
    """An individual-level fit that can be run; `bare` is its likelihood, mesh not yet planned."""

    folder: Path
    settings: IndividualSettings
    data: Individuals
    model: Model
    bare: IndividualLikelihood

    @cached_property
    def likelihood(self) -> IndividualLikelihood:
        """The likelihood, its mesh planned; kept, for its programs are."""
        return solved(self.bare)

    @property
    def passed(self) -> bool:
        """That it was read at all says so."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """What was read, as plain data."""
        return {
            "fit": self.settings.name,
            "model": self.settings.model,
            "data": self.data.name,
            "passed": True,
            **counts(self),
        }

    def __str__(self) -> str:
        found, free = counts(self), self.bare.space
        population = sum(v.dim is None for v in free.variables)
        return (
            f"{self.data}\n\n{self.settings.name}: {found['observations']} observations of "
            f"{found['subjects']} subjects are fitted with {self.settings.model}; {population} "
            f"population numbers, {free.size - population} individual effects. "
            f"Next: pkpd run {self.folder}"
        )


def centring_told(
    likelihood: IndividualLikelihood, shrinkage: Mapping[str, float], way: str = ""
) -> dict[str, dict[str, Any]]:
    """How each parameter's effects were sampled, and why, as a card has it.

    By a `way` that looks at each subject ("by subject": centred as far as its own data know its
    effects, `whitening`; "integrated": summed over its points), `share` is the subjects' mean.
    """
    if way:
        return {
            name: {"choice": way, "share": 1 - kept, "shrinkage": kept}
            for name, kept in shrinkage.items()
        }
    shares = centring(likelihood, shrinkage)
    return {
        name: {
            "choice": "centred" if shares[name] > 0.5 else "non-centred",
            "share": shares[name],
            "shrinkage": kept,
        }
        for name, kept in shrinkage.items()
    }


def counts(fit: IndividualFit) -> dict[str, int]:
    """Subjects, observations fitted, those censored, dose records."""
    streams, table = fit.bare.solver.design.streams, fit.data.events.table
    return {
        "subjects": fit.bare.solver.design.count,
        "observations": sum(len(each.y) for each in streams),
        "censored": sum(int((each.kind != 0).sum()) for each in streams),
        "doses": int((table["EVID"].isin([1, 4]) & (table["AMT"] > 0)).sum()),
    }


def open_individual(folder: Path) -> IndividualFit:
    """Read a fit; `DataError` lists the faults of settings, model and data together."""
    where = str(folder / "fit.toml")
    return with_settings(folder, read_individual_settings(folder / "fit.toml"), where)


def with_settings(folder: Path, settings: IndividualSettings, where: str) -> IndividualFit:
    """The fit of settings that are read already; `where` says where they stand."""
    faults: list[Fault] = []
    model = data = None
    try:
        model = load(settings.model)
    except ModelError as error:
        faults.append(Fault(f"{where}, model", str(error), "Name a model of `pkpd models`"))
    try:
        states = model.states if model else None
        data = read_individuals(data_folder(folder, settings.data), states=states)
    except DataError as error:
        faults += error.faults
    if faults or model is None or data is None:
        raise DataError(faults)
    if settings.time_unit:
        model = in_time_unit(model, settings.time_unit)
    logged = tuple(o.model_copy(update={"log": o.log or data.log}) for o in settings.observations)
    settings = settings.model_copy(update={"observations": logged})
    data = in_units_of(model, settings, data)
    bare = unsolved(settings, model, data.events.table, where)
    return IndividualFit(folder, settings, data, model, bare)


def in_units_of(model: Model, settings: IndividualSettings, data: Individuals) -> Individuals:
    """The data told in the model's units, where the card states any."""
    data = converted(data, "TIME", model.units["time"])
    into = (model.doses_into or model.states)[:1]
    if into and data.units.get("AMT") and into[0] in model.units:
        data = converted(data, "AMT", model.units[into[0]])
    plain = [o for o in settings.observations if o.outcome == "continuous" and not o.times]
    for each in plain:
        for dvid in [each.dvid] if each.dvid is not None else list(data.dv_units):
            if data.dv_units.get(dvid) and each.output in model.units:
                data = converted(data, "DV", model.units[each.output], dvid)
    return data


def individual_provenance(fit: IndividualFit) -> dict[str, Any]:
    """Versions, hashes, settings after defaults and seeds."""
    parts = fit.settings.model.split("+")
    return {
        "versions": versions(),
        "hashes": hashes_of(fit.settings, fit.data.sha256, parts),
        **settings_told(fit.settings),
    }


def excluded(fit: IndividualFit) -> list[dict[str, Any]]:
    """Rows left out by rule, for the card."""
    return json.loads(fit.data.excluded.to_json(orient="records"))
