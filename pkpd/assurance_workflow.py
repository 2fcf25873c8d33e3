"""The verb `assurance`: would a planned re-randomised trial succeed, by a fit's posterior."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

from pkpd.decision.assurance import Assurance
from pkpd.decision.trial import COLUMNS, trial_rows
from pkpd.decision.trial_asked import trial_asked
from pkpd.decision_workflow import Progress, arm_settings, keep, reopened, silent


def assurance(folder: Path, *, progress: Progress = silent, **options: Any) -> Assurance:
    """Probability that a planned re-randomised trial shows non-inferiority; writes assurance.csv.

    `options`: `arms` such as ("Q4W", "Q8W"), the reference first; `sizes`, patients an arm;
    `wanted`, an assurance whose size is searched; `margin`, `one_sided_level`, `test`, `week`,
    `endpoint`, `estimand` (NRI, treatment-policy or while-on-treatment), `drugs`, `level`, `draws`,
    `patients`, `seed`.

    Raises
    ------
    DataError
        Listing every option at fault; or if the fit has changed since its draws were made.
    FileFormatError
        If there are no draws.
    """
    began = time.perf_counter()
    asked = trial_asked(arm_settings(folder, "assurance"), options)
    known = reopened(folder, asked.draws, progress)
    questions = asked.questions(known.contenders[0].likelihood.settings.predictions)
    said: list[dict] = []
    for k, question in enumerate(questions):
        progress("planning the trial", k / len(questions))
        said += trial_rows(
            question, known.contenders, known.weights, asked, known.chains, known.status
        )
    progress("planning the trial", 1.0)
    table = pd.DataFrame(said, columns=list(COLUMNS))
    record = {**known.record, "seconds": time.perf_counter() - began}
    made = Assurance(table, asked, known.status, tuple(known.notes), record)
    keep(folder, "assurance", "assurance.csv", made)
    return made
