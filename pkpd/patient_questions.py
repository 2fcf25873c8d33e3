"""What is asked of new patients of a fit, read and checked whole: records, regimens, responses."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from pkpd.data.events import Events
from pkpd.data.individual_table import Individuals
from pkpd.data.observation_faults import observed
from pkpd.data.patients import Wanted, read_patients
from pkpd.data.text_table import Source
from pkpd.errors import DataError, Fault, ModelError, UnitError
from pkpd.individual.design import covariate_names
from pkpd.individual_folder import IndividualFit, in_units_of
from pkpd.prediction.patient_plan import Ahead, faults_ahead
from pkpd.prediction.responses import Response, asked_responses, known_responses
from pkpd.regimen import Regimen, regimen
from pkpd.settings_individual import Observation

WEEKS = (4.0, 8.0, 12.0, 16.0, 20.0, 24.0)


@dataclass(frozen=True)
class Questions:
    """What is asked, in the user's words; weeks to come count from `start`, or the last record.

    `regimens` and `compare` (reference, other) are regimens in words; `responses` as EASI75, all
    there are if none; `visits` weeks at which a visit might tell most, `times` if none. `start` is
    a week on the clock of the records. `draws` of the population, `level` of intervals.
    """

    regimens: tuple[str, ...] = ()
    compare: tuple[str, str] | None = None
    times: tuple[float, ...] = WEEKS
    responses: tuple[str, ...] = ()
    visits: tuple[float, ...] = ()
    start: float | None = None
    drug: str | None = None
    draws: int = 200
    level: float | None = None
    seed: int = 1


@dataclass(frozen=True)
class Asked:
    """Questions that can be answered: patients in the model's units, what is to come, responses.

    `observations` are those of the fit with a row, and of events, in the patients' records; the
    responses come in the order in which they were named.
    """

    patients: Individuals
    ahead: Ahead
    responses: tuple[Response, ...]
    observations: tuple[Observation, ...]

    @property
    def table(self) -> pd.DataFrame:
        """The records."""
        return self.patients.events.table


def asked(fit: IndividualFit, source: Source, questions: Questions) -> Asked:
    """Questions and records checked; `DataError` lists every fault of both."""
    faults = [*_fit_faults(fit), *_number_faults(questions), *_drug_faults(fit, questions)]
    regimens, wrong = _regimens(questions)
    responses, more = asked_responses(questions.responses, fit.settings.observations)
    faults += [*wrong, *more]
    if questions.compare and not known_responses(fit.settings.observations):
        faults.append(Fault("--compare", "the fit has no score to respond in",
                            "Ask for regimens with --regimen"))  # fmt: skip
    weeks = tuple(sorted({*questions.times, *questions.visits}))
    ahead = Ahead(regimens, weeks, questions.start)
    patients = None
    try:
        read = read_patients(source, fit.data.card, wanted(fit))
        patients = in_units_of(fit.model, fit.settings, read)
        faults += faults_ahead(read.name, patients.events.table, ahead, fit.model)
    except DataError as error:
        faults += error.faults
    except UnitError as error:
        faults.append(Fault(str(source), str(error), "Doses of a regimen are in mg"))
    if faults or patients is None:
        raise DataError(faults)
    known = responses or known_responses(fit.settings.observations)
    table, seen = _present(patients.events.table, fit.settings.observations)
    patients = replace(patients, events=Events(patients.name, table))
    return Asked(patients, ahead, known, seen)


def wanted(fit: IndividualFit) -> Wanted:
    """What the fit needs to know of a patient."""
    seen = fit.settings.observations
    baselines = tuple(dict.fromkeys(o.times.upper() for o in seen if o.times))
    events = tuple(o.dvid or "" for o in seen if o.outcome == "event")
    ranges = {
        o.dvid or "": (o.low, o.high, False)
        if o.outcome == "bounded"
        else (0.0, float(o.categories - 1 if o.outcome == "ordinal" else 1), True)
        for o in seen
        if o.outcome in ("bounded", "ordinal", "binary")
    }
    names = dict.fromkeys((*covariate_names(fit.model, fit.settings), *baselines))
    return Wanted(
        tuple(names), baselines, tuple(o.dvid for o in seen if o.dvid), ranges, events,
        fit.model.drug or "", fit.model.states,
    )  # fmt: skip


def _present(
    table: pd.DataFrame, observations: Sequence[Observation]
) -> tuple[pd.DataFrame, tuple[Observation, ...]]:
    """The table with each event not come by the last record, and the observations that have rows.

    A patient who is asked about is still there at its last record.
    """
    events = [o for o in observations if o.outcome == "event"]
    table = table[~(observed(table) & table["DVID"].isin([o.dvid for o in events]))]
    last = table.groupby("ID", sort=False).tail(1)
    plain = {"EVID": 0.0, "MDV": 0.0, "DV": 0.0, "CMT": "", "CENS": 0}
    plain |= dict.fromkeys(("AMT", "RATE", "ADDL", "II", "SS"), 0.0)
    more = [last.assign(**plain, DVID=o.dvid or "") for o in events]
    order = {who: k for k, who in enumerate(table["ID"].unique())}
    whole = pd.concat([table, *more], ignore_index=True)
    whole = whole.iloc[whole["ID"].map(order).argsort(kind="stable")].reset_index(drop=True)
    own = observed(whole)
    has = [o for o in observations if (own & _of(o, whole)).any()]
    return whole, tuple(has)


def _of(observation: Observation, table: pd.DataFrame) -> pd.Series:
    """Which rows are of its kind."""
    if observation.dvid is None:
        return pd.Series(True, table.index)
    return table["DVID"] == observation.dvid


def _regimens(questions: Questions) -> tuple[tuple[Regimen, ...], list[Fault]]:
    """The regimens, those compared first; none given is no further dose."""
    words = [*(("--compare", each) for each in questions.compare or ())]
    words += [("--regimen", each) for each in questions.regimens]
    found, faults = [], []
    for option, text in words:
        try:
            found.append(regimen(text))
        except ModelError as error:
            faults.append(Fault(f"{option} '{text}'", str(error).rstrip("."), "Mend it"))
    if questions.compare and len(found) > 1 and not faults and found[0] == found[1]:
        faults.append(Fault("--compare", f"both are '{found[0]}'", "Give two different regimens"))
    return tuple(dict.fromkeys(found)) or (Regimen(),), faults


def _number_faults(questions: Questions) -> Iterable[Fault]:
    level = questions.level
    if level is not None and not 0 < level < 1:
        yield Fault(f"--level {level:g}", "it is not within 0 and 1", "Give 0.9, for example")
    if questions.draws < 20:
        yield Fault(f"--draws {questions.draws}", "too few to stand for a posterior", "Give 200")
    for week in (*questions.times, *questions.visits):
        if not 0 < week < float("inf"):
            yield Fault(f"--times {week:g}", "weeks to come count from the start", "Give above 0")
    if not questions.times:
        yield Fault("--times", "there is no week", "Give weeks to come, as 4,8,12")


def _fit_faults(fit: IndividualFit) -> Iterable[Fault]:
    varying = [name for name, choice in fit.settings.parameters.items() if choice.occasion]
    if varying:
        found = f"'{varying[0]}' varies between occasions: forecasts of patients know none to come"
        yield Fault(f"{fit.folder / 'fit.toml'}", found, "Forecast from a fit without occasions")


def _drug_faults(fit: IndividualFit, questions: Questions) -> Iterable[Fault]:
    known = fit.model.drug or fit.model.name
    if questions.drug is not None and questions.drug.lower() != known.lower():
        near = difflib.get_close_matches(questions.drug.lower(), [known.lower()])
        meant = f"Did you mean {known}?" if near else f"The fit is of {known}"
        yield Fault(f"--drug {questions.drug}", "the drug is not in the fit", meant)


def questions_of(**said: Any) -> Questions:
    """Questions from words given by name, single ones put into tuples."""
    many: dict[str, Callable] = {"regimens": str, "responses": str, "times": float, "visits": float}
    tidy = {}
    for name, value in said.items():
        if name in many and isinstance(value, str | int | float):
            value = (value,)
        tidy[name] = tuple(map(many[name], value)) if name in many else value
    return Questions(**tidy)
