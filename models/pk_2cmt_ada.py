"""Two compartments, first-order absorption; anti-drug antibodies multiply clearance."""

from __future__ import annotations

from typing import Any

from pkpd.model import Covariate, Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def individual(p: Named, covariates: Named) -> dict[str, Any]:
    """Anti-drug antibodies act on clearance: cl (1 + ada_on_cl ADA)."""
    changed = p["cl"] * (1 + p["ada_on_cl"] * covariates["ada"])
    return {"ka": p["ka"], "cl": changed, "v1": p["v1"], "q": p["q"], "v2": p["v2"]}


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
    name="pk_2cmt_ada",
    title="Two compartments, first-order absorption, anti-drug antibodies on clearance",
    summary=(
        "ADA switches clearance from cl to cl (1 + ada_on_cl), and back. Linear between records; "
        "solved in closed form."
    ),
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
        Parameter("cl", 1.0, "L/day", "clearance without anti-drug antibodies", reason=_REASON),
        Parameter(
            "ada_on_cl",
            0.5,
            "1",
            "relative change of cl with anti-drug antibodies",
            scale="identity",
            reason=_REASON,
        ),
        Parameter("v1", 10.0, "L", "central volume", reason=_REASON),
        Parameter("q", 1.0, "L/day", "exchange between compartments", reason=_REASON),
        Parameter("v2", 10.0, "L", "peripheral volume", reason=_REASON),
    ),
    covariates=(Covariate("ada", "1", 0.0, "1 while anti-drug antibodies are there, else 0"),),
    assumptions=(
        "ADA of a record holds over the interval that ends at it: record the day on which a test "
        "turns positive (EVID 2) where it matters.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
