"""One patient of the simulated trial by SciPy: equations, records and priors written out once more.

Nothing of the package is used; constants that the fit holds are those of Okada 2025, Table S3.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

Q, V2, VMAX, KM, KDES, F = 0.775, 2.82, 0.968, 0.289, 0.00439, 0.855
WT_ON_CL, WT_ON_V1, WT_ON_VMAX, ALB_ON_CL = 0.923, 0.828, 0.494, -1.30
VARYING = ("cl", "v1", "ka", "ec50", "gamma", "ks", "placebo")


def slopes(t, x, p):
    """Of depot, central, peripheral, effector, memory, regulatory, inflammation, lesions, H."""
    depot, central, peripheral, effector, memory, regulatory, inflamed, lesions, _ = x
    level = central / p["v1"]
    exchanged = Q * (level - peripheral / V2)
    lost = p["cl"] * level + p["vmax"] * np.exp(-KDES * t) * level / (KM + level)
    bound = level / (level + p["ec50"])
    ratio = score_ratio(t, lesions, p)
    return [
        -p["ka"] * depot,
        p["ka"] * depot - exchanged - lost,
        exchanged,
        p["ke"] * memory * (1 - p["imax"] * bound) - (p["ke"] + p["kdep"] * bound) * effector,
        p["kmem"] * (1 - p["phi"] + p["phi"] * effector - memory),
        p["kr"] * (1 + p["gr"] * bound - regulatory),
        p["ks"] * ((effector / regulatory) ** p["gamma"] - inflamed),
        p["ks"] * (inflamed - lesions),
        p["h0"] * max(ratio, 1e-4) ** p["h1"],
    ]


def score_ratio(t, lesions, p):
    return lesions * np.exp(-p["placebo"] * (1 - np.exp(-p["kp"] * t)))


def own(q, effects, wt, alb):
    """The patient's parameters; `effects` by name, on the log scale."""
    p = {n: float(v) for n, v in q.items()}
    p |= {n: p[n] * np.exp(effects[n]) for n in VARYING}
    p["cl"] *= (wt / 70) ** WT_ON_CL * (alb / 44) ** ALB_ON_CL
    p["v1"] *= (wt / 70) ** WT_ON_V1
    p["vmax"] = VMAX * (wt / 70) ** WT_ON_VMAX
    return p


def doses(records: pd.DataFrame) -> list[tuple[float, float]]:
    found = []
    for _, row in records[records["EVID"] == 1].iterrows():
        found += [(row["TIME"] + k * row["II"], row["AMT"]) for k in range(int(row["ADDL"]) + 1)]
    return sorted(found)


def course(p, given, times):
    """States at times, before the dose of the same time."""
    x, now, found = np.array([0, 0, 0, 1, 1, 1, 1, 1, 0], float), 0.0, {}
    for at in sorted({*times, *(t for t, _ in given)}):
        if at > now:
            x = solve_ivp(slopes, (now, at), x, args=(p,), method="LSODA", rtol=1e-9,
                          atol=1e-11).y[:, -1]  # fmt: skip
            now = at
        found[at] = x.copy()
        x[0] += sum(F * amount for t, amount in given if t == at)
    return found


def log_posterior(q, z, records):
    """Log-density of records and standardised effects, in the order of VARYING."""
    first = records.iloc[0]
    effects = {n: q[f"{n}_between"] * z[k] for k, n in enumerate(VARYING)}
    p = own(q, effects, first["WT"], first["ALB"])
    seen = records[records["EVID"] == 0]
    states = course(p, doses(records), [*seen["TIME"]])
    total = norm.logpdf(z).sum() - states[records["TIME"].max()][8]  # still there at the end
    for _, row in seen.iterrows():
        x = states[row["TIME"]]
        score = score_ratio(row["TIME"], x[7], p) * first["EASI0"]
        if row["DVID"] == "pk":
            f = x[1] / p["v1"]
            law = norm.logcdf if row["CENS"] == 1 else norm.logpdf
            total += law(row["DV"], f, q["concentration_proportional"] * abs(f))
        elif row["DVID"] == "easi":
            sd = np.hypot(q["easi_additive"], q["easi_proportional"] * score)
            end = row["DV"] <= 0
            total += norm.logcdf(0, score, sd) if end else norm.logpdf(row["DV"], score, sd)
        elif row["DVID"] == "viga":
            cuts = np.cumsum([q[f"viga_{n}"] for n in ("threshold_1", "gap_2", "gap_3", "gap_4")])
            below = expit(cuts - q["viga_slope"] * np.log(max(score, 1e-3)))
            chances = np.diff([0.0, *below, 1.0])
            total += np.log(chances[int(row["DV"])])
    return total


def mode(q, records):
    """The mode of the standardised effects."""
    found = minimize(lambda z: -log_posterior(q, z, records), np.zeros(len(VARYING)),
                     method="BFGS", jac="3-point", options={"gtol": 1e-5})  # fmt: skip
    return found.x
