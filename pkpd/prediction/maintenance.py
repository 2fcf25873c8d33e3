"""How well efficacy is kept: every question of the settings, as predictions.

Layers are kept apart: "uncertainty" is the interval over draws of a number of the population;
"variability" the interval over patients (of their own % change in EASI, visits' noise aside),
each end averaged over draws.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from pkpd.arm_level.problem import Likelihood
from pkpd.errors import DataError, Fault
from pkpd.prediction.checks import close
from pkpd.prediction.kept import Kept, kept
from pkpd.prediction.plan import Plan, plan
from pkpd.prediction.simulated import Draws
from pkpd.prediction.summarise import interval, rows, table
from pkpd.responses import RESPONSES
from pkpd.settings import Predictions, Question

TIMES = ("median_weeks_to_loss", "restricted_mean_weeks_to_loss")
THREADS = 2
"""Questions answered side by side: one waits for its solve while another counts responders."""


def maintenance(likelihood: Likelihood, draws: Draws) -> pd.DataFrame:
    """The table predictions.csv of the contract: every question answered.

    Raises
    ------
    DataError
        If a question names an unknown drug or the settings an unknown endpoint.
    """
    _check(likelihood)
    asked = likelihood.settings.predictions

    def answer(question: Question) -> list[dict]:
        made = plan(likelihood, question, leaving=True)
        return predictions(made, kept(likelihood, made, draws), asked)

    with ThreadPoolExecutor(THREADS) as pool:  # each question has its own random numbers
        return table([row for each in pool.map(answer, asked.questions) for row in each])


def predictions(made: Plan, found: Kept, asked: Predictions) -> list[dict]:
    """Rows of predictions.csv for one question; times to loss are as seen up to the last visit."""
    result = []
    for (endpoint, estimand, statistic), values in found.items():
        weeks = made.weeks
        if statistic == "proportion":
            some = against_reference(values)
        elif statistic in ("mean_change", "concentration_trough"):
            some = {statistic: values}
        elif statistic in TIMES:
            some, weeks = {statistic: values}, made.weeks[-1:]
        else:
            continue
        for name, each in some.items():
            first = {**_question(made), "endpoint": endpoint, "estimand": estimand}
            last = {"statistic": name, "level": asked.level, "layer": "uncertainty"}
            result += rows(first, made.labels, weeks, interval(each, asked.level), last)
    return result + _between_patients(made, found, asked)


def against_reference(values: np.ndarray) -> dict[str, np.ndarray]:
    """The share, its ratio and its difference to the first regimen, by draw."""
    first = values[:, :1]
    return {
        "proportion": values,
        "kept_ratio": values / np.where(first > 0, first, np.nan),
        "difference": values - first,
    }


def _between_patients(made: Plan, found: Kept, asked: Predictions) -> list[dict]:
    key = ("EASI_PCHG", "hypothetical")
    ends = tuple(
        interval(found[*key, name], asked.level)[0] for name in ("middle", "lower", "upper")
    )
    first = {**_question(made), "endpoint": key[0], "estimand": key[1]}
    last = {"statistic": "mean_change", "level": asked.level, "layer": "variability"}
    return rows(first, made.labels, made.weeks, ends, last)


def _question(made: Plan) -> dict:
    return {"drug": made.question.drug, "induction": made.question.induction}


def _check(likelihood: Likelihood) -> None:
    asked = likelihood.settings.predictions
    faults = [
        Fault(
            f"predictions.questions, drug '{q.drug}'",
            "no such drug in the fit",
            close(q.drug, likelihood.settings.drugs),
        )
        for q in asked.questions
        if q.drug not in likelihood.settings.drugs
    ]
    faults += [
        Fault(f"predictions.endpoints, '{name}'", "no such response", close(name, RESPONSES))
        for name in asked.endpoints
        if name not in RESPONSES
    ]
    if faults:
        raise DataError(faults)
