"""Four subjects, saturable elimination and turnover: a model, data, and its log-density by SciPy.

`log_density` shares no line with the package: equations, random effects, covariate, events, priors
and censoring are written out once more, subject by subject.
"""

from functools import cache

import numpy as np
from scipy.integrate import solve_ivp
from scipy.stats import beta, halfnorm, lognorm, norm

from pkpd.data.events import read_events
from pkpd.individual.build import individual_likelihood
from pkpd.model import Model, Parameter
from pkpd.settings_individual import (
    Block,
    Choice,
    CovariateEffect,
    IndividualSettings,
    Observation,
)

MEDIANS = {"v": 3.0, "vmax": 20.0, "km": 1.5, "kout": 0.8, "base": 10.0, "ic50": 2.0}
BLOCK = ("v", "vmax", "kout")
LIMIT = 4.0
"""Concentrations below are told as below."""


def rates(t, x, p, u):
    level = x["central"] / p["v"]
    held = 1 - level / (p["ic50"] + level)
    return {
        "central": -p["vmax"] * level / (p["km"] + level),
        "marker": p["kout"] * (p["base"] * held - x["marker"]),
    }


MODEL = Model(
    name="small",
    title="Saturable elimination and turnover",
    summary="For tests",
    parameters=tuple(Parameter(n, v, "1", n, reason="for tests") for n, v in MEDIANS.items()),
    states=("central", "marker"),
    rates=rates,
    outputs=lambda x, p: {"concentration": x["central"] / p["v"], "effect": x["marker"]},
    units={"time": "d", "concentration": "mg/L", "effect": "1"},
    initial=lambda p: {"central": 0.0 * p["v"], "marker": p["base"]},
    kind="pkpd",
    doses_into=("central",),
)

# ID TIME AMT RATE EVID DVID DV CENS OCC WT: a dose at once, then an infusion over 0.8 d on the
# second occasion; times differ between subjects
WEIGHTS = (55.0, 70.0, 82.0, 96.0)
_SEEN = ((0.3, "pk"), (1.1, "pd"), (2.0, "pk"), (2.0, "pd"), (4.5, "pk"), (6.0, "pd"))
_LATER = ((7.5, "pk"), (7.5, "pd"), (8.6, "pk"), (10.0, "pd"), (12.0, "pk"))


def records():
    """Rows of the table, as mappings."""
    chance, rows = np.random.default_rng(3), []
    for who, weight in enumerate(WEIGHTS, 1):
        own = {"ID": who, "WT": weight, "AMT": 0.0, "RATE": 0.0, "CENS": 0, "DV": 0.0, "DVID": ""}
        dosed = own | {"EVID": 1, "AMT": 60.0 + 10 * who}
        rows.append(dosed | {"TIME": 0.0, "OCC": 1})
        for occasion, seen in ((1, _SEEN), (2, _LATER)):
            if occasion == 2:
                rows.append(dosed | {"TIME": 7.0, "OCC": 2, "RATE": dosed["AMT"] / 0.8})
            for time, dvid in seen:
                at = time + 0.05 * (who - 1)
                level = 15 * np.exp(-0.4 * (at % 7)) if dvid == "pk" else 4 + 0.4 * at
                level *= np.exp(0.2 * chance.normal())
                below = dvid == "pk" and level < LIMIT
                value = {"DV": LIMIT if below else level, "CENS": int(below)}
                rows.append(own | value | {"TIME": at, "EVID": 0, "DVID": dvid, "OCC": occasion})
    return rows


@cache
def likelihood():
    """The package's likelihood of the same; planned once for all tests."""
    chosen = {
        name: Choice(median=median, sd=0.4, between=0.3 if name in (*BLOCK, "base") else 0.0)
        for name, median in MEDIANS.items()
    }
    weight = CovariateEffect(name="wt", reference=70.0, mean=1.0, sd=0.2)
    chosen["v"] = Choice(median=3.0, sd=0.4, between=0.3, covariates=(weight,))
    chosen["vmax"] = Choice(median=20.0, sd=0.4, between=0.3, occasion=0.2)
    settings = IndividualSettings(
        name="small",
        title="small",
        model="small",
        data="small",
        observations=(
            Observation(output="concentration", dvid="pk", error="combined",
                        priors={"additive": 0.5, "proportional": 0.4}),
            Observation(output="effect", dvid="pd", error="additive", priors={"additive": 2.0}),
        ),
        parameters=chosen,
        blocks=(Block(parameters=BLOCK, concentration=2.0),),
    )  # fmt: skip
    rows = records()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    table = read_events(columns).table
    table = table.assign(CENS=table["CENS"].astype(int))
    return individual_likelihood(settings, MODEL, table)


def log_density(values):
    """The same by NumPy and SciPy, from natural values by name."""
    return _log_prior(values) + sum(_log_likelihood(values, k) for k in range(len(WEIGHTS)))


def _log_prior(q):
    total = sum(lognorm.logpdf(q[n], 0.4, scale=m) for n, m in MEDIANS.items())
    total += norm.logpdf(q["v_wt"], 1.0, 0.2)
    total += sum(halfnorm.logpdf(q[f"{n}_between"], scale=0.3) for n in (*BLOCK, "base"))
    total += halfnorm.logpdf(q["vmax_occasion"], scale=0.2)
    # LKJ(2) of three: partials of the first level beta(2.5), of the second beta(2), on -1 .. 1
    for name, shape in (("v_vmax", 2.5), ("v_kout", 2.5), ("vmax_kout", 2.0)):
        total += beta.logpdf((q[f"{name}_partial"] + 1) / 2, shape, shape) - np.log(2)
    for name, scale in (("concentration_additive", 0.5), ("concentration_proportional", 0.4),
                        ("effect_additive", 2.0)):  # fmt: skip
        total += halfnorm.logpdf(q[name], scale=scale)
    effects = [q[f"{n}_eta"] for n in (*BLOCK, "base")] + [q["vmax_occasion_eta"]]
    return total + sum(norm.logpdf(each).sum() for each in effects)


def correlations(q):
    """The correlation matrix of v, vmax and kout, from its partial correlations."""
    a, b, c = (q[f"{n}_partial"] for n in ("v_vmax", "v_kout", "vmax_kout"))
    third = c * np.sqrt((1 - a**2) * (1 - b**2)) + a * b
    return np.array([[1, a, b], [a, 1, third], [b, third, 1]])


def _own(q, k, occasion):
    """Subject k's parameters on an occasion."""
    z = np.array([q[f"{name}_eta"][k] for name in BLOCK])
    sd = np.array([q[f"{name}_between"] for name in BLOCK])
    eta = dict(zip(BLOCK, sd * (np.linalg.cholesky(correlations(q)) @ z), strict=True))
    eta["vmax"] += q["vmax_occasion"] * q["vmax_occasion_eta"][2 * k + occasion - 1]
    eta["base"] = q["base_between"] * q["base_eta"][k]
    own = {name: q[name] * np.exp(eta.get(name, 0.0)) for name in MEDIANS}
    own["v"] *= (WEIGHTS[k] / 70.0) ** q["v_wt"]
    return own


def _log_likelihood(q, k):
    return sum(_row(q, row, x, p) for row, x, p in _course(q, k))


def predictions(q):
    """Concentrations ("pk") and effects ("pd") at the observed rows, in the order of records."""
    found = {"pk": [], "pd": []}
    for k in range(len(WEIGHTS)):
        for row, x, p in _course(q, k):
            found[row["DVID"]].append(x[0] / p["v"] if row["DVID"] == "pk" else x[1])
    return {dvid: np.array(values) for dvid, values in found.items()}


def _course(q, k):
    """Each observed row of subject k, with the states and the parameters there."""
    x, now = None, 0.0
    flow = (0.0, 0.0)  # rate, end
    for row in (each for each in records() if each["ID"] == k + 1):
        p = _own(q, k, row["OCC"])  # governs what ends at this record
        if x is None:
            x = np.array([0.0, p["base"]])
        x = _advanced(x, now, row["TIME"], p, flow)
        now = row["TIME"]
        if row["EVID"] == 1 and row["RATE"] == 0:
            x = x + [row["AMT"], 0.0]
        elif row["EVID"] == 1:
            flow = (row["RATE"], now + row["AMT"] / row["RATE"])
        else:
            yield row, x, p


def _advanced(x, begin, end, p, flow):
    rate, stop = flow
    cuts = [begin, *([stop] if begin < stop < end else []), end]
    for a, b in zip(cuts[:-1], cuts[1:], strict=True):
        if b > a:
            into = rate if (a + b) / 2 < stop else 0.0

            def slope(t, x, into=into):
                level = x[0] / p["v"]
                return [
                    into - p["vmax"] * level / (p["km"] + level),
                    p["kout"] * (p["base"] * (1 - level / (p["ic50"] + level)) - x[1]),
                ]

            x = solve_ivp(slope, (a, b), x, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    return x


def _row(q, row, x, p):
    if row["DVID"] == "pd":
        return norm.logpdf(row["DV"], x[1], q["effect_additive"])
    f = x[0] / p["v"]
    sd = np.hypot(q["concentration_additive"], q["concentration_proportional"] * f)
    law = norm.logcdf if row["CENS"] else norm.logpdf
    return law(row["DV"], f, sd)
