"""A fit's folder: what is read before anything is computed, and the card of results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.arm_level.collect import fitted_rows
from pkpd.arm_level.held import held_from
from pkpd.arm_level.problem import Likelihood, likelihood
from pkpd.data.arm_description import describe
from pkpd.data.arms import ArmData, read_arms
from pkpd.diagnosis.checks import Diagnosis
from pkpd.errors import DataError, Fault, ModelError
from pkpd.files import replacing
from pkpd.library import load
from pkpd.model import Model
from pkpd.posterior import Posterior
from pkpd.provenance import asked_hash, file_hash, settings_told
from pkpd.settings import Settings
from pkpd.settings_joint import read_arm_settings


@dataclass(frozen=True)
class Problem:
    """Settings, data and models of a fit, read and checked."""

    settings: Settings
    data: ArmData
    disease: Model
    pk: Mapping[str, Model]

    def with_model(self, name: str) -> Problem:
        """The same fit with another disease model."""
        settings = self.settings.model_copy(update={"model": name, "compare": ()})
        return replace(self, settings=settings, disease=load(name))

    def likelihood(self, days: np.ndarray) -> Likelihood:
        """The likelihood on a mesh of these days."""
        return likelihood(self.settings, self.data, self.disease, self.pk, days)


@dataclass(frozen=True)
class Checked:
    """A fit that can be run."""

    folder: Path
    problem: Problem

    def to_dict(self) -> dict[str, Any]:
        """What was read, as plain data."""
        data, settings = self.problem.data, self.problem.settings
        return {
            "fit": settings.name,
            "model": settings.model,
            "data": data.name,
            "passed": True,
            "arms": len(data.arms),
            "rows_fitted": len(fitted_rows(data, settings.endpoints)),
            "rows_excluded": len(data.excluded),
        }

    def __str__(self) -> str:
        found = self.to_dict()
        return (
            f"{describe(self.problem.data)}\n\n{found['fit']}: {found['rows_fitted']} rows of "
            f"{found['arms']} arms are fitted with {found['model']}. Next: pkpd run {self.folder}"
        )


def sampled_likelihood(problem: Problem, posterior: Posterior) -> Likelihood:
    """The likelihood that draws were made under: the same mesh, the same covariances held."""
    likelihood = problem.likelihood(np.array(posterior.provenance["mesh"]))
    return replace(likelihood, frozen=held_from(posterior.tree["held"].dataset))


def data_folder(folder: Path, name: str) -> Path:
    """Where the data of a fit stand: `data/NAME` beside the fit's folder."""
    return folder.resolve().parent / "data" / name


def open_fit(folder: Path) -> Problem:
    """Read a fit; `DataError` lists the faults of settings, models and data together."""
    settings = read_arm_settings(folder / "fit.toml")
    faults: list[Fault] = []
    where = str(folder / "fit.toml")
    found: dict[str, Model] = {}
    for key, name in {"model": settings.model, **settings.drugs}.items():
        try:
            found[key] = load(name)
        except ModelError as error:
            faults.append(Fault(f"{where}, {key}", str(error), "Name a model of `pkpd models`"))
    for name in settings.compare:
        try:
            load(name)
        except ModelError as error:
            faults.append(Fault(f"{where}, compare", str(error), "Name a model of `pkpd models`"))
    data = None
    try:
        data = read_arms(data_folder(folder, settings.data))
    except DataError as error:
        faults += error.faults
    if data is not None:
        faults += _unmet(settings, data, where)
    if faults or data is None:
        raise DataError(faults)
    return Problem(settings, data, found["model"], {d: found[d] for d in settings.drugs})


def _unmet(settings: Settings, data: ArmData, where: str) -> list[Fault]:
    """Names in the settings that the data do not know."""
    drugs = {arm.drug for arm in data.arms} - {"placebo"}
    faults = [
        Fault(f"{where}, drugs", f"no pharmacokinetic model for {drug}", "Add a line to [drugs]")
        for drug in sorted(drugs - set(settings.drugs))
    ]
    studies = {arm.study for arm in data.arms}
    faults += [
        Fault(f"{where}, dropout", f"unknown study {rule.study}", f"Studies: {sorted(studies)}")
        for rule in settings.dropout
        if rule.study not in studies
    ]
    faults += [
        Fault(f"{where}, predictions", f"no arm had {question.drug}", f"Drugs: {sorted(drugs)}")
        for question in settings.predictions.questions
        if question.drug not in drugs
    ]
    faults += [
        Fault(
            f"{where}, endpoints",
            f"no rows of {e.endpoint} {e.statistic} {e.estimand}",
            "See `pkpd check` for what was posted",
        )
        for e in settings.endpoints
        if fitted_rows(data, (e,)).empty
    ]
    return faults


def excluded_rows(data: ArmData) -> list[dict[str, Any]]:
    """Rows left out by rule, for the card."""
    keys = ("row", "study", "arm", "week", "endpoint", "value", "rule", "reason")
    table = data.excluded.reindex(columns=list(keys))
    return json.loads(table.to_json(orient="records"))


def read_card(folder: Path) -> dict[str, Any]:
    """card.json of a folder, or an empty card."""
    path = folder / "card.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def write_card(
    folder: Path, settings: Settings, posterior: Posterior, diagnosis: Diagnosis, data: ArmData
) -> None:
    """card.json: verdicts and provenance (contract C5)."""
    record = posterior.provenance
    update_card(
        folder,
        {
            "name": settings.name,
            "title": settings.title,
            "passed": diagnosis.passed,
            "diagnostics": diagnosis.rows,
            **{key: record[key] for key in ("versions", "hashes", "seconds")},
            **note_asked(folder, "diagnose", settings),
            "resumed": record.get("resumed", {}),  # draws of before have none
            "mesh": {"steps": len(record["mesh"]) - 1, "error": record["mesh_error"]},
            "excluded": excluded_rows(data),
        },
    )


def note_asked(folder: Path, verb: str, settings: Any) -> dict[str, Any]:
    """Entries of the card: what settings a verb went by, and a hash of what it was to predict."""
    before = read_card(folder).get("asked", {})
    asked = {**before, verb: asked_hash(settings.predictions)}
    return {**settings_told(settings), "asked": asked}


def update_card(folder: Path, entries: Mapping[str, Any]) -> None:
    """card.json with some entries replaced; a card of other draws is not kept.

    So a verdict never stands beside the predictions of draws that it was not given on.
    """
    draws = file_hash(folder / "draws.nc")
    known = read_card(folder)
    kept = known if known.get("draws") == draws else {}
    card = {**kept, "draws": draws, **entries}
    with replacing(folder / "card.json") as partial:
        partial.write_text(json.dumps(card, indent=1, default=float) + "\n", "utf-8")
