"""T-cell rebalancing: antibody -> occupancy -> effector, memory, regulatory cells -> lesions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.mechanism.power import power
from pkpd.model import Model, Named, Parameter, Source, net
from pkpd.variation.prior import LogitNormal, LogNormal

_OURS = "this package, models/tcell_rebalancing.py"
_HALF_LIFE = Source(
    _OURS,
    "recalled half-lives, held as the prior's central 95 %: effector cells 3.5 d to 2 weeks, "
    "memory 15 to 60 d, memory Treg 8 to 60 d",
)
_WEAK = Source(_OURS, "wide prior of ours: human OX40+ T-cell time courses are not public")


def turnover(t: Any, x: Named, p: Named, u: Named) -> dict[str, tuple[Any, Any]]:
    """Production and loss per day; states relative to the untreated steady state, 1 at time 0."""
    occupancy = u["concentration"] / (u["concentration"] + p["ec50"])
    drive = power(x["effector"] / x["regulatory"], p["gamma"])
    return {
        "effector": (
            p["ke"] * x["memory"] * (1 - p["imax"] * occupancy),
            p["ke"] + p["kdep"] * occupancy,
        ),
        "memory": (p["kmem"] * (1 - p["phi"] + p["phi"] * x["effector"]), p["kmem"]),
        "regulatory": (p["kr"] * (1 + p["gr"] * occupancy), p["kr"]),
        "inflammation": (p["ks"] * drive, p["ks"]),
        "lesions": (p["ks"] * x["inflammation"], p["ks"]),
    }


def initial(p: Named) -> dict[str, Any]:
    """The untreated steady state."""
    return dict.fromkeys(model.states, 1.0)


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """EASI relative to the patient's own baseline; `t` enters through the placebo response."""
    placebo = p["placebo"] * (1 - jnp.exp(-p["kp"] * x["t"]))
    return {"easi_ratio": x["lesions"] * jnp.exp(-placebo)}


model = Model(
    name="tcell_rebalancing",
    title="T-cell rebalancing under an anti-OX40 or anti-OX40L antibody",
    summary=(
        "Occupancy starves (imax) and depletes (kdep) effector cells and raises regulatory ones; "
        "memory is partly kept up by effector cells (phi), which sets how long remission lasts: "
        "after wash-out the slow rate is about kmem (1 - phi)."
    ),
    kind="pd",
    states=("effector", "memory", "regulatory", "inflammation", "lesions"),
    inputs=("concentration",),
    rates=net(turnover),
    turnover=turnover,
    initial=initial,
    outputs=outputs,
    units={"concentration": "mg/L", "easi_ratio": "1", "time": "day"},
    parameters=(
        Parameter(
            "ec50",
            2.0,
            "mg/L",
            "concentration of half occupancy",
            _WEAK,
            per="drug",
            prior=LogNormal(2.0, 1.0),
            between=LogNormal(0.5, 0.4),
        ),
        Parameter(
            "imax",
            0.8,
            "1",
            "largest share of effector supply blocked",
            _WEAK,
            "logit",
            per="drug",
            prior=LogitNormal(0.8, 1.0),
        ),
        Parameter(
            "kdep",
            0.05,
            "1/day",
            "depletion of effector cells at full occupancy",
            _WEAK,
            per="drug",
            only=("rocatinlimab",),
            prior=LogNormal(0.05, 0.8),
        ),
        Parameter(
            "gr",
            0.5,
            "1",
            "rise of regulatory cells at full occupancy",
            _WEAK,
            per="drug",
            prior=LogNormal(0.5, 0.7),
        ),
        Parameter(
            "ke", 0.1, "1/day", "turnover of effector cells", _HALF_LIFE, prior=LogNormal(0.1, 0.35)
        ),
        Parameter(
            "kmem",
            0.023,
            "1/day",
            "turnover of memory cells",
            _HALF_LIFE,
            prior=LogNormal(0.023, 0.35),
        ),
        Parameter(
            "phi",
            0.5,
            "1",
            "share of the memory pool that effector cells maintain",
            _WEAK,
            "logit",
            prior=LogitNormal(0.5, 1.0),
        ),
        Parameter(
            "kr",
            0.0316,
            "1/day",
            "turnover of regulatory cells",
            _HALF_LIFE,
            prior=LogNormal(0.0316, 0.51),
        ),
        Parameter(
            "gamma",
            1.0,
            "1",
            "steepness from effector/regulatory ratio to lesions",
            _WEAK,
            prior=LogNormal(1.0, 0.7),
            between=LogNormal(0.7, 0.4),
            between_trials=LogNormal(0.2, 0.5),
        ),
        Parameter(
            "ks",
            0.06,
            "1/day",
            "turnover of inflammation and of lesions, each",
            Source(
                "Miyano 2022, doi:10.1111/all.14870",
                "skin barrier 0.202 /week; doubled for two stages in series",
            ),
            prior=LogNormal(0.06, 0.5),
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
    assumptions=(
        "The placebo response multiplies EASI itself by exp(-placebo_i (1 - exp(-kp t))), "
        "placebo_i log-normal: most patients hardly move, a few clear, nobody is driven worse.",
        "A second lesion stage (inflammation) stands for the delay that a one-stage model missed "
        "before week 8.",
    ),
)
