"""Predictions for any regimen of any drug of the fit, all patients from week 0."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.trajectories import Lanes
from pkpd.errors import DataError, Fault, ModelError
from pkpd.prediction.asked import Asked
from pkpd.prediction.checks import close
from pkpd.prediction.estimands import (
    ESTIMANDS,
    NRI,
    ON_TREATMENT,
    POLICY,
    after_all,
    averaged,
)
from pkpd.prediction.followed import arms_for
from pkpd.prediction.kept import COPIES
from pkpd.prediction.patients import Luck, Shown, luck, shown, wandering
from pkpd.prediction.retreatment import AFTER_RETREATMENT, after_retreatment, doses_by
from pkpd.prediction.simulated import (
    Draws,
    Future,
    Left,
    futures,
    lanes_for,
    leavers_for,
    with_new_trial,
)
from pkpd.prediction.summarise import interval, rows, table
from pkpd.regimen import Regimen
from pkpd.regimen import regimen as read
from pkpd.responses import RESPONSES

LUCKS_DECIDED = 2
"""Lucks of a virtual patient whose doses follow it, each draw its own: every one is solved."""
PLACEBO = "placebo"
STATISTICS = {
    **dict.fromkeys(RESPONSES, "proportion"), "EASI_PCHG": "mean_change", "CONC": "concentration",
    "DOSES": "mean_count", **dict.fromkeys(AFTER_RETREATMENT, "proportion"),
}  # fmt: skip

NEVER_UNDONE = ("DOSES", *AFTER_RETREATMENT)


def predict(
    likelihood: Likelihood, draws: Draws, asked: Asked, *, level: float, seed: int
) -> pd.DataFrame:
    """Rows of predictions.csv (induction empty) for one regimen at the weeks asked about.

    Proportions 0 to 1, EASI_PCHG in per cent, CONC in mg/L, DOSES given so far; RETREATED and
    EASI50_RECAPTURED and so on as `retreatment` says. Layer "uncertainty" is the drug's own
    trial (placebo: the trial with a placebo arm), its population. With `asked.new_trial` = n,
    layer "new_trial": a trial not yet seen, with effects of its own and n patients sampled. Doses
    that go by weight go by each virtual patient's; rules are decided at each patient's visits.
    While on treatment, visits are every 4 weeks, or as often as the regimen says, and those asked.
    Under treatment-policy those who leave take no more doses; with rules, from the last week that
    they were seen in the trial, else from any day on.

    Raises
    ------
    DataError
        Listing every unknown word, number out of range, and pair that does not go together.
    FitError
        If the doses of a regimen with rules do not settle.
    """
    faults = _words(likelihood, asked) + _regimen(asked)
    faults += _numbers(asked, level, draws)
    if faults:
        raise DataError(faults)
    when = np.unique(np.asarray(asked.weeks, float))
    random, given = np.random.default_rng(seed), read(asked.regimen)
    answer = _decided if given.rules else _fixed
    visits = _visits(given, when) if asked.estimand == ON_TREATMENT else when
    values = np.stack(list(answer(likelihood, draws, asked, given, visits, random)))
    values = values[:, np.searchsorted(visits, when)]
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
    return table(rows(first, (str(given),), when, interval(values[:, None], level), last))


def _visits(given: Regimen, when: np.ndarray) -> np.ndarray:
    """The weeks asked about, and the visits up to the last of them, week 0 the first."""
    return np.union1d(when, given.seen * np.arange(np.floor(when[-1] / given.seen) + 1))


def _decided(
    likelihood: Likelihood,
    draws: Draws,
    asked: Asked,
    given: Regimen,
    when: np.ndarray,
    random: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Each draw's answer at every week, for a regimen decided at visits."""
    arm = arms_for(likelihood, asked.drug, [given], when, new_trial=asked.new_trial is not None)[0]
    at = np.searchsorted(arm.weeks, when)
    if asked.new_trial is not None:
        draws = with_new_trial(likelihood, draws, int(random.integers(2**31)))
    patients = _patients(
        likelihood, draws, asked, arm.weeks, random, copies=LUCKS_DECIDED, anew=True
    )
    for values, who, chance in patients:
        policy = asked.estimand == POLICY
        found = arm.follow(
            values, who, chance, all_seen=asked.estimand == "hypothetical", off_drug=policy
        )
        if asked.endpoint in AFTER_RETREATMENT:
            yield after_retreatment(found, arm, asked.endpoint, asked.estimand)[at]
        else:
            count = doses_by(found.given, arm.weeks)
            value = _value(found.visit, found.level, count, asked)
            counted = "hypothetical" if policy else asked.estimand  # under it, all are seen
            yield averaged(value, found.visit.present, counted)[at]


def _fixed(
    likelihood: Likelihood,
    draws: Draws,
    asked: Asked,
    given: Regimen,
    when: np.ndarray,
    random: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Each draw's answer at every week, for a regimen that looks at nobody."""
    unseen = asked.new_trial is not None
    wanted = likelihood, asked.drug, [given], np.append(when, max(when[-1], 1.0))
    lanes, leavers = lanes_for(*wanted, new_trial=unseen), None
    if asked.estimand == POLICY:
        leavers = leavers_for(*wanted, start=0.0, new_trial=unseen)
    if unseen:
        draws = with_new_trial(likelihood, draws, int(random.integers(2**31)))
    follow = Unguided(asked, when, given, lanes, None if leavers is None else leavers.week)
    patients = _patients(likelihood, draws, asked, when, random)
    for future in futures(likelihood, draws, lanes, when, leavers):
        yield follow.answer(future, *next(patients))


@dataclass(frozen=True)
class Unguided:
    """Patients under a regimen that looks at nobody; `leave`, by patient, where they may leave."""

    asked: Asked
    when: np.ndarray
    given: Regimen
    lanes: Lanes
    leave: np.ndarray | None

    def answer(
        self, future: Future, values: Mapping[str, np.ndarray], who: np.ndarray, chance: Luck
    ) -> np.ndarray:
        """One draw's answer at every week."""
        drift, stay = wandering(values, chance, self.when), future.stay[:, 0, who]

        def told(found: Future | Left, until: np.ndarray) -> tuple[Shown, np.ndarray]:
            visit = shown(
                values,
                ratio=found.ratio[:, 0, who],
                stay=stay,
                easi=self.lanes.easi[0, who],
                chance=chance,
                drift=drift,
                trial=int(self.lanes.trial[0]),
            )
            return visit, _value(visit, found.level[:, 0, who], self.doses(until), self.asked)

        visit, value = told(future, np.full(who.shape, np.inf))
        if future.left is None or self.leave is None:
            return averaged(value, visit.present, self.asked.estimand)
        after = told(future.left, self.leave[who])[1]
        return after_all(value, after, visit.staying, future.left.weight[:, 0, who])

    def doses(self, until: np.ndarray) -> np.ndarray:
        """Doses given so far, (weeks, patients), none after each patient's week `until`."""
        weeks = np.asarray(self.given.weeks(self.when[-1]), float)
        return (weeks[:, None, None] <= np.minimum(self.when[:, None], until)).sum(axis=0)


def _patients(
    likelihood: Likelihood,
    draws: Draws,
    asked: Asked,
    weeks: np.ndarray,
    random: np.random.Generator,
    *,
    copies: int = COPIES,
    anew: bool = False,
) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, Luck]]:
    """Each draw's values, which virtual patients there are, and their luck at `weeks`.

    All draws share patients and luck; with `anew` each has its own luck, and a new trial its own
    patients as well.
    """
    size = 1 << (likelihood.settings.predictions.patients - 1).bit_length()
    who = np.tile(np.arange(size), copies)
    chance = luck(random, len(weeks), who.shape)
    for k in range(len(next(iter(draws.values())))):
        if asked.new_trial is not None:
            who = random.integers(size, size=asked.new_trial)
        if anew or asked.new_trial is not None:
            chance = luck(random, len(weeks), who.shape)
        yield {name: np.asarray(draws[name][k]) for name in likelihood.space.names}, who, chance


def _value(visit: Shown, level: np.ndarray, doses: np.ndarray, asked: Asked) -> np.ndarray:
    """What is asked about, of each patient at every week."""
    plain = {"EASI_PCHG": 100 * (visit.seen - 1), "CONC": level, "DOSES": doses}
    return plain[asked.endpoint] if asked.endpoint in plain else visit.response[asked.endpoint]


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
    said = ""
    if asked.estimand == NRI and STATISTICS.get(asked.endpoint, "proportion") != "proportion":
        said = f"{asked.endpoint} has no failure to impute"
    elif asked.estimand == ON_TREATMENT and asked.endpoint in NEVER_UNDONE:
        said = f"{asked.endpoint} counts what has happened so far: it has no last visit to show it"
    elif asked.estimand == POLICY and asked.endpoint in AFTER_RETREATMENT:
        said = f"{asked.endpoint} is about visits that decide doses: who left has none"
    if said:
        remedy = "Ask for observed or hypothetical"
        faults.append(Fault(f"estimand '{asked.estimand}'", said, remedy))
    return faults


def _regimen(asked: Asked) -> list[Fault]:
    where = f"regimen '{asked.regimen}'"
    try:
        given = read(asked.regimen)
    except ModelError as error:
        remedy = "Write it in words that are understood"
        return [Fault(where, said.rstrip("."), remedy) for said in error.said]
    faults = []
    if asked.drug == PLACEBO and given.clauses:
        faults.append(Fault(where, "placebo takes no drug", "Write none, or name the drug"))
    if asked.endpoint in AFTER_RETREATMENT and not any(r.act == "re-treat" for r in given.rules):
        found = f"nobody is re-treated under '{given}'"
        remedy = "Add a rule, as 're-treat every 4 weeks when EASI-50 is lost'"
        faults.append(Fault(f"endpoint '{asked.endpoint}'", found, remedy))
    return faults


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
