"""Forecasts of single patients whom no fit has seen, held against their later visits.

    python tests/calibration/patients_held_out.py FOLDER [--share 0.1] [--out rows.csv]

FOLDER is the fit `trial_simulated` with its draws. New patients are simulated by the recipe of
fits/data/trial_simulated/make.py with another seed; each is forecast from its first 16 weeks under
what it was given afterwards, and every later visit is held against the 90 % equal-tailed interval
of a new observation, noise included. A concentration below the limit of quantification is inside
where the interval reaches below that limit. Visits are seen while a patient stays, and forecast as
if it stays.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

import pkpd
from pkpd.regimen import regimen

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "fits/data/trial_simulated/make.py"
SEED, SEEN_DAYS, LEVEL = 771, 112.0, 0.9
PATIENTS = {"placebo": 28, "150 mg Q4W": 34, "300 mg Q4W + week 2": 34, "600 mg Q2W": 34}
LATER = {  # what is given after day 112, whose dose is in the record; weeks count from there
    "placebo": "none",
    "150 mg Q4W": "150 mg every 4 weeks from week 4 until week 16",
    "300 mg Q4W + week 2": "300 mg every 4 weeks from week 4 until week 16",
    "600 mg Q2W": "600 mg every 2 weeks from week 2 until week 18",
}
WEEKS = tuple(float(week) for week in range(4, 41, 4))
LABELS = {"pk": "concentration", "easi": "easi", "viga": "viga"}


def recipe() -> ModuleType:
    """The trial's own simulation, as a module."""
    found = importlib.util.spec_from_file_location("make_trial", RECIPE)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # where a dataclass looks for its own module
    found.loader.exec_module(module)
    return module


def new_patients(share: float, *, seed: int = SEED) -> pd.DataFrame:
    """Records of new patients, of every arm its share, as data.csv has them."""
    made = recipe()
    sizes = {arm: max(1, round(share * count)) for arm, count in PATIENTS.items()}
    whole = made.TRIALS["trial_simulated"]
    arms = {arm: (sizes[arm], *rest) for arm, (_, *rest) in whole.arms.items()}
    with tempfile.TemporaryDirectory() as folder:
        made.write(replace(whole, seed=seed, arms=arms), Path(folder))
        return pd.read_csv(Path(folder) / "data.csv", na_values=["."])


def split(records: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first weeks of those who stay longer, doses given by then; and their later visits."""
    end = records.groupby("ID")["TIME"].max()
    records = records[records["ID"].isin(end.index[end > SEEN_DAYS])]
    first = records[(records["TIME"] <= SEEN_DAYS) & (records["DVID"] != "dropout")].copy()
    given = (first["EVID"] == 1) & (first["ADDL"] > 0)
    most = np.floor((SEEN_DAYS - first["TIME"]) / first["II"].where(given, 1.0))
    first.loc[given, "ADDL"] = np.minimum(first["ADDL"], most)[given].astype(int)
    later = records[(records["TIME"] > SEEN_DAYS) & records["DVID"].isin(list(LABELS))]
    return first, later


def held_out(folder: Path, share: float = 1.0, **questions: object) -> pd.DataFrame:
    """Every later visit beside its forecast, and the patient's status; one row a visit.

    All on drug are forecast under every arm's regimen at once, which compiles once; each one's own
    is kept.
    """
    first, later = split(new_patients(share))
    placebo = first["ARM"] == "placebo"
    drugs = tuple(text for arm, text in LATER.items() if arm != "placebo")
    parts = [(first[placebo], ("none",)), (first[~placebo], drugs)]
    told = [
        pkpd.forecast(folder, own.drop(columns="ARM").fillna({"DVID": ""}), regimens=given,
                      times=WEEKS, level=LEVEL, responses="EASI75", **questions)
        for own, given in parts
    ]  # fmt: skip
    words = {arm: str(regimen(text)) for arm, text in LATER.items()}
    words["placebo"] = "no further dose"
    seen = later.rename(columns={"ID": "id", "TIME": "time", "ARM": "arm"}).assign(
        quantity=lambda t: t["DVID"].map(LABELS), regimen=lambda t: t["arm"].map(words)
    )
    every = pd.concat([each.forecast for each in told])
    shown = every[every["layer"] == "observation"]
    both = seen.merge(shown.assign(id=shown["id"].astype(int)), validate="one_to_one",
                      on=["id", "time", "quantity", "regimen"])  # fmt: skip
    assert len(both) == len(seen), "a visit without a forecast"
    checks = pd.concat([each.checks for each in told])[["id", "pareto_k", "ess"]]
    return covered(both.merge(checks.assign(id=checks["id"].astype(int)), on="id"))


def covered(rows: pd.DataFrame) -> pd.DataFrame:
    """With `inside`, and the width of the interval."""
    low = rows["CENS"] == 1
    inside = (rows["lower"] <= rows["DV"]) & (low | (rows["DV"] <= rows["upper"]))
    return rows.assign(inside=inside, width=rows["upper"] - rows["lower"])


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage by quantity, its error with patients as the unit, and mean width."""
    found = []
    for name, own in rows.groupby("quantity"):
        by = own.groupby("id")["inside"].agg(["sum", "size"])
        share = own["inside"].mean()
        off = by["sum"] - share * by["size"]
        found.append({
            "quantity": name, "visits": len(own), "patients": len(by), "coverage": share,
            "error": float(np.sqrt((off**2).sum()) / len(own)), "width": own["width"].mean(),
        })  # fmt: skip
    return pd.DataFrame(found)


def main() -> None:
    """Run, print coverage, and write the rows where asked."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("folder", type=Path)
    words.add_argument("--share", type=float, default=1.0)
    words.add_argument("--draws", type=int, default=200)
    words.add_argument("--out", type=Path)
    given = words.parse_args()
    begin = time.process_time()
    rows = held_out(given.folder, given.share, draws=given.draws)
    if given.out:
        rows.to_csv(given.out, index=False)
    print(shares(rows).to_string(index=False))
    by_week = rows[rows["quantity"] != "viga"].groupby(["quantity", "week"])["inside"].mean()
    print(by_week.unstack().round(2).to_string())
    one = rows.drop_duplicates("id")
    print(f"{len(one)} patients; Pareto k above 0.7 in {(one['pareto_k'] > 0.7).sum()}, weights "
          f"worth fewer than 100 draws in {(one['ess'] < 100).sum()}; "
          f"{time.process_time() - begin:.0f} CPU seconds")  # fmt: skip


if __name__ == "__main__":
    main()
