"""Two compartments, first-order absorption, clearances and volumes by body weight."""

from __future__ import annotations

from typing import Any

from pkpd.model import Covariate, Model, Named, Parameter, Source

_REASON = "a round number that makes profiles easy to read; give your own"
_THEORY = Source(
    "Anderson and Holford 2008, Annu Rev Pharmacol Toxicol 48:303-332",
    "allometric exponents: 3/4 for clearances, 1 for volumes",
)


def individual(p: Named, covariates: Named) -> dict[str, Any]:
    """Weight acts on clearances, (WT/70)^wt_on_cl, and volumes, (WT/70)^wt_on_v."""
    weight = covariates["wt"] / 70
    flow, size = weight ** p["wt_on_cl"], weight ** p["wt_on_v"]
    return {
        "ka": p["ka"],
        "cl": p["cl"] * flow,
        "v1": p["v1"] * size,
        "q": p["q"] * flow,
        "v2": p["v2"] * size,
    }


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day."""
    concentration = x["central"] / p["v1"]
    absorbed = p["ka"] * x["depot"]
    exchanged = p["q"] * (concentration - x["peripheral"] / p["v2"])
    return {
        "depot": -absorbed,
        "central": absorbed - p["cl"] * concentration - exchanged,
        "peripheral": exchanged,
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v1"]}


model = Model(
    name="pk_2cmt_oral_allometric",
    title="Two compartments, first-order absorption, allometric in body weight",
    summary="cl and q by (WT/70)^0.75, v1 and v2 by WT/70. Linear; solved in closed form.",
    states=("depot", "central", "peripheral"),
    rates=rates,
    outputs=outputs,
    individual=individual,
    doses_into=("depot", "central", "peripheral"),
    linear=True,
    units={
        "time": "day",
        "depot": "mg",
        "central": "mg",
        "peripheral": "mg",
        "concentration": "mg/L",
    },
    parameters=(
        Parameter("ka", 1.0, "1/day", "absorption", reason=_REASON),
        Parameter("cl", 1.0, "L/day", "clearance at 70 kg", reason=_REASON),
        Parameter("v1", 10.0, "L", "central volume at 70 kg", reason=_REASON),
        Parameter("q", 1.0, "L/day", "exchange between compartments at 70 kg", reason=_REASON),
        Parameter("v2", 10.0, "L", "peripheral volume at 70 kg", reason=_REASON),
        Parameter("wt_on_cl", 0.75, "1", "exponent of WT/70 on cl and q", _THEORY, "identity"),
        Parameter("wt_on_v", 1.0, "1", "exponent of WT/70 on v1 and v2", _THEORY, "identity"),
    ),
    covariates=(Covariate("wt", "kg", 70.0, "body weight"),),
    assumptions=(
        "ka is not scaled by weight.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
