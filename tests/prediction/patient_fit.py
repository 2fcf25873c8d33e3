"""A fit of two effects whose posterior is given by hand, one patient of it, and its truth by grid.

One compartment with absorption; a score that is the patient's baseline times the concentration, so
that everything has a closed form. The grid shares no line with the package: doses superposed by
hand, effects integrated by trapezia for every draw of the population.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from pkpd.fit_folder import update_card
from pkpd.individual_folder import individual_provenance, open_individual
from pkpd.posterior import Posterior

CARD = """title = "Three simulated subjects"
kind = "individual"
source = "simulated in tests/prediction/patient_fit.py"
licence = "none needed"
"""
COLUMNS = {"ID": "", "TIME": "days", "DV": {"pk": "mg/L", "score": "score"}, "AMT": "mg",
           "EVID": "", "ADDL": "", "II": "days", "DVID": ""}  # fmt: skip
FIT = """name = "pretend"
title = "A score that follows a concentration"
model = "pk_1cmt_oral"
data = "pretend"

[parameters.ka]
fixed = 1.0
between = 0

[parameters.cl]
median = 1.0
sd = 0.5
between = 0.5

[parameters.v]
median = 10
sd = 0.5
between = 0.5

[[observations]]
name = "level"
output = "concentration"
dvid = "pk"
error = "proportional"
priors = { proportional = 0.3 }

[[observations]]
name = "easi"
output = "concentration"
times = "EASI0"
dvid = "score"
outcome = "bounded"
low = 0
high = 72
error = "additive"
priors = { additive = 3 }
"""
POPULATION = {"cl": (1.0, 0.1), "v": (10.0, 0.1), "cl_between": (0.35, 0.15),
              "v_between": (0.3, 0.15), "level_proportional": (0.15, 0.1),
              "easi_additive": (2.0, 0.1)}  # fmt: skip
"""Medians of the pretended posterior, and SDs of the logarithms."""
DRAWS, BASE, KA = 40, 24.0, 1.0
GIVEN = (0.0, 28.0)
SEEN = (("pk", 7.0, 1.31), ("score", 7.0, 33.0), ("pk", 28.0, 0.11), ("score", 28.0, 1.2))
LAST = 30.0
REFERENCE, OTHER = "20 mg every 2 weeks", "20 mg every 4 weeks"
WEEKS = (1.0, 2.0, 6.0)


def folder(root: Path, *, passed: bool | None = True) -> Path:
    """The fit's folder, its data beside it; `passed` is the card's verdict, None: no card."""
    fit, data = root / "fits/pretend", root / "fits/data/pretend"
    fit.mkdir(parents=True)
    data.mkdir(parents=True)
    rows = [{"ID": 1, "TIME": 0.0, "DV": ".", "AMT": 20, "EVID": 1, "ADDL": 1, "II": 28,
             "DVID": "."}]  # fmt: skip
    rows += [{"ID": 1, "TIME": t, "DV": y, "AMT": ".", "EVID": 0, "ADDL": ".", "II": ".",
              "DVID": dvid} for dvid, t, y in SEEN]  # fmt: skip
    pd.DataFrame(rows).assign(EASI0=BASE).to_csv(data / "data.csv", index=False)
    columns = "".join(_column(name, unit) for name, unit in COLUMNS.items())
    columns += '\n[columns.EASI0]\nas = "EASI0"\nrule = "constant"\nunit = "score"\nmeaning = "b"\n'
    digest = hashlib.sha256((data / "data.csv").read_bytes()).hexdigest()
    (data / "card.toml").write_text(f'{CARD}\n[sha256]\n"data.csv" = "{digest}"\n{columns}')
    (fit / "fit.toml").write_text(FIT)
    found = {n: (("chain", "draw"), v[None]) for n, v in population().items()}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(found)})
    Posterior(tree, individual_provenance(open_individual(fit))).save(fit / "draws.nc")
    if passed is not None:
        verdict = {"check": "r_hat", "value": 1.2, "limit": 1.01, "passed": passed, "advice": ""}
        update_card(fit, {"passed": passed, "diagnostics": [verdict]})
    return fit


def _column(name: str, unit: object) -> str:
    told = f'"{unit}"'
    if isinstance(unit, dict):
        told = "{ " + ", ".join(f'{k} = "{v}"' for k, v in unit.items()) + " }"
    return f'\n[columns.{name}]\nas = "{name}"\nunit = {told}\nmeaning = "{name}"\n'


def population() -> dict[str, np.ndarray]:
    """The draws of the pretended posterior."""
    chance = np.random.default_rng(8)
    return {n: m * np.exp(sd * chance.normal(size=DRAWS)) for n, (m, sd) in POPULATION.items()}


def patient(**changed: object) -> pd.DataFrame:
    """The records of patient "A": two doses, two visits, and a look at day 30 without a value."""
    rows = [{"TIME": t, "AMT": 20.0, "EVID": 1} for t in GIVEN[:1]]
    rows += [{"TIME": t, "DV": y, "DVID": d} for d, t, y in SEEN]
    rows += [{"TIME": t, "AMT": 20.0, "EVID": 1} for t in GIVEN[1:]]
    rows += [{"TIME": LAST, "EVID": 2}]
    table = pd.DataFrame(rows).assign(ID="A", EASI0=BASE)
    table["EVID"] = table["EVID"].fillna(0)
    return table.assign(**changed)


def level(time, given, cl, v):
    """Concentration by superposition of oral doses of 20 mg."""
    k, total = cl / v, 0.0
    for at in given:
        since = np.maximum(time - at, 0.0)
        total = total + 20 * KA / (v * (KA - k)) * (np.exp(-k * since) - np.exp(-KA * since))
    return total


def log_likelihood(q, cl, v):
    """Of the patient's records."""
    total = 0.0
    for dvid, time, y in SEEN:
        f = level(time, [t for t in GIVEN if t < time], cl, v)
        if dvid == "pk":
            total = total + norm.logpdf(y, f, q["level_proportional"] * f)
        else:
            total = total + norm.logpdf(y, BASE * f, q["easi_additive"])
    return total


class Grid:
    """The exact posterior of the two effects for every draw of the population."""

    def __init__(self) -> None:
        z = np.linspace(-5, 5, 161)
        self.z = np.meshgrid(z, z, indexing="ij")
        self.q = {n: v[:, None, None] for n, v in population().items()}
        self.cl = self.q["cl"] * np.exp(self.q["cl_between"] * self.z[0])
        self.v = self.q["v"] * np.exp(self.q["v_between"] * self.z[1])
        log = log_likelihood(self.q, self.cl, self.v) + norm.logpdf(self.z).sum(axis=0)
        self.weight = np.exp(log - log.max())
        self.weight /= self.weight.sum()

    def mean(self, values) -> float:
        """Posterior mean of what has a value at every draw and grid point."""
        return float((self.weight * values).sum())

    def chance(self, week: float, every: float, left: float) -> np.ndarray:
        """P(the score is at most a share of its baseline) some weeks after the last record."""
        given = [*GIVEN, *(LAST + 7 * at for at in np.arange(0, week, every))]
        f = BASE * level(LAST + 7 * week, given, self.cl, self.v)
        return norm.cdf(left * BASE, f, self.q["easi_additive"])
