"""Simulate rocatinlimab-like trials: concentrations, EASI, vIGA, dropout.

    python fits/data/trial_simulated/make.py                 270 patients, as they stand here
    python fits/data/trial_simulated/make.py ascend_simulated     2,600 patients to week 104

writes data.csv and truth.csv of that folder; numbers and seeds stand below. Nothing here is of a
real patient. Development of rocatinlimab stopped in March 2026 on safety grounds.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import pkpd

HERE, LLOQ = Path(__file__).parent, 0.1
MODEL = "rocatinlimab_okada_2025+tcell_rebalancing+pd_dropout"
Arm = tuple[int, int, int, int, bool]
"""Patients, mg, days between doses, doses, whether there is an extra dose on day 14."""


@dataclass(frozen=True)
class Trial:
    """Who gets what, and when patients are seen (days)."""

    seed: int
    arms: dict[str, Arm]
    scored: np.ndarray
    sampled: np.ndarray


TRIALS = {
    "trial_simulated": Trial(
        20265,
        {
            "placebo": (54, 0, 28, 0, False),
            "150 mg Q4W": (72, 150, 28, 9, False),
            "300 mg Q4W + week 2": (72, 300, 28, 9, True),
            "600 mg Q2W": (72, 600, 14, 18, False),
        },
        np.array([2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56]) * 7.0,
        np.array([1, 2, 4, 8, 16, 24, 32, 36, 44, 56]) * 7.0,
    ),
    "ascend_simulated": Trial(
        20271,
        {
            "placebo": (520, 0, 28, 0, False),
            "300 mg Q4W": (1040, 300, 28, 26, False),
            "300 mg Q8W": (1040, 300, 56, 13, False),
        },
        np.array([2, *range(4, 105, 4)]) * 7.0,
        np.array([1, 2, 4, 8, 16, 24, 52, 80, 104]) * 7.0,
    ),
}
TRUE = {
    "cl": 0.23, "v1": 3.3, "ka": 0.312, "ec50": 2.5, "imax": 0.8, "kdep": 0.06, "gr": 0.5,
    "ke": 0.1, "kmem": 0.023, "phi": 0.6, "kr": 0.0316, "gamma": 1.2, "ks": 0.06,
    "placebo": 0.3, "kp": 0.0416, "h0": 0.0012, "h1": 0.7,
}  # fmt: skip
BETWEEN = {"cl": 0.21, "v1": 0.17, "ka": 0.4, "ec50": 0.5, "gamma": 0.6, "ks": 0.5, "placebo": 0.8}
ERROR = {
    "concentration_proportional": 0.16, "easi_additive": 1.5, "easi_proportional": 0.15,
    "viga_threshold_1": -0.67, "viga_gap_2": 4.83, "viga_gap_3": 3.29, "viga_gap_4": 2.94,
    "viga_slope": 3.0,
}  # fmt: skip


def patients(trial: Trial, rng: np.random.Generator) -> pd.DataFrame:
    """Arms, covariates at baseline and each patient's own parameters."""
    arm = np.repeat(list(trial.arms), [n for n, *_ in trial.arms.values()])
    size = arm.size
    easi = np.clip(np.exp(rng.normal(np.log(27), 0.35, size)), 16, 70).round(1)
    found = {
        "ID": np.arange(1, size + 1), "ARM": arm, "WT": rng.normal(75, 15, size).clip(40).round(1),
        "ALB": rng.normal(45, 3, size).round(1), "EASI0": easi,
    }  # fmt: skip
    own = {n: v * np.exp(rng.normal(0, BETWEEN[n], size)) if n in BETWEEN else np.full(size, v)
           for n, v in TRUE.items()}  # fmt: skip
    return pd.DataFrame({**found, **own})


def doses(trial: Trial, person: pd.Series) -> list[dict]:
    """The dose records of a patient, or one that says day 0 where there is none."""
    _, amount, every, count, extra = trial.arms[person["ARM"]]
    first = {"TIME": 0.0, "EVID": 1 if count else 2, "AMT": amount, "ADDL": max(count - 1, 0)}
    found = [{**first, "II": every if count > 1 else 0, "CMT": "depot"}]
    if extra:
        found.append({"TIME": 14.0, "EVID": 1, "AMT": amount, "ADDL": 0, "II": 0, "CMT": "depot"})
    return found


def seen(
    trial: Trial, person: pd.Series, course: pd.DataFrame, rng: np.random.Generator
) -> list[dict]:
    """What is observed of a patient until they leave: `course` has the model at every day asked."""
    day, hazard = course["TIME"].to_numpy(), course["cumulative"].to_numpy()
    leaves = np.interp(rng.exponential(), hazard, day, right=np.inf)
    treated = trial.arms[person["ARM"]][1] > 0
    easi = course["easi_ratio"].to_numpy() * person["EASI0"]
    score = np.clip(easi + rng.normal(size=day.size) * np.hypot(1.5, 0.15 * easi), 0, 72).round(1)
    level = course["concentration"].to_numpy() * (1 + 0.16 * rng.normal(size=day.size))
    cuts = np.cumsum([ERROR[f"viga_{n}"] for n in ("threshold_1", "gap_2", "gap_3", "gap_4")])
    below = 1 / (1 + np.exp(ERROR["viga_slope"] * np.log(np.maximum(easi, 1e-3))[:, None] - cuts))
    grade = (rng.random((day.size, 1)) > below).sum(axis=1)
    rows = []
    for k in np.flatnonzero(day < leaves):
        if day[k] in trial.sampled and treated:
            low = level[k] < LLOQ
            value = LLOQ if low else float(f"{level[k]:.4g}")
            rows.append({"TIME": day[k], "DVID": "pk", "DV": value, "CENS": int(low)})
        if day[k] in trial.scored:
            rows.append({"TIME": day[k], "DVID": "easi", "DV": score[k]})
            rows.append({"TIME": day[k], "DVID": "viga", "DV": int(grade[k])})
    end = {"TIME": round(min(leaves, day[-1]), 1), "DVID": "dropout", "DV": int(leaves < day[-1])}
    return [*rows, end]


def write(trial: Trial, folder: Path) -> None:
    """Write data.csv and truth.csv, and say the checksum that the card holds."""
    rng = np.random.default_rng(trial.seed)
    people = patients(trial, rng)
    days = np.unique(np.concatenate([trial.scored, trial.sampled]))
    asked = [{"TIME": day, "EVID": 0, "AMT": 0, "ADDL": 0, "II": 0, "CMT": "", "order": 1}
             for day in days]  # fmt: skip
    records = []
    for _, person in people.iterrows():
        own = sorted([{**dose, "order": 2} for dose in doses(trial, person)] + asked,
                     key=lambda row: (row["TIME"], row["order"]))  # fmt: skip
        records += [{"ID": person["ID"], "WT": person["WT"], "ALB": person["ALB"], **row}
                    for row in own]  # fmt: skip
    events = pd.DataFrame(records).drop(columns="order")
    course = pkpd.simulate(MODEL, events, parameters=people[["ID", *TRUE]])
    courses = dict(list(course[course["TIME"] > 0].groupby("ID")))
    table = []
    for _, person in people.iterrows():
        found = [{**row, "order": 0} for row in seen(trial, person, courses[person["ID"]], rng)]
        last = found[-1]["TIME"]
        given = [{**dose, "order": 1, "DVID": ""} for dose in doses(trial, person)]
        given = [dose for dose in given if dose["TIME"] <= last]
        facts = {name: person[name] for name in ("ID", "ARM", "WT", "ALB", "EASI0")}
        both = sorted(found + given, key=lambda row: (row["TIME"], row["order"]))
        table += [{**facts, "EVID": 0, **row} for row in both]
    columns = ["ID", "ARM", "TIME", "EVID", "CMT", "AMT", "ADDL", "II", "DVID", "DV", "CENS", "WT",
               "ALB", "EASI0"]  # fmt: skip
    frame = pd.DataFrame(table)[columns]
    for name in ("AMT", "ADDL", "II", "CENS"):
        frame[name] = frame[name].fillna(0).astype(int)
    frame.to_csv(folder / "data.csv", index=False, na_rep=".", lineterminator="\n")
    truth = {**TRUE, **{f"{n}_between": v for n, v in BETWEEN.items()}, **ERROR}
    pd.Series(truth, name="value").rename_axis("parameter").to_csv(folder / "truth.csv")
    print(hashlib.sha256((folder / "data.csv").read_bytes()).hexdigest())


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "trial_simulated"
    write(TRIALS[name], HERE.parent / name)
