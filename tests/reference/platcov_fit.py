"""Viral load under casirivimab/imdevimab or no drug, left-censored (PLATCOV; Jittamala 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from published import SHORT, Claim, Reference, events, shared

from pkpd.individual.build import individual_likelihood
from pkpd.individual.problem import IndividualLikelihood
from pkpd.library import load
from pkpd.model import Model, Parameter
from pkpd.settings_individual import (
    Block,
    Choice,
    CovariateEffect,
    IndividualSettings,
    Observation,
)

SOURCE = "Jittamala 2023, output of its repository at c55acef: 158 patients, 2,842 swabs"
DAYS = 7.0


def swabs() -> pd.DataFrame:
    """Swabs up to day 7 of patients with either treatment, at sites that gave both."""
    table = shared("platcov_casirivimab")
    chosen = table["Trt"].isin(["Regeneron", "No study drug"]) & (table["Time"] <= DAYS)
    return table[chosen & table["Site"].str.startswith("th")]


def records() -> pd.DataFrame:
    """Event records; days, log10 copies/mL. A record at randomisation starts the clock there."""
    seen = swabs()
    samples = pd.DataFrame(
        {
            "ID": seen["ID"],
            "TIME": seen["Time"],
            "DV": seen["log10_viral_load"].where(seen["censor"] == "none", seen["log10_cens_vl"]),
            "CENS": (seen["censor"] == "left").astype(int),
            "EVID": 0,
            "MAB": (seen["Trt"] == "Regeneron").astype(int),
            "RNASEP": seen["CT_RNaseP"] - seen["CT_RNaseP"].mean(),
        }
    )
    begin = samples.drop_duplicates("ID").assign(TIME=0.0, EVID=2, DV=None, CENS=0)
    made = pd.concat([begin, samples], ignore_index=True).assign(AMT=0.0)
    made = made.sort_values(["ID", "TIME"], kind="stable", ignore_index=True)
    numbers = events(made)
    return numbers.assign(CENS=pd.to_numeric(numbers["CENS"]))


def swabbed(plain: Model) -> Model:
    """Linear decline as a swab shows it: a load of `swab` - 1 more, by how much it picked up."""

    def outputs(x: Mapping[str, Any], p: Mapping[str, Any]) -> dict[str, Any]:
        return {"log10_load": x["log10_load"] + p["swab"] - 1.0}

    swab = Parameter("swab", 1.0, "1", "what a swab picks up", scale="identity", reason="1: none")
    return replace(plain, outputs=outputs, parameters=(*plain.parameters, swab))


def likelihood() -> IndividualLikelihood:
    """Own intercept and slope, correlated; Student's t; the drug multiplies the slope by exp(b).

    A load at symptom onset is some 10^6 copies/mL, a power of 10^2 either way; it clears in one to
    two weeks, 0.5 log10 a day within a factor of four. The drug's effect is as likely a harm.
    RNaseP counts the human cells of a swab: a cycle is about 0.3 log10 at most.
    """
    drug = CovariateEffect(name="mab", form="exponential", reference=0.0, mean=0.0, sd=0.5)
    cells = CovariateEffect(name="rnasep", form="linear", reference=0.0, mean=0.0, sd=0.3)
    settings = IndividualSettings(
        name="platcov",
        title="Viral clearance under casirivimab/imdevimab",
        model="pd_linear_decline",
        data="platcov",
        observations=(
            Observation(
                output="log10_load",
                error="additive",
                tails="student",
                blq="M3",
                priors={"additive": 1.0, "nu": 5.0},
            ),
        ),
        parameters={
            "intercept": Choice(median=6.0, sd=1.0, between=1.5),
            "slope": Choice(median=0.5, sd=0.7, between=0.7, covariates=(drug,)),
            "swab": Choice(fixed=1.0, covariates=(cells,)),
        },
        blocks=(Block(parameters=("intercept", "slope")),),
        sampler=SHORT,
    )
    return individual_likelihood(settings, swabbed(load("pd_linear_decline")), records())


def faster(draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """By how much the drug speeds clearance up, a share."""
    return np.exp(draws["slope_mab"]) - 1


def half_life(draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Hours in which the load of a typical patient without drug halves."""
    return 24 * np.log10(2) / draws["slope"]


REFERENCE = Reference(
    "platcov",
    "162 patients, 2,860 swabs, 11.7 % left-censored (shared, platcov_casirivimab)",
    "pd_linear_decline, intercept and slope correlated, Student's t, M3, RNaseP, drug on the slope",
    likelihood,
    (
        # Half the published 95 % interval's half-width (8 to 46 %): one standard error.
        Claim("clearance faster by", 0.25, 0.095, SOURCE, faster),
        # 13.6 to 21.0 h; the published figure is of a population mean, not stated of which arm.
        Claim("half-life without drug, h", 17.0, 1.9, SOURCE, half_life),
    ),
)
