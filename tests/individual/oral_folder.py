"""The folder of a small individual-level fit, written for a test: `oral_trial` told as files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
from oral_trial import records

COLUMNS = {"ID": "", "TIME": "h", "DV": "mg/L", "AMT": "mg", "EVID": ""}
CARD = """title = "Six simulated subjects after an oral dose"
kind = "individual"
source = "simulated in tests/individual/oral_trial.py"
licence = "none needed"
"""
FIT = """name = "small"
title = "Six simulated subjects after an oral dose"
model = "pk_1cmt_oral"
data = "small"
time_unit = "h"

[parameters.ka]
median = 1.5
sd = 0.5

[parameters.cl]
median = 3.0
sd = 0.5
between = 0.5

[parameters.v]
median = 30
sd = 0.5

[[observations]]
output = "concentration"
error = "additive"
priors = { additive = 1.0 }

[sampler]
chains = 2
tune = 100
draws = 6000
seed = 4
adaptation = "diag"
pilot = 0
"""


def small_fit(root: Path) -> Path:
    """A folder that `pkpd check` accepts, its data beside it."""
    folder, data = root / "fits/small", root / "fits/data/small"
    folder.mkdir(parents=True)
    data.mkdir(parents=True)
    rows = pd.DataFrame(records())[list(COLUMNS)]
    rows = rows[(rows["EVID"] == 1) | (rows["DV"] > 0)]  # the reader refuses others
    rows.to_csv(data / "data.csv", index=False)
    columns = "".join(
        f'\n[columns.{n}]\nas = "{n}"\nunit = "{unit}"\nmeaning = "{n}"\n'
        for n, unit in COLUMNS.items()
    )
    digest = hashlib.sha256((data / "data.csv").read_bytes()).hexdigest()
    (data / "card.toml").write_text(f'{CARD}\n[sha256]\n"data.csv" = "{digest}"\n{columns}')
    (folder / "fit.toml").write_text(FIT)
    return folder
