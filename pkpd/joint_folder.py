"""The folder of a joint fit: arms and individuals read and checked together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pkpd.errors import DataError, Fault, ModelError
from pkpd.fit_folder import Checked, Problem, open_fit
from pkpd.individual_folder import IndividualFit, counts, with_settings
from pkpd.joint.checks import few_patients, model_faults, settings_faults
from pkpd.joint.links import shared_parameters
from pkpd.library import load, models
from pkpd.model import Model
from pkpd.provenance import file_hash, provenance
from pkpd.settings import read_as
from pkpd.settings_joint import JointSettings


@dataclass(frozen=True)
class JointFit:
    """A joint fit that can be run: the arms' problem, and the individuals read beside it."""

    folder: Path
    settings: JointSettings
    problem: Problem
    individual: IndividualFit

    @property
    def passed(self) -> bool:
        """That it was read at all says so."""
        return True

    @property
    def shared(self) -> tuple[str, ...]:
        """Names of the parameters that individuals and arms share."""
        made = self.individual.bare.made
        return tuple(p.name for p in shared_parameters(self.problem.disease, made))

    def to_dict(self) -> dict[str, Any]:
        """What was read, as plain data."""
        return {**Checked(self.folder, self.problem).to_dict(), "individual": told(self)}

    def __str__(self) -> str:
        part, found = self.settings.individual, counts(self.individual)
        warned = few_patients(self.settings)
        warning = f"Warning: {warned}\n\n" if warned else ""
        return (
            f"{self.individual.data}\n\nWith the arms below are fitted {found['observations']} "
            f"observations of {found['subjects']} subjects of {part.study} on {part.drug}, by "
            f"{part.model}. Shared: {', '.join(self.shared)}.\n\n"
            f"{warning}{Checked(self.folder, self.problem)}"
        )


def told(fit: JointFit) -> dict[str, Any]:
    """The individual study in a card: what it is, its counts, and what it shares with the arms."""
    part = fit.settings.individual
    return {
        "study": part.study,
        "drug": part.drug,
        "model": part.model,
        "data": part.data,
        **counts(fit.individual),
        "shared": list(fit.shared),
    }


def open_joint(folder: Path) -> JointFit:
    """Read a joint fit; `DataError` lists the faults of settings, models and all data together."""
    settings, where = read_as(folder / "fit.toml", JointSettings), str(folder / "fit.toml")
    faults: list[Fault] = []
    problem = individual = None
    try:
        problem = open_fit(folder)
    except DataError as error:
        faults += error.faults
    try:
        own = settings.of_individuals()
        individual = with_settings(folder, own, f"{where}, [individual]")
        faults += model_faults(settings, individual.model, where)
    except DataError as error:
        faults += error.faults
    except ModelError as error:
        faults.append(Fault(f"{where}, individual.model", str(error), "Name another model"))
    data = problem.data if problem else None
    faults += settings_faults(settings, _disease(settings), data, where)
    if faults or problem is None or individual is None:
        raise DataError(faults)
    return JointFit(folder, settings, problem, individual)


def _disease(settings: JointSettings) -> Model | None:
    """The arms' disease model; none where there is none, a fault that `open_fit` tells."""
    return load(settings.model) if settings.model in models() else None


def joint_hashes(fit: JointFit) -> dict[str, str]:
    """Hashes of the settings, of both data sets and of every model."""
    known, parts = models(), fit.settings.individual.model.split("+")
    return {
        **provenance(fit.problem)["hashes"],
        "individual data": fit.individual.data.sha256,
        **{f"models/{name}.py": file_hash(known[name]) for name in parts},
    }
