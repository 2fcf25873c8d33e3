"""The verbs on a fit folder: check, fit, diagnose, predict, report, run.

Each reads what it needs from the folder and writes its tables under temporary names, so that a run
killed midway leaves the results of the run before, or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pkpd import individual_workflow, joint_workflow, prior_check, quick_looks
from pkpd.arm_level.problem import Likelihood
from pkpd.checkpoint import checkpoint
from pkpd.decision.rows import COLUMNS as DECISIONS
from pkpd.decision_workflow import decide
from pkpd.diagnosis.arms_left_out import arms_left_out
from pkpd.diagnosis.checks import Check, Diagnosis, coverage_check, sampling_checks, solver_check
from pkpd.diagnosis.solver import prove
from pkpd.diagnosis.summary import summary
from pkpd.errors import DataError, Fault
from pkpd.files import replacing
from pkpd.fit_folder import Checked, note_asked, open_fit, read_card, update_card, write_card
from pkpd.fitting import Progress, fitted
from pkpd.individual_folder import IndividualFit, open_individual
from pkpd.joint_folder import JointFit, open_joint
from pkpd.opened import draws_path, hashes, opened
from pkpd.posterior import Posterior, load_posterior
from pkpd.prediction import anywhere
from pkpd.prediction.asked import Asked
from pkpd.prediction.maintenance import maintenance
from pkpd.prediction.predictive import predictive
from pkpd.prediction.verdict import Contender, comparison, sentence
from pkpd.prior_check import PriorPredictive
from pkpd.provenance import asked_hash
from pkpd.quick_looks import QuickLook
from pkpd.reporting import report as write_report
from pkpd.reporting.folder import AFTER, COLUMNS
from pkpd.settings import Settings
from pkpd.settings_individual import is_individual
from pkpd.settings_joint import is_joint, read_any_settings
from pkpd.variation.standard import prior_draws

PROOF = 200
"""Draws re-solved tightly for the proof of the mesh."""

LEFT_OUT = 300
"""Draws behind the estimates that leave out an arm."""

__all__ = ["check", "diagnose", "fit", "predict", "predict_regimen", "prior_predictive",
           "quick", "report", "run", "stale"]  # fmt: skip


def silent(stage: str, share: float) -> None:
    """Progress that says nothing."""


def check(folder: Path) -> Checked | IndividualFit | JointFit:
    """Read settings, models and data; `DataError` lists every fault."""
    if is_individual(folder / "fit.toml"):
        return open_individual(folder)
    if is_joint(folder / "fit.toml"):
        return open_joint(folder)
    problem = open_fit(folder)
    return Checked(folder, problem)


def fit(folder: Path, *, progress: Progress = silent) -> Posterior:
    """Sample the posterior of a fit folder, and of the models it is compared with.

    A run that was killed goes on where it was. Once all are there, the results of the run before
    go: they are of other draws.
    """
    if is_individual(folder / "fit.toml"):
        return individual_workflow.fit(folder, progress=progress)
    if is_joint(folder / "fit.toml"):
        return joint_workflow.fit(folder, progress=progress)
    problem = open_fit(folder)
    posterior, *others = fitted(problem, folder, progress)
    for model, other in zip(problem.settings.compare, others, strict=True):
        other.save(draws_path(folder, model))
    for name in ("card.json", "report.html", *COLUMNS, *AFTER):
        (folder / name).unlink(missing_ok=True)
    posterior.save(folder / "draws.nc")
    for each in (posterior, *others):
        checkpoint(folder, each.provenance).clear()
    return posterior


def quick(folder: Path, kind: str, *, progress: Progress = silent) -> QuickLook:
    """A quick look at a fit, no posterior; writes quick-KIND.csv."""
    return quick_looks.quick(folder, kind, progress=progress)


def prior_predictive(folder: Path, *, progress: Progress = silent) -> PriorPredictive:
    """Data sets simulated from the prior of a fit; writes prior.csv."""
    return prior_check.prior_predictive(folder, progress=progress)


def diagnose(folder: Path, *, progress: Progress = silent) -> Diagnosis:
    """Check the posterior; writes summary.csv, ppc.csv, and the verdicts into card.json."""
    if is_individual(folder / "fit.toml"):
        return individual_workflow.diagnose(folder, progress=progress)
    likelihood, posterior = opened(folder)
    if is_joint(folder / "fit.toml"):
        return joint_workflow.diagnose(folder, likelihood, posterior, progress=progress)
    settings = likelihood.settings
    level = settings.predictions.level
    checks = sampling_checks(posterior.tree, settings.demands, settings.sampler.max_treedepth)
    proof = prove(
        likelihood, posterior.draws(PROOF), lambda share: progress("proving the mesh", share)
    )
    checks.append(solver_check(proof.pareto_k, settings.demands, proof.shift))
    progress("predictive check", 0.0)
    seen = predictive(likelihood, posterior.draws(400), level=level, seed=settings.sampler.seed)
    progress("predictive check", 1.0)
    fitted = seen[seen["fitted"].astype(bool)]
    checks.append(coverage_check(float(fitted["inside"].mean()), settings.demands, level))
    table = summary(
        likelihood.space, posterior.tree, prior_draws(likelihood.space, 4000, 1), level=level
    )
    checks += _rival_checks(folder, settings)
    diagnosis = Diagnosis(tuple(checks))
    _table(table, folder / "summary.csv")
    _table(seen, folder / "ppc.csv")
    write_card(folder, settings, posterior, diagnosis, likelihood.data)
    return diagnosis


def _rival_checks(folder: Path, settings: Settings) -> list[Check]:
    """Sampling checks of the models compared with, under their names."""
    found = []
    for model in settings.compare:
        if not draws_path(folder, model).is_file():
            continue
        rival = load_posterior(draws_path(folder, model))
        for each in sampling_checks(rival.tree, settings.demands, settings.sampler.max_treedepth):
            found.append(
                Check(f"{model}: {each.check}", each.value, each.limit, each.passed, each.advice)
            )
    return found


def predict(folder: Path, *, progress: Progress = silent) -> pd.DataFrame:
    """Answer the questions of fit.toml; writes predictions.csv, compare.csv, decisions.csv.

    The decisions are those of `decide` by the numbers of fit.toml, all its endpoints beside.
    """
    if is_individual(folder / "fit.toml"):
        return individual_workflow.predict(folder, progress=progress)
    likelihood, posterior = opened(folder)
    asked = likelihood.settings.predictions
    progress("predicting", 0.0)
    predictions = maintenance(likelihood, posterior.draws(asked.draws))
    progress("predicting", 1.0)
    contenders = []
    if likelihood.settings.compare:
        own = _contender(likelihood, posterior, predictions)
        contenders = [own, *_rivals(folder, likelihood.settings, progress)]
    _table(predictions, folder / "predictions.csv")
    if contenders:
        _table(comparison(contenders, asked), folder / "compare.csv")
    else:  # one from when models were compared would be taken for this answer's
        (folder / "compare.csv").unlink(missing_ok=True)
    update_card(
        folder,
        {
            "sentence": sentence(predictions, asked),
            "warnings": [model.warning for model in likelihood.pk.values() if model.warning],
        },
    )
    if asked.questions and max(asked.weeks) > asked.selection_week:
        decide(folder, progress=progress, beside=asked.endpoints)
    else:
        _table(pd.DataFrame(columns=list(DECISIONS)), folder / "decisions.csv")
    update_card(folder, note_asked(folder, "predict", read_any_settings(folder / "fit.toml")))
    return predictions


def _rivals(folder: Path, settings: Settings, progress: Progress) -> Iterator[Contender]:
    """The models compared with, answering the same questions."""
    for k, model in enumerate(settings.compare):
        progress("comparing models", k / len(settings.compare))
        likelihood, posterior = opened(folder, model)
        said = maintenance(likelihood, posterior.draws(settings.predictions.draws))
        yield _contender(likelihood, posterior, said)
    progress("comparing models", 1.0)


def _contender(
    likelihood: Likelihood, posterior: Posterior, predictions: pd.DataFrame
) -> Contender:
    found = arms_left_out(likelihood, posterior.draws(LEFT_OUT))
    return Contender(likelihood.disease.name, found, predictions)


def predict_regimen(folder: Path, asked: Asked, *, level: float, seed: int) -> pd.DataFrame:
    """Predict any regimen from week 0, for a population or a new trial."""
    if is_individual(folder / "fit.toml"):
        raise DataError(
            [
                Fault(
                    str(folder),
                    "a fit of individual records answers the regimens of its fit.toml",
                    f"Add [[predictions.regimens]] there, then run `pkpd predict {folder}`",
                )
            ]
        )
    likelihood, posterior = opened(folder)
    draws = posterior.draws(likelihood.settings.predictions.draws)
    return anywhere.predict(likelihood, draws, asked, level=level, seed=seed)


def report(folder: Path) -> Path:
    """Write report.html from the tables of the folder."""
    return write_report(folder)


def run(folder: Path, *, progress: Progress = silent) -> bool:
    """Check, fit, diagnose, predict, report; whether every demand was met."""
    check(folder)
    fit(folder, progress=progress)
    diagnosis = diagnose(folder, progress=progress)
    predict(folder, progress=progress)
    report(folder)
    return diagnosis.passed


def stale(root: Path) -> pd.DataFrame:
    """Every fit under `root`: whether its results come from today's settings, data and models."""
    rows = []
    for path in sorted(root.glob("*/fit.toml")):
        card = read_card(path.parent)
        state = _state(path, card)
        rows.append({"fit": path.parent.name, "state": state, "passed": card.get("passed")})
    return pd.DataFrame(rows, columns=["fit", "state", "passed"])


def _state(path: Path, card: Mapping[str, Any]) -> str:
    """Of the fit with this fit.toml; draws stay current where only what is predicted changed."""
    if "hashes" not in card:
        return "never run"
    if hashes(path.parent) != card["hashes"]:
        return "stale"
    now = asked_hash(read_any_settings(path).predictions)
    return "current" if {*card.get("asked", {}).values()} <= {now} else "predictions stale"


def _table(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, index=False)
