"""Indirect response: antibody -> making of lesions, which turn over at a rate of their own."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.model import Model, Named, Parameter, Source, net
from pkpd.variation.prior import LogitNormal, LogNormal

_OURS = "this package, models/indirect_response.py"
_WEAK = Source(_OURS, "wide prior of ours")


def turnover(t: Any, x: Named, p: Named, u: Named) -> dict[str, tuple[Any, Any]]:
    """Lesions per day, made and lost; the antibody lessens what is made (Dayneka 1993, model I)."""
    occupancy = u["concentration"] / (u["concentration"] + p["ec50"])
    made = jnp.exp(p["gamma"] * jnp.log1p(-p["imax"] * occupancy))
    return {"lesions": (p["ks"] * made, p["ks"])}


def initial(p: Named) -> dict[str, Any]:
    """The untreated steady state."""
    return {"lesions": 1.0}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """EASI relative to the patient's own baseline; `t` enters through the placebo response."""
    placebo = p["placebo"] * (1 - jnp.exp(-p["kp"] * x["t"]))
    return {"easi_ratio": x["lesions"] * jnp.exp(-placebo)}


model = Model(
    name="indirect_response",
    title="Indirect response of lesions to the antibody's concentration, no T-cell memory",
    summary=(
        "The antibody lessens the making of lesions, which are lost at rate ks: "
        "after wash-out they come back within some 1 / ks, whatever went before."
    ),
    kind="pd",
    states=("lesions",),
    inputs=("concentration",),
    rates=net(turnover),
    turnover=turnover,
    initial=initial,
    outputs=outputs,
    units={"concentration": "mg/L", "easi_ratio": "1", "time": "day"},
    parameters=(
        Parameter(
            "ec50",
            10.0,
            "mg/L",
            "concentration of half effect",
            _WEAK,
            per="drug",
            prior=LogNormal(10.0, 1.5),
            between=LogNormal(0.5, 0.4),
        ),
        Parameter(
            "imax",
            0.8,
            "1",
            "largest share of the making of lesions blocked",
            _WEAK,
            "logit",
            per="drug",
            prior=LogitNormal(0.8, 1.0),
        ),
        Parameter(
            "gamma",
            1.0,
            "1",
            "steepness from what is left of the drive to lesions made",
            _WEAK,
            prior=LogNormal(1.0, 0.35),
            between=LogNormal(0.7, 0.4),
            between_trials=LogNormal(0.2, 0.5),
        ),
        Parameter(
            "ks",
            0.03,
            "1/day",
            "turnover of lesions",
            Source(
                "Miyano 2022, doi:10.1111/all.14870",
                "skin barrier 0.202 /week; one stage here",
            ),
            prior=LogNormal(0.03, 0.5),
            between=LogNormal(0.7, 0.4),
            between_trials=LogNormal(0.3, 0.4),
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
    assumptions=("No state remembers the antibody but the lesions themselves.",),
)
