"""Amlitelimab (anti-OX40L): population pharmacokinetics of Tiraboschi 2025."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import expit, logit

from pkpd.model import Claim, Correlation, Covariate, Model, Named, Parameter, Source
from pkpd.variation.spread import Cv, Variance

_PAPER = "Tiraboschi 2025, CPT Pharmacometrics Syst Pharmacol 14(12), doi:10.1002/psp4.70121"
_S2 = Source(_PAPER, "Table S2")
_TEXT = Source(_PAPER, "half-life, as told in this project's collection of facts")


def individual(p: Named, covariates: Named) -> dict[str, Any]:
    """Weight acts on clearance and volumes, EASI adds clearance, albumin moves bioavailability.

    f = expit(logit(p.f + p.alb_on_f (ALB / 47 - 1)) + p.f_shift)
    """
    weight = covariates["wt"] / 75
    typical = p["f"] + p["alb_on_f"] * (covariates["alb"] / 47 - 1)
    return {
        "cl": p["cl"] * weight ** p["wt_on_cl"] + p["easi_on_cl"] * covariates["easi"],
        "v1": p["v1"] * weight ** p["wt_on_v1"],
        "q": p["q"],
        "v2": p["v2"] * weight ** p["wt_on_v2"],
        "vmax": p["vmax"],
        "km": p["km"],
        "ka": p["ka"],
        "f": expit(logit(jnp.clip(typical, 0.001, 0.999)) + p["f_shift"]),
        "lag": p["lag"],
    }


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day."""
    concentration = x["central"] / p["v1"]
    absorbed = p["ka"] * x["depot"]
    exchanged = p["q"] * (concentration - x["peripheral"] / p["v2"])
    saturable = p["vmax"] * concentration / (p["km"] + concentration)
    return {
        "depot": -absorbed,
        "central": absorbed - exchanged - p["cl"] * concentration - saturable,
        "peripheral": exchanged,
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Serum concentration."""
    return {"concentration": x["central"] / p["v1"]}


def _half_life(simulate: Any) -> tuple[float, float]:
    """Half-life between 20 and 40 mg/L after the last dose, typical patient with EASI 30."""
    days = [float(day) for day in range(168, 260)]
    events = {
        "ID": 1,
        "TIME": [0.0, *days],
        "AMT": [250, *[None] * len(days)],
        "EVID": [1, *[0] * len(days)],
        "CMT": "depot",
        "ADDL": [5, *[None] * len(days)],
        "II": [28, *[None] * len(days)],
        "EASI": 30,
    }
    levels = simulate(model, events)["concentration"].to_numpy()
    slope = math.log(levels[20] / levels[60]) / 40
    return math.log(2) / slope, 28.0


model = Model(
    name="amlitelimab_tiraboschi_2025",
    title="Amlitelimab, anti-OX40L antibody (Tiraboschi 2025)",
    summary=(
        "Two compartments, first-order subcutaneous absorption after a lag, linear and saturable "
        "elimination; 439 subjects, five studies."
    ),
    drug="amlitelimab",
    states=("depot", "central", "peripheral"),
    rates=rates,
    outputs=outputs,
    individual=individual,
    doses_into=("depot", "central"),
    dosing={"f_depot": "f", "lag_depot": "lag"},
    units={
        "time": "day",
        "depot": "mg",
        "central": "mg",
        "peripheral": "mg",
        "concentration": "mg/L",
    },
    parameters=(
        Parameter(
            "cl", 0.115, "L/day", "linear clearance at EASI 0", _S2, between=Variance(0.0482)
        ),
        Parameter(
            "easi_on_cl",
            0.00111,
            "L/day",
            "clearance added per point of baseline EASI",
            _S2,
            "identity",
        ),
        Parameter("v1", 3.46, "L", "central volume", _S2, between=Variance(0.0491)),
        Parameter("q", 0.569, "L/day", "exchange between compartments", _S2),
        Parameter("v2", 2.48, "L", "peripheral volume", _S2, between=Variance(0.0693)),
        Parameter("vmax", 0.0362, "mg/day", "saturable elimination, capacity", _S2),
        Parameter("km", 0.0783, "mg/L", "concentration of half capacity", _S2),
        Parameter("ka", 0.233, "1/day", "absorption", _S2, between=Variance(0.135)),
        Parameter("lag", 0.0351, "day", "delay before absorption", _S2, between=Variance(0.151)),
        Parameter("f", 0.888, "1", "subcutaneous bioavailability at albumin 47 g/L", _S2, "logit"),
        Parameter(
            "f_shift",
            0.0,
            "1",
            "the subject's shift of bioavailability on its logit",
            _S2,
            "identity",
            between=Variance(1.18),
        ),
        Parameter("alb_on_f", 0.598, "1", "change of f per unit of ALB/47 - 1", _S2, "identity"),
        Parameter("wt_on_cl", 1.20, "1", "exponent of WT/75 on cl", _S2, "identity"),
        Parameter("wt_on_v1", 0.901, "1", "exponent of WT/75 on v1", _S2, "identity"),
        Parameter("wt_on_v2", 0.350, "1", "exponent of WT/75 on v2", _S2, "identity"),
    ),
    correlations=(Correlation("v1", "cl", 0.0240 / math.sqrt(0.0491 * 0.0482), _S2),),
    covariates=(
        Covariate("wt", "kg", 75.0, "body weight at baseline"),
        Covariate("alb", "g/L", 47.0, "serum albumin at baseline"),
        Covariate("easi", "1", 0.0, "EASI at baseline; 0 in a healthy volunteer"),
    ),
    residual=Cv(0.1575),
    claims=(Claim("half-life about 28 days (24-43)", _half_life, 0.15, _TEXT),),
    assumptions=(
        "Table S2 prints vmax in ug/day; read as mg/day, the reading under which saturable "
        "elimination matters at the concentrations the paper says it does.",
        "Weight scales the linear clearance only, not the part added by EASI.",
        "The typical bioavailability at the subject's albumin is held within 0.001 to 0.999: "
        "the published line passes 1 near albumin 56 g/L.",
        "Spread of body weight, albumin and EASI is not part of the model: give each subject's "
        "own.",
        "The paper's EASI model is left out: its values were not found.",
    ),
)
