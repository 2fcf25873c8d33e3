"""One compartment, absorption from a depot through the gut, linear elimination."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day."""
    passed = p["ktr"] * x["depot"]
    absorbed = p["ka"] * x["gut"]
    return {
        "depot": -passed,
        "gut": passed - absorbed,
        "central": absorbed - p["cl"] / p["v"] * x["central"],
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v"]}


model = Model(
    name="pk_1cmt_transit",
    title="One compartment, absorption from a depot through the gut",
    summary=(
        "depot --ktr--> gut --ka--> central: a rise slower than first-order, as nlmixr2's "
        "documentation has it for warfarin. Linear; solved in closed form."
    ),
    states=("depot", "gut", "central"),
    rates=rates,
    outputs=outputs,
    doses_into=("depot", "gut", "central"),
    linear=True,
    units={"time": "day", "depot": "mg", "gut": "mg", "central": "mg", "concentration": "mg/L"},
    parameters=(
        Parameter("ktr", 2.0, "1/day", "passage from depot to gut", reason=_REASON),
        Parameter("ka", 1.0, "1/day", "absorption from the gut", reason=_REASON),
        Parameter("cl", 1.0, "L/day", "clearance", reason=_REASON),
        Parameter("v", 10.0, "L", "volume", reason=_REASON),
    ),
    assumptions=(
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
        "ktr and ka may change places without changing the concentration: a prior must keep them "
        "apart.",
    ),
)
