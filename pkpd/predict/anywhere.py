"""Predictions for any regimen of any drug of the fit, all patients from week 0."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pkpd.errors import DataError, Fault, ModelError
from pkpd.likelihood.problem import Likelihood
from pkpd.predict.checks import close
from pkpd.predict.kept import COPIES, ESTIMANDS
from pkpd.predict.patients import RESPONSES, Shown, luck, shown, wandering
from pkpd.predict.simulated import Draws, futures, lanes_for, with_new_trial
from pkpd.predict.summarise import interval, rows, table
from pkpd.regimen import regimen as read

PLACEBO = "placebo"
STATISTICS = {
    **dict.fromkeys(RESPONSES, "proportion"), "EASI_PCHG": "mean_change", "CONC": "concentration",
}  # fmt: skip


def predict(
    likelihood: Likelihood,
    draws: Draws,
    *,
    drug: str,
    regimen: str,
    weeks: Sequence[float],
    endpoint: str,
    estimand: str,
    new_trial: int | None = None,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Rows of predictions.csv (induction empty) for one regimen at `weeks`.

    Proportions 0 to 1, EASI_PCHG in per cent, CONC in mg/L. Layer "uncertainty" is the drug's own
    trial (placebo: the trial with a placebo arm), its population. With `new_trial` = n, layer
    "new_trial": a trial not yet seen, with effects of its own and n patients sampled.

    Raises
    ------
    DataError
        Listing every unknown word, number out of range, and pair that does not go together.
    """
    faults = _words(likelihood, drug, endpoint, estimand) + _regimen(drug, regimen)
    faults += _numbers(weeks, new_trial, level, draws)
    if faults:
        raise DataError(faults)
    random = np.random.default_rng(seed)
    when = np.unique(np.asarray(weeks, float))
    lanes = lanes_for(
        likelihood,
        drug,
        [read(regimen)],
        np.append(when, max(when[-1], 1.0)),
        patients=likelihood.settings.predictions.patients,
        seed=likelihood.settings.predictions.seed,
        new_trial=new_trial is not None,
    )
    if new_trial is not None:
        draws = with_new_trial(likelihood, draws, int(random.integers(2**31)))
    found, size = [], lanes.easi.shape[1]
    who, chance = np.tile(np.arange(size), COPIES), luck(random, len(when), (size * COPIES,))
    for k, future in enumerate(futures(likelihood, draws, lanes, when)):
        values = {name: np.asarray(draws[name][k]) for name in likelihood.space.names}
        if new_trial is not None:
            who = random.integers(size, size=new_trial)
            chance = luck(random, len(when), (new_trial,))
        ratio, stay, mg = (part[:, 0, who] for part in (future.ratio, future.stay, future.level))
        visit = shown(
            values,
            ratio=ratio,
            stay=stay,
            easi=lanes.easi[0, who],
            chance=chance,
            drift=wandering(values, chance, when),
            trial=int(lanes.trial[0]),
        )
        found.append(_statistic(visit, mg, endpoint, estimand))
    first = {"drug": drug, "induction": "", "endpoint": endpoint, "estimand": estimand}
    last = {
        "statistic": STATISTICS[endpoint],
        "level": level,
        "layer": "uncertainty" if new_trial is None else "new_trial",
    }
    values = interval(np.stack(found)[:, None], level)
    return table(rows(first, (str(read(regimen)),), when, values, last))


def _statistic(visit: Shown, level: np.ndarray, endpoint: str, estimand: str) -> np.ndarray:
    """One draw's answer at every week."""
    plain = {"EASI_PCHG": 100 * (visit.seen - 1), "CONC": level}
    value = plain[endpoint] if endpoint in plain else visit.response[endpoint]
    if estimand == "hypothetical":
        return value.mean(axis=-1)
    there = visit.present.sum(axis=-1)
    size = level.shape[-1] if estimand == "NRI" else np.where(there > 0, there, np.nan)
    return (value * visit.present).sum(axis=-1) / size


def _words(likelihood: Likelihood, drug: str, endpoint: str, estimand: str) -> list[Fault]:
    drugs = (*likelihood.settings.drugs, PLACEBO)
    asked = (
        ("drug", drug, drugs),
        ("endpoint", endpoint, STATISTICS),
        ("estimand", estimand, ESTIMANDS),
    )
    faults = [
        Fault(f"{name} '{word}'", f"no such {name} in the fit", close(word, known))
        for name, word, known in asked
        if word not in known
    ]
    if estimand == "NRI" and STATISTICS.get(endpoint, "proportion") != "proportion":
        faults.append(
            Fault(
                "estimand 'NRI'",
                f"{endpoint} has no failure to impute",
                "Ask for observed or hypothetical",
            )
        )
    return faults


def _regimen(drug: str, text: str) -> list[Fault]:
    try:
        given = read(text)
    except ModelError as error:
        return [Fault(f"regimen '{text}'", str(error).rstrip("."), "Write it in those words")]
    if drug == PLACEBO and given.clauses:
        return [Fault(f"regimen '{text}'", "placebo takes no drug", "Write none, or name the drug")]
    return []


def _numbers(
    weeks: Sequence[float], new_trial: int | None, level: float, draws: Draws
) -> list[Fault]:
    faults = [
        Fault(f"week {week}", "not a week from 0 on", "Give finite weeks, 0 or later")
        for week in weeks
        if not (math.isfinite(week) and week >= 0)
    ]
    if not len(weeks):
        faults.append(Fault("weeks", "none asked for", "Give at least one week"))
    if new_trial is not None and new_trial < 1:
        faults.append(
            Fault(f"new_trial {new_trial}", "no patients", "Give 1 or more, or leave out")
        )
    if not 0 < level < 1:
        faults.append(
            Fault(f"level {level}", "not within 0 and 1", "Give a probability such as 0.9")
        )
    if not draws or not len(next(iter(draws.values()))):
        faults.append(Fault("draws", "there are none", "Run the fit first"))
    return faults
