"""Three compartments, first-order absorption from a depot, linear elimination."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day."""
    concentration = x["central"] / p["v1"]
    absorbed = p["ka"] * x["depot"]
    exchanged1 = p["q2"] * (concentration - x["peripheral1"] / p["v2"])
    exchanged2 = p["q3"] * (concentration - x["peripheral2"] / p["v3"])
    return {
        "depot": -absorbed,
        "central": absorbed - p["cl"] * concentration - exchanged1 - exchanged2,
        "peripheral1": exchanged1,
        "peripheral2": exchanged2,
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v1"]}


model = Model(
    name="pk_3cmt_oral",
    title="Three compartments, first-order absorption from a depot",
    summary="Linear; solved in closed form. Any consistent units do: those stated are the default.",
    states=("depot", "central", "peripheral1", "peripheral2"),
    rates=rates,
    outputs=outputs,
    doses_into=("depot", "central", "peripheral1", "peripheral2"),
    linear=True,
    units={
        "time": "day",
        "depot": "mg",
        "central": "mg",
        "peripheral1": "mg",
        "peripheral2": "mg",
        "concentration": "mg/L",
    },
    parameters=(
        Parameter("ka", 1.0, "1/day", "absorption", reason=_REASON),
        Parameter("cl", 1.0, "L/day", "clearance", reason=_REASON),
        Parameter("v1", 10.0, "L", "central volume", reason=_REASON),
        Parameter("q2", 1.0, "L/day", "exchange with peripheral1", reason=_REASON),
        Parameter("v2", 10.0, "L", "volume of peripheral1", reason=_REASON),
        Parameter("q3", 0.2, "L/day", "exchange with peripheral2", reason=_REASON),
        Parameter("v3", 20.0, "L", "volume of peripheral2", reason=_REASON),
    ),
    assumptions=("Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",),
)
