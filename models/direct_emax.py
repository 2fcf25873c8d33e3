"""Direct effect: antibody -> effect site -> lesions, with no T-cell memory. The straw man."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.model import Model, Named, Parameter, Source, net
from pkpd.variation.prior import LogitNormal, LogNormal

_OURS = "this package, models/direct_emax.py"
_WEAK = Source(_OURS, "wide prior of ours")


def turnover(t: Any, x: Named, p: Named, u: Named) -> dict[str, tuple[Any, Any]]:
    """The effect site follows the concentration with rate ke0 (per day)."""
    return {"site": (p["ke0"] * u["concentration"], p["ke0"])}


def initial(p: Named) -> dict[str, Any]:
    """No antibody at the effect site."""
    return {"site": 0.0}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """EASI relative to the patient's own baseline; `t` enters through the placebo response."""
    occupancy = x["site"] / (x["site"] + p["ec50"])
    placebo = p["placebo"] * (1 - jnp.exp(-p["kp"] * x["t"]))
    return {"easi_ratio": jnp.exp(p["gamma"] * jnp.log1p(-p["imax"] * occupancy) - placebo)}


model = Model(
    name="direct_emax",
    title="Direct Emax effect of an effect-site concentration, no T-cell memory",
    summary="Efficacy follows the effect site: when the antibody has gone, so has the effect.",
    kind="pd",
    states=("site",),
    inputs=("concentration",),
    rates=net(turnover),
    turnover=turnover,
    initial=initial,
    outputs=outputs,
    units={"concentration": "mg/L", "site": "mg/L", "easi_ratio": "1", "time": "day"},
    parameters=(
        Parameter(
            "ec50",
            10.0,
            "mg/L",
            "effect-site concentration of half effect",
            _WEAK,
            per="drug",
            prior=LogNormal(10.0, 1.5),
            between=LogNormal(0.5, 0.4),
        ),
        Parameter(
            "imax",
            0.8,
            "1",
            "largest share of the lesion drive blocked",
            _WEAK,
            "logit",
            per="drug",
            prior=LogitNormal(0.8, 1.0),
        ),
        Parameter(
            "ke0",
            0.1,
            "1/day",
            "equilibration of the effect site (skin) with serum",
            Source(_OURS, "antibody reaches skin within days to weeks; ours"),
            prior=LogNormal(0.1, 0.7),
            per="drug",
        ),
        Parameter(
            "gamma",
            1.0,
            "1",
            "steepness from the blocked drive to lesions",
            _WEAK,
            prior=LogNormal(1.0, 0.35),
            between=LogNormal(0.7, 0.4),
            between_trials=LogNormal(0.2, 0.5),
        ),
        Parameter(
            "placebo",
            0.3,
            "1",
            "fall of log EASI drive on placebo in the long run",
            Source(_OURS, "observed-case change on placebo about -30 %"),
            prior=LogNormal(0.3, 0.7),
            between=LogNormal(1.0, 0.4),
            between_trials=LogNormal(0.2, 0.5),
        ),
        Parameter(
            "kp",
            0.0416,
            "1/day",
            "rate of the placebo response",
            Source(
                "Serrano 2026, doi:10.1002/psp4.70150",
                "0.291 /week, between-trial variance 0.138 on its log",
            ),
            prior=LogNormal(0.0416, 0.5),
            between_trials=LogNormal(0.37, 0.15),
        ),
    ),
    assumptions=("No state outlives the antibody at the effect site.",),
)
