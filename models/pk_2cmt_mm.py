"""Two compartments, doses into the central compartment, saturable elimination."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day."""
    concentration = x["central"] / p["v1"]
    exchanged = p["q"] * (concentration - x["peripheral"] / p["v2"])
    saturable = p["vmax"] * concentration / (p["km"] + concentration)
    return {"central": -exchanged - saturable, "peripheral": exchanged}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v1"]}


model = Model(
    name="pk_2cmt_mm",
    title="Two compartments, Michaelis-Menten elimination",
    summary=(
        "Elimination vmax C / (km + C) from the central compartment, no other. Any consistent "
        "units do: those stated are the default."
    ),
    states=("central", "peripheral"),
    rates=rates,
    outputs=outputs,
    doses_into=("central", "peripheral"),
    units={"time": "day", "central": "mg", "peripheral": "mg", "concentration": "mg/L"},
    parameters=(
        Parameter("vmax", 4.0, "mg/day", "saturable elimination, capacity", reason=_REASON),
        Parameter("km", 5.0, "mg/L", "concentration of half capacity", reason=_REASON),
        Parameter("v1", 10.0, "L", "central volume", reason=_REASON),
        Parameter("q", 1.0, "L/day", "exchange between compartments", reason=_REASON),
        Parameter("v2", 10.0, "L", "peripheral volume", reason=_REASON),
    ),
    assumptions=(
        "A dose rate of vmax or more has no steady state.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
