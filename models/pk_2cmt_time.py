"""Two compartments, first-order absorption, clearance that changes with time on treatment."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day; clearance cl exp(time_on_cl t^h / (t50^h + t^h)), `t` since first dose."""
    # Before the first dose and at it the power has no derivative: one stands in, and is not used.
    late = jnp.asarray(t) > 0
    power = (jnp.where(late, t, 1.0) / p["t50"]) ** p["h"]
    clearance = p["cl"] * jnp.exp(p["time_on_cl"] * jnp.where(late, power / (1 + power), 0.0))
    concentration = x["central"] / p["v1"]
    absorbed = p["ka"] * x["depot"]
    exchanged = p["q"] * (concentration - x["peripheral"] / p["v2"])
    return {
        "depot": -absorbed,
        "central": absorbed - exchanged - clearance * concentration,
        "peripheral": exchanged,
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v1"]}


model = Model(
    name="pk_2cmt_time",
    title="Two compartments, first-order absorption, clearance that changes with time",
    summary=(
        "Clearance moves from cl to cl exp(time_on_cl), half of the way on the log scale after "
        "t50, as in the models of checkpoint antibodies (form of Bajaj 2017, CPT Pharmacometrics "
        "Syst Pharmacol 6:58-66)."
    ),
    states=("depot", "central", "peripheral"),
    rates=rates,
    outputs=outputs,
    doses_into=("depot", "central", "peripheral"),
    units={
        "time": "day",
        "depot": "mg",
        "central": "mg",
        "peripheral": "mg",
        "concentration": "mg/L",
    },
    parameters=(
        Parameter("ka", 1.0, "1/day", "absorption", reason=_REASON),
        Parameter("cl", 1.0, "L/day", "clearance at the first dose", reason=_REASON),
        Parameter(
            "time_on_cl",
            -0.3,
            "1",
            "change of log cl in the long run",
            scale="identity",
            reason=_REASON,
        ),
        Parameter("t50", 60.0, "day", "time of half the change", reason=_REASON),
        Parameter("h", 2.0, "1", "steepness of the change in time", reason=_REASON),
        Parameter("v1", 10.0, "L", "central volume", reason=_REASON),
        Parameter("q", 1.0, "L/day", "exchange between compartments", reason=_REASON),
        Parameter("v2", 10.0, "L", "peripheral volume", reason=_REASON),
    ),
    assumptions=(
        "Time counts from the first dose since the last reset; before it clearance is cl.",
        "There is no steady state (SS): clearance never stands still.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
