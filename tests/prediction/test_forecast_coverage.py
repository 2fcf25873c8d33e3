"""Whether later visits of patients made by the model lie in their forecasts as often as said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import patient_fit
from patient_fit import BASE, KA, LAST

import pkpd

PATIENTS, WEEKS, DOSE = 150, (1.0, 3.0, 5.0), 20.0


def course(time, given, cl, v):
    """Concentration by superposition, a row a time and a column a patient."""
    k = cl / v
    since = np.maximum(np.asarray(time)[:, None] - given, 0.0)
    return DOSE * KA / (v * (KA - k)) * (np.exp(-k * since) - np.exp(-KA * since))


def made(chance):
    """Patients' own parameters, each of a population drawn from the pretended posterior."""
    q = {n: v[chance.integers(0, patient_fit.DRAWS, PATIENTS)]
         for n, v in patient_fit.population().items()}  # fmt: skip
    own = {n: q[n] * np.exp(q[f"{n}_between"] * chance.normal(size=PATIENTS)) for n in ("cl", "v")}
    return q, own


def observed(f, q, chance):
    level = f * (1 + q["level_proportional"] * chance.normal(size=f.shape))
    score = np.clip(BASE * f + q["easi_additive"] * chance.normal(size=f.shape), 0, 72)
    return {"pk": level, "score": score}


def test_ninety_of_a_hundred_later_visits_are_inside(tmp_path):
    """Of 900 visits of 150 patients 90 % are expected inside; the SD of the share is near 0.012."""
    chance = np.random.default_rng(11)
    q, own = made(chance)
    early = np.array([4.0, 14.0, LAST])
    seen = observed(course(early, 0.0, **own), q, chance)
    rows = [{"ID": i, "TIME": 0.0, "AMT": DOSE, "EVID": 1} for i in range(PATIENTS)]
    rows += [{"ID": i, "TIME": t, "EVID": 0, "DVID": dvid, "DV": max(value[k, i], 0.0)}
             for i in range(PATIENTS) for k, t in enumerate(early)
             for dvid, value in seen.items()]  # fmt: skip
    table = pd.DataFrame(rows).sort_values(["ID", "TIME"], kind="stable").assign(EASI0=BASE)
    told = pkpd.forecast(patient_fit.folder(tmp_path), table, regimens="20 mg every 2 weeks",
                         times=WEEKS, draws=patient_fit.DRAWS)  # fmt: skip
    later = LAST + 7 * np.array(WEEKS)
    f = course(later, 0.0, **own)
    f = f + sum(course(later, LAST + at, **own) for at in (0.0, 14.0, 28.0))
    truth = observed(f, q, chance)
    shown = told.forecast[told.forecast["layer"] == "observation"]
    for dvid, name in (("pk", "level"), ("score", "easi")):
        own_rows = shown[shown["quantity"] == name].sort_values(["week", "id"], kind="stable")
        ends = [own_rows[end].to_numpy().reshape(len(WEEKS), PATIENTS) for end in
                ("lower", "upper")]  # fmt: skip
        inside = (ends[0] <= truth[dvid]) & (truth[dvid] <= ends[1])
        assert 0.86 < inside.mean() < 0.94, (name, inside.mean())
    assert (told.checks["status"] == "final").mean() > 0.95
