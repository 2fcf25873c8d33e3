"""The verb `assurance`: would a planned re-randomised trial succeed, by a fit's posterior."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

from pkpd.decision.assurance import Assurance
from pkpd.decision.trial import COLUMNS, trial_rows
from pkpd.decision.trial_asked import trial_asked
from pkpd.decision_workflow import (
    Progress,
    arm_settings,
    contenders_of,
    silent,
    stacking_weights,
    status_of,
)
from pkpd.files import replacing
from pkpd.fit_folder import update_card
from pkpd.opened import opened


def assurance(folder: Path, *, progress: Progress = silent, **options: Any) -> Assurance:
    """Probability that a planned re-randomised trial shows non-inferiority; writes assurance.csv.

    `options`: `arms` such as ("Q4W", "Q8W"), the reference first; `sizes`, patients an arm;
    `wanted`, an assurance whose size is searched; `margin`, `one_sided_level`, `test`, `week`,
    `endpoint`, `drugs`, `level`, `draws`, `patients`, `seed`.

    Raises
    ------
    DataError
        Listing every option at fault; or if the fit has changed since its draws were made.
    FileFormatError
        If there are no draws.
    """
    began = time.perf_counter()
    asked = trial_asked(arm_settings(folder, "assurance"), options)
    progress("opening the fit", 0.0)
    likelihood, posterior = opened(folder)
    notes: list[str] = []
    contenders = contenders_of(folder, likelihood, posterior, asked.draws, notes)
    weights = stacking_weights(folder, contenders, notes)
    progress("opening the fit", 1.0)
    status, chains = status_of(folder), posterior.tree["posterior"].sizes["chain"]
    questions = asked.questions(likelihood.settings.predictions)
    said: list[dict] = []
    for k, question in enumerate(questions):
        progress("planning the trial", k / len(questions))
        said += trial_rows(question, contenders, weights, asked, chains, status)
    progress("planning the trial", 1.0)
    table = pd.DataFrame(said, columns=list(COLUMNS))
    record = {
        "draws": {each.name: each.count for each in contenders},
        "weights": weights,
        "seconds": time.perf_counter() - began,
    }
    made = Assurance(table, asked, status, tuple(notes), record)
    with replacing(folder / "assurance.csv") as partial:
        table.to_csv(partial, index=False)
    update_card(folder, {"assurance": made.to_dict()})
    return made
