"""Recovery of simulated truth: a trial with visits three times a month, dropout and BLQ.

    python tests/calibration/recover_trial.py --patients 300

Three arms (30, 100 and 300 mg on days 0, 30, 60 and 90); visits on days 2, 10 and 24 of six months.
Concentrations follow two compartments with absorption, some below the limit of quantification (M3);
a score follows them by indirect response I; patients leave with a hazard that grows with the score.
Simulated with adaptive steps, fitted on the planned mesh; no prior median is the truth.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import sbc
from scipy.stats import binom

import pkpd
from pkpd.checkpoint import Checkpoint
from pkpd.compose import compose
from pkpd.data.events import read_events
from pkpd.individual.build import individual_likelihood
from pkpd.individual_sampling import draw
from pkpd.library import load
from pkpd.model import Model, Parameter
from pkpd.settings_individual import (
    Block,
    Choice,
    Engine,
    IndividualSampler,
    IndividualSettings,
    Observation,
)

SEED, LLOQ, DOSED = 20264, 1.5, (0.0, 30.0, 60.0, 90.0)
VISITS = np.add.outer(30.0 * np.arange(6), (2.0, 10.0, 24.0)).ravel()
ARMS, GRID, MIDDLE = (30.0, 100.0, 300.0), 2.0, 20.0
TRUTH = {
    "ka": 0.3, "cl": 0.25, "v1": 3.5, "q": 0.4, "v2": 3.0,
    "e0": 25.0, "kout": 0.08, "imax": 0.75, "ic50": 3.0, "h0": 0.003, "h1": 1.2,
}  # fmt: skip
BETWEEN = {"cl": 0.3, "v1": 0.25, "e0": 0.25, "ic50": 0.5}
CORRELATED = 0.5
"""Correlation of the random effects on clearance and central volume."""

ERROR = {"concentration_proportional": 0.15, "effect_additive": 1.5}
PRIORS = {  # medians off the truth, SDs of the log (imax: of the logit)
    "ka": (0.4, 0.5), "cl": (0.3, 0.5), "v1": (3.0, 0.5), "q": (0.5, 0.5), "v2": (2.5, 0.5),
    "e0": (22.0, 0.5), "kout": (0.1, 0.5), "imax": (0.65, 1.0), "ic50": (2.0, 1.0),
    "h0": (0.002, 0.7), "h1": (1.0, 0.5),
}  # fmt: skip
SAMPLER = IndividualSampler(chains=2, tune=400, draws=500, target_accept=0.85)


def _hazard(score, p):
    return p["h0"] * jnp.exp(p["h1"] * jnp.log(jnp.maximum(score, 1e-3) / MIDDLE))


LEAVING = Model(
    name="leaving",
    title="Leaving a trial, the sooner the worse the score",
    summary="H' = h0 (score / 20)^h1.",
    kind="pd",
    states=("cumulative_hazard",),
    inputs=("effect",),
    rates=lambda t, x, p, u: {"cumulative_hazard": _hazard(u["effect"], p)},
    initial=lambda p: {"cumulative_hazard": 0.0 * p["h0"]},
    outputs=lambda x, p: {
        "hazard": _hazard(x["effect"], p), "cumulative": x["cumulative_hazard"],
    },
    units={"time": "day", "effect": "1", "cumulative_hazard": "1", "hazard": "1/day",
           "cumulative": "1"},
    parameters=(
        Parameter("h0", 0.002, "1/day", "hazard at a score of 20", reason="ours, for this test"),
        Parameter("h1", 1.0, "1", "power of the score in the hazard", reason="ours, for this test"),
    ),
)  # fmt: skip


def model() -> Model:
    """From dose to dropout."""
    return compose(compose(load("pk_2cmt_oral"), load("pd_indirect_1")), LEAVING)


def true_values() -> dict[str, float]:
    """Every population number of the fit, by name."""
    spread = {f"{name}_between": sd for name, sd in BETWEEN.items()}
    return TRUTH | spread | {"cl_v1_partial": CORRELATED} | ERROR


def settings() -> IndividualSettings:
    """The fit: everything free that was simulated."""
    return IndividualSettings(
        name="recovery",
        title="A simulated trial",
        model="recovery",
        data="simulated",
        observations=(
            Observation(output="concentration", dvid="pk", priors={"proportional": 0.3}),
            Observation(output="effect", dvid="score", error="additive", priors={"additive": 3.0}),
            Observation(output="hazard", name="dropout", cumulative="cumulative", dvid="dropout",
                        outcome="event"),
        ),
        parameters={
            name: Choice(median=median, sd=sd, between=0.5 if name in BETWEEN else 0.0)
            for name, (median, sd) in PRIORS.items()
        },
        blocks=(Block(parameters=("cl", "v1")),),
        engine=Engine(tolerance=1e-3),
        sampler=SAMPLER.model_copy(update={"seed": SEED}),
    )  # fmt: skip


def people(count: int, random: np.random.Generator) -> pd.DataFrame:
    """Each patient's dose and own parameters."""
    score = random.normal(size=(len(BETWEEN), count))
    luck = dict(zip(BETWEEN, score, strict=True))
    luck["v1"] = CORRELATED * luck["cl"] + np.sqrt(1 - CORRELATED**2) * luck["v1"]
    own = {n: v * np.exp(BETWEEN[n] * luck[n]) if n in BETWEEN else np.full(count, v)
           for n, v in TRUTH.items()}  # fmt: skip
    return pd.DataFrame({"ID": np.arange(1, count + 1), "DOSE": np.resize(ARMS, count), **own})


def courses(who: pd.DataFrame) -> pd.DataFrame:
    """The model every other day, by adaptive steps."""
    days = np.arange(0.0, VISITS[-1] + GRID, GRID)
    rows = [
        {"ID": ID, "TIME": day, "EVID": evid, "AMT": dose if evid == 1 else 0.0}
        for ID, dose in zip(who["ID"], who["DOSE"], strict=True)
        for day in days
        for evid in ((2, 1) if day in DOSED else (2,))
    ]
    return pkpd.simulate(model(), pd.DataFrame(rows), parameters=who[["ID", *TRUTH]])


def seen(dose: float, course: pd.DataFrame, random: np.random.Generator) -> list[dict]:
    """The records of one patient until leaving, or the last visit."""
    day, hazard = course["TIME"].to_numpy(), course["cumulative"].to_numpy()
    leaves = np.interp(random.exponential(), hazard, day, right=np.inf)
    level = course["concentration"].to_numpy() * (
        1 + ERROR["concentration_proportional"] * random.normal(size=day.size)
    )
    score = course["effect"].to_numpy() + ERROR["effect_additive"] * random.normal(size=day.size)
    end = min(leaves, VISITS[-1])
    rows = [{"TIME": t, "EVID": 1, "AMT": dose, "order": 2} for t in DOSED if t < end]
    for k in np.flatnonzero(np.isin(day, VISITS) & (day < leaves)):
        low = level[k] < LLOQ
        value = {"DV": LLOQ if low else level[k], "CENS": int(low)}
        rows.append({"TIME": day[k], "DVID": "pk", **value, "order": 0})
        rows.append({"TIME": day[k], "DVID": "score", "DV": score[k], "order": 1})
    rows.append({"TIME": end, "DVID": "dropout", "DV": float(leaves < VISITS[-1]), "order": 3})
    return sorted(rows, key=lambda row: (row["TIME"], row["order"]))


def trial(count: int, seed: int) -> pd.DataFrame:
    """Event records of the whole trial."""
    random = np.random.default_rng(seed)
    who = people(count, random)
    course = dict(list(courses(who).groupby("ID")))
    table = pd.DataFrame(
        [
            {"ID": ID, "EVID": 0, "AMT": 0.0, **row}
            for ID, dose in zip(who["ID"], who["DOSE"], strict=True)
            for row in seen(dose, course[ID], random)
        ]
    ).drop(columns="order")
    return table.assign(CENS=table["CENS"].fillna(0).astype(int), DVID=table["DVID"].fillna(""))


def recovered(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float], dict[str, float]]:
    """Truth beside posterior for every population number, how the chains fared, and seconds."""
    likelihood = individual_likelihood(settings(), model(), read_events(table).table)
    with tempfile.TemporaryDirectory() as folder:
        found = draw(likelihood, Checkpoint(Path(folder), "trial"), lambda stage, share: None)
    truth = true_values()
    names = [v.name for v in likelihood.space.variables if v.dim is None]
    assert sorted(names) == sorted(truth)
    draws = sbc.flat_draws(found.tree, names)
    rows = []
    for name in names:
        low, least, middle, most, high = np.quantile(draws[name], [0.005, 0.05, 0.5, 0.95, 0.995])
        rows.append(
            {"parameter": name, "truth": truth[name], "median": middle, "lower_90": least,
             "upper_90": most, "lower_99": low, "upper_99": high,
             "inside_90": least <= truth[name] <= most, "inside_99": low <= truth[name] <= high}
        )  # fmt: skip
    return pd.DataFrame(rows), sbc.health(found.tree, names), found.seconds


def facts(table: pd.DataFrame) -> str:
    """What the trial looks like."""
    levels, left = table[table["DVID"] == "pk"], table[table["DVID"] == "dropout"]
    return (
        f"{table['ID'].nunique()} patients, {(table['EVID'] == 0).sum()} observations; "
        f"{levels['CENS'].mean():.1%} of concentrations below the limit; "
        f"{left['DV'].mean():.1%} left early"
    )


def main() -> None:
    """Simulate, fit, compare."""
    parser = argparse.ArgumentParser(description="Recovery of simulated truth")
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--out", type=Path, default=sbc.DOCS / "calibration-recovery.csv")
    chosen = parser.parse_args()
    table = trial(chosen.patients, SEED)
    print(facts(table), flush=True)
    found, health, seconds = recovered(table)
    found.to_csv(chosen.out, index=False, float_format="%.4g", lineterminator="\n")
    count, inside = len(found), int(found["inside_90"].sum())
    print(found.to_string(index=False))
    at_most = binom.cdf(inside, count, 0.9)
    print(f"inside 90 %: {inside} of {count}, P(at most so many) {at_most:.2f}")
    print(f"inside 99 %: {int(found['inside_99'].sum())}")
    print(health, {name: round(value) for name, value in seconds.items()})


if __name__ == "__main__":
    main()
