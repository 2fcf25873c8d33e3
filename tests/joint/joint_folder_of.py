"""The folder of a small joint fit, written for a test: `fits/joint` beside its two data sets."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from small_joint import MODEL, STUDY, individual

FITS = Path(__file__).parents[2] / "fits"
SMALL = {
    "count": 8, "tune": 15, "pilot": 10, "max_treedepth": 3, "patients": 32, "compare": [],
    "draws": {"sampler": 15, "predictions": 8}, "name": '"joint"', "tolerance": 0.2,
}  # fmt: skip
CARD = f"""title = "Eight simulated patients of {STUDY}"
kind = "individual"
source = "simulated in tests/joint/small_joint.py"
licence = "none needed"
"""
UNITS = {"ID": "", "TIME": "day", "AMT": "mg", "EVID": "", "DVID": "", "ADDL": "", "II": "day",
         "WT": "kg", "EASI0": "", "DV": ""}  # fmt: skip
PART = f"""
[individual]
study = "{STUDY}"
drug = "amlitelimab"
model = "{MODEL}"
data = "extra"
engine = {{ tolerance = 1e-2 }}

[individual.parameters.v1]
between = 0.0

[individual.parameters.v2]
between = 0.0

[individual.parameters.ka]
between = 0.0

[[individual.observations]]
output = "concentration"
dvid = "pk"
priors = {{ proportional = 0.3 }}

[[individual.observations]]
output = "easi_ratio"
name = "easi"
dvid = "easi"
times = "EASI0"
error = "additive"
priors = {{ additive = 3.0 }}
"""


def joint_folder(root: Path) -> Path:
    """A folder that `pkpd check` accepts."""
    shutil.copytree(FITS / "data/ox40_trials", root / "fits/data/ox40_trials")
    folder, data = root / "fits/joint", root / "fits/data/extra"
    folder.mkdir()
    data.mkdir()
    (folder / "fit.toml").write_text(small_settings() + PART)
    table().to_csv(data / "data.csv", index=False)
    seal(data)
    return folder


def seal(data: Path) -> None:
    """Write the data's card, with the checksum of what stands there."""
    digest = hashlib.sha256((data / "data.csv").read_bytes()).hexdigest()
    there = (data / "data.csv").read_text().partition("\n")[0].split(",")
    columns = "".join(_column(name) for name in there)
    (data / "card.toml").write_text(f'{CARD}\n[sha256]\n"data.csv" = "{digest}"\n{columns}')


def small_settings() -> str:
    """fit.toml of the fit that ships, with little to compute."""
    section, lines = "", []
    for line in (FITS / "ox40_extension/fit.toml").read_text().splitlines():
        section = line.strip("[]") if line.startswith("[") else section
        key = line.partition(" = ")[0]
        value = SMALL.get(key)
        value = value.get(section) if isinstance(value, dict) else value
        lines.append(line if value is None else f"{key} = {value}")
    return "\n".join(lines) + "\n"


def table() -> pd.DataFrame:
    """The simulated records as a CSV has them."""
    design = individual().solver.design
    found = design.table[[name for name in UNITS if name != "DV"]].copy()
    dv = np.full(len(found), np.nan)
    for stream in design.streams:
        dv[stream.row] = stream.y
    return found.assign(DV=dv)


def _column(name: str) -> str:
    unit = '{ pk = "mg/L", easi = "" }' if name == "DV" else f'"{UNITS[name]}"'
    rule = 'rule = "constant"\n' if name in ("WT", "EASI0") else ""
    return f'\n[columns.{name}]\nas = "{name}"\nunit = {unit}\n{rule}meaning = "{name}"\n'
