"""Predictions for any regimen of any drug of the fit, all patients from week 0."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from pkpd.arm_level.problem import Likelihood
from pkpd.errors import DataError, Fault, ModelError
from pkpd.prediction.asked import Asked
from pkpd.prediction.checks import close
from pkpd.prediction.kept import COPIES, ESTIMANDS
from pkpd.prediction.patients import RESPONSES, Shown, luck, shown, wandering
from pkpd.prediction.simulated import Draws, futures, lanes_for, with_new_trial
from pkpd.prediction.summarise import interval, rows, table
from pkpd.regimen import regimen as read

PLACEBO = "placebo"
STATISTICS = {
    **dict.fromkeys(RESPONSES, "proportion"), "EASI_PCHG": "mean_change", "CONC": "concentration",
}  # fmt: skip


def predict(
    likelihood: Likelihood, draws: Draws, asked: Asked, *, level: float, seed: int
) -> pd.DataFrame:
    """Rows of predictions.csv (induction empty) for one regimen at the weeks asked about.

    Proportions 0 to 1, EASI_PCHG in per cent, CONC in mg/L. Layer "uncertainty" is the drug's own
    trial (placebo: the trial with a placebo arm), its population. With `asked.new_trial` = n,
    layer "new_trial": a trial not yet seen, with effects of its own and n patients sampled.

    Raises
    ------
    DataError
        Listing every unknown word, number out of range, and pair that does not go together.
    """
    faults = _words(likelihood, asked) + _regimen(asked.drug, asked.regimen)
    faults += _numbers(asked, level, draws)
    if faults:
        raise DataError(faults)
    when = np.unique(np.asarray(asked.weeks, float))
    values = np.stack(list(_answers(likelihood, draws, asked, when, np.random.default_rng(seed))))
    first = {
        "drug": asked.drug,
        "induction": "",
        "endpoint": asked.endpoint,
        "estimand": asked.estimand,
    }
    last = {
        "statistic": STATISTICS[asked.endpoint],
        "level": level,
        "layer": "uncertainty" if asked.new_trial is None else "new_trial",
    }
    label = str(read(asked.regimen))
    return table(rows(first, (label,), when, interval(values[:, None], level), last))


def _answers(
    likelihood: Likelihood,
    draws: Draws,
    asked: Asked,
    when: np.ndarray,
    random: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Each draw's answer at every week."""
    settings, unseen = likelihood.settings.predictions, asked.new_trial is not None
    lanes = lanes_for(
        likelihood,
        asked.drug,
        [read(asked.regimen)],
        np.append(when, max(when[-1], 1.0)),
        patients=settings.patients,
        seed=settings.seed,
        new_trial=unseen,
    )
    if unseen:
        draws = with_new_trial(likelihood, draws, int(random.integers(2**31)))
    size = lanes.easi.shape[1]
    who, chance = np.tile(np.arange(size), COPIES), luck(random, len(when), (size * COPIES,))
    for k, future in enumerate(futures(likelihood, draws, lanes, when)):
        values = {name: np.asarray(draws[name][k]) for name in likelihood.space.names}
        if asked.new_trial is not None:
            who = random.integers(size, size=asked.new_trial)
            chance = luck(random, len(when), (asked.new_trial,))
        ratio, stay, level = (part[:, 0, who] for part in (future.ratio, future.stay, future.level))
        visit = shown(
            values,
            ratio=ratio,
            stay=stay,
            easi=lanes.easi[0, who],
            chance=chance,
            drift=wandering(values, chance, when),
            trial=int(lanes.trial[0]),
        )
        yield _statistic(visit, level, asked.endpoint, asked.estimand)


def _statistic(visit: Shown, level: np.ndarray, endpoint: str, estimand: str) -> np.ndarray:
    """One draw's answer at every week."""
    plain = {"EASI_PCHG": 100 * (visit.seen - 1), "CONC": level}
    value = plain[endpoint] if endpoint in plain else visit.response[endpoint]
    if estimand == "hypothetical":
        return value.mean(axis=-1)
    there = visit.present.sum(axis=-1)
    size = level.shape[-1] if estimand == "NRI" else np.where(there > 0, there, np.nan)
    return (value * visit.present).sum(axis=-1) / size


def _words(likelihood: Likelihood, asked: Asked) -> list[Fault]:
    words = (
        ("drug", asked.drug, (*likelihood.settings.drugs, PLACEBO)),
        ("endpoint", asked.endpoint, STATISTICS),
        ("estimand", asked.estimand, ESTIMANDS),
    )
    faults = [
        Fault(f"{name} '{word}'", f"no such {name} in the fit", close(word, known))
        for name, word, known in words
        if word not in known
    ]
    if asked.estimand == "NRI" and STATISTICS.get(asked.endpoint, "proportion") != "proportion":
        faults.append(
            Fault(
                "estimand 'NRI'",
                f"{asked.endpoint} has no failure to impute",
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


def _numbers(asked: Asked, level: float, draws: Draws) -> list[Fault]:
    faults = [
        Fault(f"week {week}", "not a week from 0 on", "Give finite weeks, 0 or later")
        for week in asked.weeks
        if not (math.isfinite(week) and week >= 0)
    ]
    if not len(asked.weeks):
        faults.append(Fault("weeks", "none asked for", "Give at least one week"))
    if asked.new_trial is not None and asked.new_trial < 1:
        faults.append(
            Fault(f"new_trial {asked.new_trial}", "no patients", "Give 1 or more, or leave out")
        )
    if not 0 < level < 1:
        faults.append(
            Fault(f"level {level}", "not within 0 and 1", "Give a probability such as 0.9")
        )
    if not draws or not len(next(iter(draws.values()))):
        faults.append(Fault("draws", "there are none", "Run the fit first"))
    return faults
