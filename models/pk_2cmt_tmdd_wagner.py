"""Two compartments, target-mediated disposition with a constant target."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def free(total: Any, target: Any, k: Any) -> Any:
    """Free drug C of C + target C / (k + C) = total: the greater root of a quadratic, exact near 0.

    C = (a + sqrt(a^2 + 4 k total)) / 2, a = total - target - k
    """
    a = total - target - k
    # For a below zero the sum would cancel: the other root's reciprocal says the same.
    larger = (jnp.sqrt(a**2 + 4 * k * total) + jnp.where(a > 0, a, -a)) / 2
    return jnp.where(a > 0, larger, k * total / larger)


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day; central is free and bound drug."""
    concentration = free(x["central"] / p["v1"], p["r0"], p["kss"])
    bound = p["r0"] * concentration / (p["kss"] + concentration)
    exchanged = p["q"] * (concentration - x["peripheral"] / p["v2"])
    return {
        "central": -p["cl"] * concentration - exchanged - p["kint"] * bound * p["v1"],
        "peripheral": exchanged,
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Free drug, all drug in the central compartment, and the share of target that is bound."""
    total = x["central"] / p["v1"]
    concentration = free(total, p["r0"], p["kss"])
    return {
        "concentration": concentration,
        "total_concentration": total,
        "occupancy": concentration / (p["kss"] + concentration),
    }


model = Model(
    name="pk_2cmt_tmdd_wagner",
    title="Two compartments, target-mediated disposition with a constant target",
    summary=(
        "Wagner's equation: free and bound target together stay at r0 (Gibiansky 2008, J "
        "Pharmacokinet Pharmacodyn 35:573-591)."
    ),
    states=("central", "peripheral"),
    rates=rates,
    outputs=outputs,
    doses_into=("central", "peripheral"),
    units={
        "time": "day",
        "central": "mg",
        "peripheral": "mg",
        "concentration": "mg/L",
        "total_concentration": "mg/L",
        "occupancy": "1",
    },
    parameters=(
        Parameter("cl", 0.2, "L/day", "linear clearance of free drug", reason=_REASON),
        Parameter("v1", 3.0, "L", "central volume", reason=_REASON),
        Parameter("q", 0.5, "L/day", "exchange of free drug", reason=_REASON),
        Parameter("v2", 3.0, "L", "peripheral volume", reason=_REASON),
        Parameter("r0", 0.2, "mg/L", "target, free and bound", reason=_REASON),
        Parameter("kss", 0.1, "mg/L", "steady-state constant, or kd", reason=_REASON),
        Parameter("kint", 0.2, "1/day", "loss of the complex", reason=_REASON),
    ),
    assumptions=(
        "The complex is lost as fast as the free target (kint = kdeg), so that their sum stands "
        "still.",
        "Target is told in the drug's mass: the mass that would occupy it. One target binds one "
        "drug, in the central compartment alone.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
