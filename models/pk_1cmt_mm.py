"""One compartment, doses into the central compartment, saturable elimination."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day."""
    concentration = x["central"] / p["v"]
    return {"central": -p["vmax"] * concentration / (p["km"] + concentration)}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v"]}


model = Model(
    name="pk_1cmt_mm",
    title="One compartment, Michaelis-Menten elimination",
    summary=(
        "Elimination vmax C / (km + C), an amount per time. Any consistent units do: those stated "
        "are the default."
    ),
    states=("central",),
    rates=rates,
    outputs=outputs,
    doses_into=("central",),
    units={"time": "day", "central": "mg", "concentration": "mg/L"},
    parameters=(
        Parameter("vmax", 4.0, "mg/day", "saturable elimination, capacity", reason=_REASON),
        Parameter("km", 5.0, "mg/L", "concentration of half capacity", reason=_REASON),
        Parameter("v", 10.0, "L", "volume", reason=_REASON),
    ),
    assumptions=(
        "A dose rate of vmax or more has no steady state.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
