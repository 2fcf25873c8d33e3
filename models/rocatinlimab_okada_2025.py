"""Rocatinlimab (anti-OX40): population pharmacokinetics of Okada 2025."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.model import Claim, Covariate, Model, Named, Parameter, Source
from pkpd.variation.spread import Cv, Variance

_PAPER = "Okada 2025, CPT Pharmacometrics Syst Pharmacol 14(10):1587-1597, doi:10.1002/psp4.70069"
_S3 = Source(_PAPER, "Supplement Table S3")
_FOOT = Source(_PAPER, "Supplement Table S3, footnote")
_TABLE_4 = Source(_PAPER, "Table 4, medians, 80 kg")


def individual(p: Named, covariates: Named) -> dict[str, Any]:
    """Weight, albumin and disease act on clearance, central volume and saturable elimination."""
    weight = covariates["wt"] / 70
    albumin = covariates["alb"] / 44
    psoriasis = 1 + p["psoriasis_on_cl"] * covariates["psoriasis"]
    healthy = 1 + p["healthy_on_vmax"] * covariates["healthy"]
    return {
        "cl": p["cl"] * weight ** p["wt_on_cl"] * albumin ** p["alb_on_cl"] * psoriasis,
        "v1": p["v1"] * weight ** p["wt_on_v1"],
        "q": p["q"],
        "v2": p["v2"],
        "vmax": p["vmax"] * weight ** p["wt_on_vmax"] * healthy,
        "km": p["km"],
        "kdes": p["kdes"],
        "ka": p["ka"],
        "f": p["f"],
    }


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day; the capacity of the saturable path decays with `t`, from the first dose."""
    concentration = x["central"] / p["v1"]
    capacity = p["vmax"] * jnp.exp(-p["kdes"] * t)
    absorbed = p["ka"] * x["depot"]
    exchanged = p["q"] * (concentration - x["peripheral"] / p["v2"])
    saturable = capacity * concentration / (p["km"] + concentration)
    return {
        "depot": -absorbed,
        "central": absorbed - exchanged - p["cl"] * concentration - saturable,
        "peripheral": exchanged,
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Serum concentration."""
    return {"concentration": x["central"] / p["v1"]}


# Steady state under repeated subcutaneous doses: (mg, days between): (average, highest, lowest).
_STEADY = {
    (150, 14): (33.49, 38.64, 26.90),
    (150, 28): (16.79, 24.07, 10.05),
    (300, 14): (72.33, 81.80, 59.02),
    (300, 28): (34.26, 46.76, 20.95),
    (600, 14): (144.38, 164.66, 117.91),
    (600, 28): (68.16, 94.25, 41.51),
}


def _last_cycle(simulate: Any, dose: float, interval: int) -> Any:
    """Concentrations of a typical 80-kg patient, albumin 44 g/L, over the cycle to day 252."""
    start = 252 - interval
    cycle = [start + interval * i / 112 for i in range(113)]
    events = {
        "ID": 1,
        "TIME": [0.0, *cycle],
        "AMT": [dose, *[None] * 113],
        "EVID": [1, *[0] * 113],
        "CMT": "depot",
        "ADDL": [252 // interval - 1, *[None] * 113],
        "II": [interval, *[None] * 113],
        "WT": 80,
        "ALB": 44,
    }
    return simulate(model, events)["concentration"].to_numpy()


def _average(levels: Any) -> float:
    """Mean over a cycle of evenly spaced levels, by trapezia."""
    return (sum(levels) - (levels[0] + levels[-1]) / 2) / (len(levels) - 1)


def _claims() -> tuple[Claim, ...]:
    measures = (("average", _average), ("highest", max), ("lowest", min))

    def claim(regimen: tuple[int, int], place: int) -> Claim:
        dose, interval = regimen
        name, measure = measures[place]
        return Claim(
            f"{name} steady-state concentration, {dose} mg every {interval} days (mg/L)",
            lambda simulate: (
                float(measure(_last_cycle(simulate, dose, interval))),
                _STEADY[regimen][place],
            ),
            0.12,
            _TABLE_4,
        )

    return tuple(claim(regimen, place) for regimen in _STEADY for place in range(3))


model = Model(
    name="rocatinlimab_okada_2025",
    title="Rocatinlimab, anti-OX40 antibody (Okada 2025)",
    summary=(
        "Two compartments, first-order subcutaneous absorption, linear and time-decaying "
        "saturable elimination; 413 subjects, five studies."
    ),
    drug="rocatinlimab",
    states=("depot", "central", "peripheral"),
    rates=rates,
    outputs=outputs,
    individual=individual,
    doses_into=("depot", "central"),
    dosing={"f_depot": "f"},
    units={
        "time": "day",
        "depot": "mg",
        "central": "mg",
        "peripheral": "mg",
        "concentration": "mg/L",
    },
    parameters=(
        Parameter("cl", 0.230, "L/day", "linear clearance", _S3, between=Variance(0.04600)),
        Parameter("v1", 3.30, "L", "central volume", _S3, between=Variance(0.02949)),
        Parameter("q", 0.775, "L/day", "exchange between compartments", _S3),
        Parameter("v2", 2.82, "L", "peripheral volume", _S3, between=Variance(0.08075)),
        Parameter(
            "vmax",
            0.968,
            "mg/day",
            "saturable elimination, capacity at the first dose",
            _S3,
            between=Variance(0.50151),
        ),
        Parameter("km", 0.289, "mg/L", "concentration of half capacity", _S3),
        Parameter(
            "kdes",
            0.00439,
            "1/day",
            "decay of the capacity since the first dose",
            _S3,
            between=Variance(0.13356),
        ),
        Parameter("ka", 0.312, "1/day", "absorption", _S3, between=Variance(0.16319)),
        Parameter("f", 0.855, "1", "subcutaneous bioavailability", _S3, "logit"),
        Parameter("wt_on_cl", 0.923, "1", "exponent of WT/70 on cl", _FOOT, "identity"),
        Parameter("wt_on_v1", 0.828, "1", "exponent of WT/70 on v1", _FOOT, "identity"),
        Parameter("wt_on_vmax", 0.494, "1", "exponent of WT/70 on vmax", _FOOT, "identity"),
        Parameter("alb_on_cl", -1.30, "1", "exponent of ALB/44 on cl", _FOOT, "identity"),
        Parameter(
            "psoriasis_on_cl",
            -0.372,
            "1",
            "relative change of cl in plaque psoriasis",
            _FOOT,
            "identity",
        ),
        Parameter(
            "healthy_on_vmax",
            -0.532,
            "1",
            "relative change of vmax in the healthy",
            _FOOT,
            "identity",
        ),
    ),
    covariates=(
        Covariate("wt", "kg", 70.0, "body weight at baseline"),
        Covariate("alb", "g/L", 44.0, "serum albumin at baseline"),
        Covariate("psoriasis", "1", 0.0, "1 in plaque psoriasis, else 0"),
        Covariate("healthy", "1", 0.0, "1 in a healthy volunteer, else 0"),
    ),
    residual=Cv(0.164),
    assumptions=(
        "Time zero of the decaying capacity is the subject's first dose record.",
        "The residual is that of patients (16.4 % CV); healthy volunteers had 9.3 %.",
        "Occasion variances of cl (17.3 % CV) and v1 (23.5 % CV), stated for the ulcerative "
        "colitis study only, are left out.",
        "The published steady state is compared with the cycle that ends on day 252 (week 36) of "
        "a typical run; published medians are of a simulated population.",
        "Spread of body weight and albumin is not part of the model: give each subject's own.",
        "The paper's Markov model of EASI is left out: its baseline transition rates were not "
        "found.",
    ),
    claims=_claims(),
    warning=(
        "Development of rocatinlimab stopped in March 2026 on safety grounds (Kaposi sarcoma "
        "signal). Results serve the class, not the use of this drug."
    ),
)
