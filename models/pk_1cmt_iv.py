"""One compartment, doses into the central compartment, linear elimination."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day."""
    concentration = x["central"] / p["v"]
    return {
        "central": -p["cl"] * concentration,
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v"]}


model = Model(
    name="pk_1cmt_iv",
    title="One compartment, doses into the central compartment",
    summary="Linear; solved in closed form. Any consistent units do: those stated are the default.",
    states=("central",),
    rates=rates,
    outputs=outputs,
    doses_into=("central",),
    linear=True,
    units={
        "time": "day",
        "central": "mg",
        "concentration": "mg/L",
    },
    parameters=(
        Parameter("cl", 1.0, "L/day", "clearance", reason=_REASON),
        Parameter("v", 10.0, "L", "volume", reason=_REASON),
    ),
    assumptions=("Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",),
)
