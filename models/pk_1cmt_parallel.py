"""One compartment, first-order absorption from two depots, linear elimination."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def individual(p: Named, covariates: Named) -> dict[str, Any]:
    """The share of the second depot is what the first leaves: fr2 = 1 - fr."""
    return {"ka": p["ka"], "ka2": p["ka2"], "cl": p["cl"], "v": p["v"],
            "fr": p["fr"], "fr2": 1 - p["fr"]}  # fmt: skip


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day."""
    absorbed, absorbed2 = p["ka"] * x["depot"], p["ka2"] * x["depot2"]
    return {
        "depot": -absorbed,
        "depot2": -absorbed2,
        "central": absorbed + absorbed2 - p["cl"] / p["v"] * x["central"],
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v"]}


model = Model(
    name="pk_1cmt_parallel",
    title="One compartment, first-order absorption from two depots in parallel",
    summary=(
        "A share fr of the dose is absorbed with rate ka, the rest with ka2, later if lag_depot2 "
        "is set. Linear; solved in closed form."
    ),
    states=("depot", "depot2", "central"),
    rates=rates,
    outputs=outputs,
    individual=individual,
    doses_into=("depot", "depot2", "central"),
    dosing={"f_depot": "fr", "f_depot2": "fr2"},
    linear=True,
    units={"time": "day", "depot": "mg", "depot2": "mg", "central": "mg", "concentration": "mg/L"},
    parameters=(
        Parameter("fr", 0.6, "1", "share of the dose by depot", scale="logit", reason=_REASON),
        Parameter("ka", 2.0, "1/day", "absorption from depot", reason=_REASON),
        Parameter("ka2", 0.2, "1/day", "absorption from depot2", reason=_REASON),
        Parameter("cl", 1.0, "L/day", "clearance", reason=_REASON),
        Parameter("v", 10.0, "L", "volume", reason=_REASON),
    ),
    assumptions=(
        "Each dose is recorded twice, whole, once into depot and once into depot2: f_depot is fr "
        "and f_depot2 is 1 - fr, unless the two are given themselves.",
        "Zero-order beside first-order absorption needs no model of its own: record the dose "
        "into depot, and again into central with RATE -2 and dur_central, with f_depot and "
        "f_central.",
    ),
)
