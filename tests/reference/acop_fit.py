"""ACOP 2016, Michaelis-Menten elimination: 120 simulated subjects whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
from published import SHORT, Reference, events, shared, within

from pkpd.individual.build import individual_likelihood
from pkpd.individual.problem import IndividualLikelihood
from pkpd.library import load
from pkpd.settings_individual import Choice, IndividualSettings, Observation

SOURCE = "NONMEM, FOCEI, all doses (nlmixr2test 2c1809a)"
TRUE = {"vmax": "VM", "km": "KM", "v1": "V", "q": "Q", "v2": "V2"}


def table() -> pd.DataFrame:
    """All records: a first dose, 72 hours later seven daily ones, as the published fit had them."""
    return shared("acop_infusion_2cptmm")


def records() -> pd.DataFrame:
    """Event records; h, amounts and concentrations in the data's own unit."""
    seen = table()
    chosen = seen[["ID", "TIME", "AMT", "RATE", "MDV", "EVID"]]
    return chosen.assign(DV=seen["DV"].where(seen["EVID"] == 0))


def truth() -> pd.DataFrame:
    """Each subject's own parameters, by our names."""
    first = table().drop_duplicates("ID").set_index("ID")
    return first[list(TRUE.values())].set_axis(list(TRUE), axis=1)


def likelihood() -> IndividualLikelihood:
    """All five parameters vary, proportional error.

    Doses of 10,000 to 120,000 give some 100 to 2,000 at the end of an infusion: a volume of the
    order of 50; elimination within days: capacity of some 1,000 an hour, half of it at a level in
    the middle of those seen, 300. Exchange 5, second volume 50. Factors of 4 at two SDs.
    """
    choice = {"vmax": 1000.0, "km": 300.0, "v1": 50.0, "q": 5.0, "v2": 50.0}
    settings = IndividualSettings(
        name="acop",
        title="Michaelis-Menten elimination, simulated",
        model="pk_2cmt_mm",
        data="acop",
        observations=(Observation(output="concentration", priors={"proportional": 0.5}),),
        parameters={n: Choice(median=v, sd=0.7, between=0.5) for n, v in choice.items()},
        sampler=SHORT,
    )
    return individual_likelihood(settings, load("pk_2cmt_mm"), events(records()))


REFERENCE = Reference(
    "acop",
    "120 subjects, 6,960 concentrations, 960 infusions (shared, acop_infusion_2cptmm)",
    "pk_2cmt_mm, all five parameters vary, proportional error",
    likelihood,
    (
        within(0.10, "vmax", float(np.exp(6.92206)), SOURCE),
        within(0.15, "km", float(np.exp(5.47377)), SOURCE),
        within(0.10, "v1", float(np.exp(4.25899)), SOURCE),
        within(0.15, "q", float(np.exp(1.34928)), SOURCE),
        within(0.15, "v2", float(np.exp(3.90456)), SOURCE),
        within(0.25, "vmax_between", 0.103928**0.5, SOURCE),
        within(0.25, "v1_between", 0.0883353**0.5, SOURCE),
        within(0.05, "concentration_proportional", 0.200128, SOURCE),
    ),
)
