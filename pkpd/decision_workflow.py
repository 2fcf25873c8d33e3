"""The verbs that decide: `decide` on a fit's stored posterior."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pkpd.decision.answer import FINAL, Answer
from pkpd.decision.answering import Contender, Evidence, answered
from pkpd.decision.asked import decision_asked
from pkpd.decision.decision import Decision
from pkpd.decision.rows import COLUMNS, rows
from pkpd.decision.scaling import Scaling, scaling, terms
from pkpd.errors import DataError, Fault
from pkpd.files import replacing
from pkpd.fit_folder import open_fit, read_card, update_card
from pkpd.opened import draws_path, opened
from pkpd.provenance import file_hash
from pkpd.settings import Question, Settings
from pkpd.settings_individual import is_individual
from pkpd.settings_joint import is_joint
from pkpd.variation.standard import prior_draws

DECISIONS = "decisions.csv"
PRIOR = 250
"""Draws of the prior behind its own answers."""
THREADS = 2
"""Questions answered side by side: one makes its patients while another follows its own."""
FEWEST = 25
"""Draws from which the tail of importance weights can be smoothed."""
Progress = Callable[[str, float], None]


def silent(stage: str, share: float) -> None:
    """Progress that says nothing."""


def decide(folder: Path, *, progress: Progress = silent, **options: Any) -> Decision:
    """How far the interval can go, how surely and at which loss; writes decisions.csv.

    The outcome asked about is answered in full: every model, subgroup and sensitivity. The other
    estimands, and the endpoints `beside`, are answered in brief, from the same patients: the own
    model and its prior, all patients.

    `options` stand in for numbers of fit.toml: `margin`, `kept_share`, `probability`, `level`,
    `intervals`, `weeks`, `endpoint`, `estimand`, `beside`, `drugs`, `loss` (a mapping of `kept`,
    `lost`, `injection`), `weight_cut` (kg), `easi_cut`, `draws`, `patients`, `seed`.

    Raises
    ------
    DataError
        Listing every option at fault; or if the fit has changed since its draws were made.
    FileFormatError
        If there are no draws.
    """
    began = time.perf_counter()
    asked = decision_asked(arm_settings(folder, "decide"), options)
    known = reopened(folder, asked.draws, progress)
    likelihood = known.contenders[0].likelihood
    found = _scaling(folder, known.contenders[0], known.notes, progress)
    prior = prior_draws(likelihood.space, PRIOR, asked.seed)
    evidence = Evidence(known.contenders, prior, found, known.weights)
    questions = asked.questions(likelihood.settings.predictions)
    progress("deciding", 0.0)

    def answer(question: Question) -> list[dict]:
        each = answered(question, evidence, asked)
        return [row for sources in each for row in rows(sources, known.status)]

    said: list[dict] = []
    with ThreadPoolExecutor(THREADS) as pool:  # each question has its own random numbers
        for k, found_rows in enumerate(pool.map(answer, questions), start=1):
            said += found_rows
            progress("deciding", k / len(questions))
    record = {
        **known.record,
        "prior_draws": PRIOR,
        "pareto_k": _pareto(found),
        "seconds": time.perf_counter() - began,
    }
    table = pd.DataFrame(said, columns=list(COLUMNS))
    decision = Decision(table, asked, known.status, tuple(known.notes), record)
    keep(folder, "decide", DECISIONS, decision)
    return decision


@dataclass(frozen=True)
class Reopened:
    """A stored fit as a decision needs it: its models with draws, their weights, its standing."""

    contenders: list[Contender]
    weights: dict[str, float]
    chains: int
    status: str
    notes: list[str]

    @property
    def record(self) -> dict[str, Any]:
        """What the card keeps of it."""
        return {"draws": {e.name: e.count for e in self.contenders}, "weights": self.weights}


def reopened(folder: Path, draws: int, progress: Progress) -> Reopened:
    """The fit's own model first, `draws` draws of each at most."""
    progress("opening the fit", 0.0)
    notes: list[str] = []
    contenders, chains = contenders_of(folder, draws, notes)
    weights = stacking_weights(folder, contenders, notes)
    progress("opening the fit", 1.0)
    return Reopened(contenders, weights, chains, status_of(folder), notes)


def keep(folder: Path, verb: str, file: str, answer: Answer) -> None:
    """Leave the table beside the fit, and the rest in its card under the verb's name."""
    with replacing(folder / file) as partial:
        answer.table.to_csv(partial, index=False)
    update_card(folder, {verb: answer.to_dict()})


def arm_settings(folder: Path, verb: str) -> Settings:
    """The settings of a fit of arms; `DataError` for one of individual records alone."""
    if is_individual(folder / "fit.toml"):
        found = f"{verb} asks about arms, and this fit is of individual records alone"
        raise DataError([Fault(str(folder), found, "Name a fit of arms: see `pkpd fits`")])
    return open_fit(folder).settings


def status_of(folder: Path) -> str:
    """`FINAL`, or why not: a posterior that missed its demands is not reported as final."""
    card = read_card(folder)
    if card.get("draws") != file_hash(draws_path(folder)) or "passed" not in card:
        return f"not final: these draws have not been diagnosed, run `pkpd diagnose {folder.name}`"
    if card["passed"] is True:
        return FINAL
    missed = [row["check"] for row in card.get("diagnostics", []) if row.get("passed") is not True]
    return f"not final: demands missed: {'; '.join(missed)}"


def contenders_of(folder: Path, draws: int, notes: list[str]) -> tuple[list[Contender], int]:
    """The fit's own model, those compared with it whose draws are stored; how many chains."""
    names: list[str | None] = [None]
    for model in arm_settings(folder, "decide").compare:
        if draws_path(folder, model).is_file():
            names.append(model)
        else:
            notes.append(f"{model} has no stored draws: its answer is missing.")
    found = [opened(folder, model) for model in names]
    chains = found[0][1].tree["posterior"].sizes["chain"]
    return [Contender(made, each.draws(draws), each.by_arm(draws)) for made, each in found], chains


def stacking_weights(
    folder: Path, contenders: list[Contender], notes: list[str]
) -> dict[str, float]:
    """Weights of compare.csv by model; none where there are none, with a note that says so."""
    names = [each.name for each in contenders]
    if len(names) < 2:
        return {}
    path = folder / "compare.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    if not {"model", "weight"} <= {*table.columns} or not {*names} <= {*table["model"]}:
        notes.append(
            f"No stacking weights of these models in compare.csv: run `pkpd predict {folder.name}`."
        )
        return {}
    known = table.drop_duplicates("model").set_index("model")["weight"]
    return {name: float(known[name]) for name in names}


def _scaling(folder: Path, own: Contender, notes: list[str], progress: Progress) -> Scaling | None:
    """Power-scaling weights of the own draws; none for a joint fit, with a note that says so."""
    if is_joint(folder / "fit.toml"):
        notes.append("Power-scaling is of fits of arms alone: a joint fit has none here.")
        return None
    if own.count < FEWEST:
        notes.append(f"Power-scaling needs {FEWEST} draws, and there are {own.count}: left out.")
        return None
    progress("power-scaling", 0.0)
    found = scaling(terms(own.likelihood, own.draws, own.by_arm))
    progress("power-scaling", 1.0)
    bad = [each for each in found.tried if not each.reliable]
    notes += [
        f"{each.component.capitalize()} to the power {each.power:g} cannot be reached from these "
        f"draws (Pareto k {each.pareto_k:.2f}): left out."
        for each in bad
    ]
    return found


def _pareto(found: Scaling | None) -> dict[str, float]:
    tried = found.tried if found else ()
    return {f"{each.component}^{each.power:g}": each.pareto_k for each in tried}
