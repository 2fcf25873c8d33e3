"""Two compartments, target-mediated disposition in full: binding, release, turnover."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Per day: central (free drug), peripheral and complex in mg, target (free) in mg/L."""
    concentration = x["central"] / p["v1"]
    bound = p["kon"] * concentration * x["target"] * p["v1"] - p["koff"] * x["complex"]
    exchanged = p["q"] * (concentration - x["peripheral"] / p["v2"])
    return {
        "central": -p["cl"] * concentration - exchanged - bound,
        "peripheral": exchanged,
        "target": p["ksyn"] - p["kdeg"] * x["target"] - bound / p["v1"],
        "complex": bound - p["kint"] * x["complex"],
    }


def initial(p: Named) -> dict[str, Any]:
    """Target without drug: ksyn / kdeg."""
    return {"central": 0.0, "peripheral": 0.0, "target": p["ksyn"] / p["kdeg"], "complex": 0.0}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Free drug, all drug in the central compartment, and the share of target that is bound."""
    free, bound = x["central"] / p["v1"], x["complex"] / p["v1"]
    return {
        "concentration": free,
        "total_concentration": free + bound,
        "occupancy": bound / jnp.maximum(x["target"] + bound, 1e-300),  # 0 where no target is
    }


model = Model(
    name="pk_2cmt_tmdd_full",
    title="Two compartments, target-mediated drug disposition in full",
    summary=(
        "Drug binds its target (kon), is released (koff) or lost with it (kint); target is made "
        "(ksyn) and lost (kdeg) (Mager and Jusko 2001, J Pharmacokinet Pharmacodyn 28:507-532)."
    ),
    states=("central", "peripheral", "target", "complex"),
    rates=rates,
    initial=initial,
    outputs=outputs,
    doses_into=("central", "peripheral"),
    # Binding settles within minutes, drug leaves over weeks: an explicit method would take its
    # small steps for ever.
    stiff=True,
    units={
        "time": "day",
        "central": "mg",
        "peripheral": "mg",
        "target": "mg/L",
        "complex": "mg",
        "concentration": "mg/L",
        "total_concentration": "mg/L",
        "occupancy": "1",
    },
    parameters=(
        Parameter("cl", 0.2, "L/day", "linear clearance of free drug", reason=_REASON),
        Parameter("v1", 3.0, "L", "central volume", reason=_REASON),
        Parameter("q", 0.5, "L/day", "exchange of free drug", reason=_REASON),
        Parameter("v2", 3.0, "L", "peripheral volume", reason=_REASON),
        Parameter("kon", 100.0, "L/mg/day", "binding", reason=_REASON),
        Parameter("koff", 10.0, "1/day", "release; kd = koff / kon", reason=_REASON),
        Parameter("kint", 0.2, "1/day", "loss of the complex", reason=_REASON),
        Parameter("ksyn", 0.1, "mg/L/day", "synthesis of the target", reason=_REASON),
        Parameter("kdeg", 0.5, "1/day", "loss of free target", reason=_REASON),
    ),
    assumptions=(
        "Target is told in the drug's mass: the mass that would occupy it. One target binds one "
        "drug, in the central compartment alone.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
