"""The verb forecast: new patients of an individual-level fit, from a few records of each.

The patient's effects given its records, at every draw of the population; then its course under each
regimen, whether it responds, how two regimens compare, and which visit would tell most.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd

from pkpd.data.patients import last_times
from pkpd.data.text_table import Source
from pkpd.errors import DataError, Fault, FitError
from pkpd.fit_folder import read_card
from pkpd.individual.build import solved, unsolved
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.individual_folder import IndividualFit
from pkpd.individual_workflow import with_draws
from pkpd.patient_questions import Asked, Questions, asked, questions_of
from pkpd.posterior import Posterior
from pkpd.prediction.next_visit import VISITS, Target, visit_table
from pkpd.prediction.patient_courses import Asker, Courses, courses, without_lost
from pkpd.prediction.patient_effects import PatientEffects, patient_effects, typical_population
from pkpd.prediction.patient_plan import starts, table_ahead, week_of
from pkpd.prediction.patient_tables import (
    COMPARED,
    Labels,
    compared_table,
    effects_table,
    forecast_table,
)
from pkpd.provenance import file_hash
from pkpd.settings_individual import Observation, is_individual

Progress = Callable[[str, float], None]
FEWEST = 100.0
"""Draws that the weights of a final forecast are worth at least."""

MOST_LOST = 0.01
"""Share of the weight that may lie on draws whose course is no number, and is left out."""

FINEST = 1e-4
"""Tolerance of the mesh at most: one patient's is cheap, and its mode is told to three digits."""


@dataclass(frozen=True)
class Forecast:
    """Patients told: their effects, what is to come, regimens compared, visits weighed up.

    Every row has its patient's `status`: "final", or why it is not. `checks` has Pareto k and
    effective draws by patient; `demands` says whether the fit's posterior met its own.
    """

    effects: pd.DataFrame
    forecast: pd.DataFrame
    compare: pd.DataFrame
    visits: pd.DataFrame
    checks: pd.DataFrame
    demands: str
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the posterior met its demands and every patient's forecast is final."""
        return bool((self.checks["status"] == "final").all())

    def sentences(self) -> list[str]:
        """The answer in words, a patient each, and how far it can be believed."""
        return [
            *(_answer(rows) for _, rows in self.compare.groupby(["id", "response"], sort=False)),
            *(_learn(rows) for _, rows in self.visits.groupby(["id", "response"], sort=False)),
            *(f"Patient {row['id']}: {row['status']}." for _, row in self.checks.iterrows()),
            f"Estimand: {self.record['estimand']}. The posterior's demands: {self.demands}.",
            *self.record["warnings"],
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        tables = {n: getattr(self, n) for n in ("checks", "effects", "forecast", "compare",
                                                "visits")}  # fmt: skip
        rows = {name: table.to_dict("records") for name, table in tables.items()}
        said = {"passed": self.passed, "demands": self.demands, "answers": self.sentences()}
        return {**said, **self.record, **rows}


def forecast(
    folder: str | Path, events: Source, *, progress: Progress | None = None, **questions: Any
) -> Forecast:
    """Forecast new patients of the fit in a folder from their records (a CSV file or a table).

    `questions` are fields of `pkpd.patient_questions.Questions`: regimens, compare, times (weeks to
    come), responses, visits, start, drug, draws, level, seed.

    Raises
    ------
    DataError
        With every fault of the records and of what is asked.
    FitError
        Where a patient's records have no density under the fit.
    """
    heard = progress or (lambda stage, share: None)
    if (Path(folder) / "fit.toml").is_file() and not is_individual(Path(folder) / "fit.toml"):
        found = "forecasts of one patient come from fits of individual records, and this is none"
        raise DataError([Fault(str(folder), found, "Use `pkpd predict` for a population")])
    fit, posterior = with_draws(Path(folder))
    said = questions_of(**questions)
    return _forecast(fit, posterior, asked(fit, events, said), said, heard)


def _forecast(
    fit: IndividualFit, posterior: Posterior, of: Asked, said: Questions, heard: Progress
) -> Forecast:
    names = [v.name for v in population_space(fit.bare).variables]
    draws = {n: v for n, v in posterior.draws(said.draws).items() if n in names}
    heard("effects of the patients", 0.0)
    known = known_likelihood(fit, of, draws)
    effects = patient_effects(
        known, draws, seed=said.seed, heard=lambda share: heard("effects of the patients", share)
    )
    heard("what is to come", 0.0)
    mode, drawn = _to_come(fit, of, effects, said.seed)
    drawn, effects, lost = without_lost(drawn, effects)
    heard("what is to come", 1.0)
    demands = demands_of(fit)
    checks = _checks(fit, effects, demands, lost)
    labels = _labels(fit, of, said, tuple(checks["status"]))
    compare = compared_table(drawn, effects, labels) if said.compare else empty(COMPARED)
    visits = empty(VISITS)
    if said.compare and len(of.ahead.weeks) > 1:
        heard("the next visit", 0.0)
        visits = _visits(fit, of, said, labels, (drawn, effects))
        heard("the next visit", 1.0)
    return Forecast(
        effects_table(known, effects, labels), forecast_table(mode, drawn, effects, labels),
        compare, visits, checks, demands, _record(fit, of, said),
    )  # fmt: skip


def known_likelihood(
    fit: IndividualFit, of: Asked, draws: dict[str, np.ndarray]
) -> IndividualLikelihood:
    """The likelihood of the patients' records, on a mesh that holds about the posterior.

    To `FINEST`, so that modes are told to three digits; where no mesh holds that for patients as
    unlike as the prior allows, to the fit's own tolerance.
    """
    at, tolerance = typical_population(draws), fit.settings.engine.tolerance
    with contextlib.suppress(FitError):
        return _solved(fit, of.observations, of.table, at, min(tolerance, FINEST))
    return _solved(fit, of.observations, of.table, at, tolerance)


def _solved(
    fit: IndividualFit, seen: tuple[Observation, ...], table: pd.DataFrame, at: dict,
    tolerance: float,
) -> IndividualLikelihood:  # fmt: skip
    """A likelihood of other records under the fit; its mesh holds at `at`, effects 0 if not there.

    The mesh must hold for the patients, whom the fit's own was not planned for.
    """
    engine = fit.settings.engine.model_copy(update={"tolerance": tolerance})
    settings = fit.settings.model_copy(update={"observations": seen, "engine": engine})
    bare = unsolved(settings, fit.model, table, str(fit.folder / "fit.toml"))
    more = {v.name: jnp.zeros(v.size) for v in bare.space.variables if v.dim is not None}
    return solved(bare, [{**more, **{n: jnp.asarray(v) for n, v in at.items()}}])


def _to_come(
    fit: IndividualFit, of: Asked, effects: PatientEffects, seed: int
) -> tuple[Courses, Courses]:
    seen, regimens = fit.settings.observations, len(of.ahead.regimens)
    table = table_ahead(of.table, of.ahead, seen, fit.model)
    at = effects.at_mode()
    wide = {n: np.tile(at[n], regimens) if n in effects.names else v for n, v in at.items()}
    ahead = _solved(fit, seen, table, wide, fit.settings.engine.tolerance)
    asker = Asker(ahead, of.responses, regimens)
    return courses(asker, effects, seed=seed)


def _labels(fit: IndividualFit, of: Asked, said: Questions, status: tuple[str, ...]) -> Labels:
    begin = starts(of.table, of.ahead, fit.model)
    times = np.array([*begin.values()])[:, None] + week_of(fit.model) * np.array(of.ahead.weeks)
    level = fit.settings.predictions.level if said.level is None else said.level
    words = tuple("no further dose" if not r.clauses else str(r) for r in of.ahead.regimens)
    return Labels(tuple(begin), status, words, of.ahead.weeks, times, level)


def _visits(
    fit: IndividualFit, of: Asked, said: Questions, labels: Labels,
    found: tuple[Courses, PatientEffects],
) -> pd.DataFrame:  # fmt: skip
    """What visits before the last of `times` tell of each response then, under the second."""
    last = of.ahead.weeks.index(max(said.times))
    candidates = [
        t
        for t, week in enumerate(of.ahead.weeks)
        if t < last and (not said.visits or week in said.visits)
    ]
    tables = [
        visit_table(*found, labels, Target(each.name, 1, last), candidates,
                    fit.settings.observations, seed=said.seed)
        for each in of.responses
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def empty(columns: tuple[str, ...]) -> pd.DataFrame:
    """A table without a row."""
    return pd.DataFrame(columns=list(columns))


def _answer(rows: pd.DataFrame) -> str:
    """What the last week says of one patient's response under the second regimen."""
    told = rows[rows["week"] == rows["week"].max()].set_index("statistic")
    one, found = told.iloc[0], {k: f"{v:.2f}" for k, v in told["mean"].items()}
    ends = f"{told.loc['regimen', 'lower']:.2f} to {told.loc['regimen', 'upper']:.2f}"
    kept = f", {found['kept']} if it holds on the reference" if "kept" in found else ""
    return (
        f"Patient {one['id']}: {one['response']} at week {one['week']:g} to come on "
        f"{one['regimen']} with probability {found['regimen']} ({one['level']:.0%} equal-tailed "
        f"interval of the patient's own probability {ends}), {found['reference']} on "
        f"{one['reference']}, difference {found['difference']}{kept}."
    )


def _learn(rows: pd.DataFrame) -> str:
    """Which visit tells most, and whether the next best is told apart from it."""
    ordered = rows.sort_values("reduction", ascending=False)
    best = ordered.iloc[0]
    if np.isnan(best["share_learnt"]) or best["reduction"] < 2 * best["mcse"]:
        sure = f"known within {np.sqrt(max(best['learnable'], 0.0)):.2f} (SD)"
        return (
            f"Patient {best['id']}, {best['response']}: no visit tells more than the Monte-Carlo "
            f"error; the patient's own probability is {sure}."
        )
    told = (
        f"Patient {best['id']}, {best['response']}: the visit that tells most is "
        f"{best['observation']} at week {best['week']:g} on {best['regimen']}, "
        f"{best['share_learnt']:.0%} of what can be learnt (expected variance lower by "
        f"{best['reduction']:.3f}, Monte-Carlo error {best['mcse']:.3f})"
    )
    near = ordered[ordered["behind_best"] < 2 * ordered["behind_mcse"]].iloc[1:]
    if near.empty:
        return f"{told}."
    names = [f"{r['observation']} at week {r['week']:g}" for _, r in near.head(3).iterrows()]
    return f"{told}; not told apart from it: {', '.join(names)}."


def demands_of(fit: IndividualFit) -> str:
    """Whether the posterior met its demands, in words."""
    card = read_card(fit.folder)
    if card.get("draws") != file_hash(fit.folder / "draws.nc") or "passed" not in card:
        return f"the posterior has not been diagnosed: run `pkpd diagnose {fit.folder}`"
    if card["passed"]:
        return "met"
    missed = ", ".join(d["check"] for d in card["diagnostics"] if not d["passed"])
    return f"the posterior missed its demands ({missed})"


def _checks(
    fit: IndividualFit, effects: PatientEffects, demands: str, lost: np.ndarray
) -> pd.DataFrame:
    limit, rows = fit.settings.demands.pareto_k, []
    for n, who in enumerate(effects.subjects):
        k, ess = float(effects.pareto_k[n]), float(effects.ess[n])
        wrong = [demands] if demands != "met" else []
        wrong += [f"Pareto k {k:.2f} above {limit:g}"] if k > limit else []
        wrong += [f"weights worth {ess:.0f} draws, below {FEWEST:g}"] if ess < FEWEST else []
        wrong += [f"{lost[n]:.1%} of the weight has no course"] if lost[n] > MOST_LOST else []
        status = f"not final: {'; '.join(wrong)}" if wrong else "final"
        population = float(effects.ess_population[n])
        rows.append({"id": who, "pareto_k": k, "ess": ess, "ess_population": population,
                     "lost": float(lost[n]), "status": status})  # fmt: skip
    return pd.DataFrame(rows)


def _record(fit: IndividualFit, of: Asked, said: Questions) -> dict[str, Any]:
    """What the forecast came from."""
    return {
        "fit": fit.settings.name,
        "model": fit.settings.model,
        "draws": file_hash(fit.folder / "draws.nc"),
        "drug": fit.model.drug or fit.model.name,
        "warnings": [fit.model.warning] if fit.model.warning else [],
        "patients": of.patients.name,
        "population_draws": said.draws,
        "seed": said.seed,
        "time_unit": fit.model.units["time"],
        "estimand": "hypothetical: the patient stays",
        "last_record": {str(k): v for k, v in last_times(of.table).items()},
    }
