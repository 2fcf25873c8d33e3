"""Two compartments, target-mediated disposition with the complex at steady state."""

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
    """Per day: central and peripheral in mg, target in mg/L; central and target free and bound."""
    concentration = free(x["central"] / p["v1"], x["target"], p["kss"])
    bound = x["target"] * concentration / (p["kss"] + concentration)
    exchanged = p["q"] * (concentration - x["peripheral"] / p["v2"])
    return {
        "central": -p["cl"] * concentration - exchanged - p["kint"] * bound * p["v1"],
        "peripheral": exchanged,
        "target": p["ksyn"] - p["kdeg"] * x["target"] - (p["kint"] - p["kdeg"]) * bound,
    }


def initial(p: Named) -> dict[str, Any]:
    """Target without drug: ksyn / kdeg."""
    return {"central": 0.0, "peripheral": 0.0, "target": p["ksyn"] / p["kdeg"]}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Free drug, all drug in the central compartment, and the share of target that is bound."""
    total = x["central"] / p["v1"]
    concentration = free(total, x["target"], p["kss"])
    return {
        "concentration": concentration,
        "total_concentration": total,
        "occupancy": concentration / (p["kss"] + concentration),
    }


model = Model(
    name="pk_2cmt_tmdd_qss",
    title="Two compartments, target-mediated disposition at quasi-steady state",
    summary=(
        "Binding balances release and loss of the complex: C R = kss RC (Gibiansky 2008, J "
        "Pharmacokinet Pharmacodyn 35:573-591)."
    ),
    states=("central", "peripheral", "target"),
    rates=rates,
    initial=initial,
    outputs=outputs,
    doses_into=("central", "peripheral"),
    units={
        "time": "day",
        "central": "mg",
        "peripheral": "mg",
        "target": "mg/L",
        "concentration": "mg/L",
        "total_concentration": "mg/L",
        "occupancy": "1",
    },
    parameters=(
        Parameter("cl", 0.2, "L/day", "linear clearance of free drug", reason=_REASON),
        Parameter("v1", 3.0, "L", "central volume", reason=_REASON),
        Parameter("q", 0.5, "L/day", "exchange of free drug", reason=_REASON),
        Parameter("v2", 3.0, "L", "peripheral volume", reason=_REASON),
        Parameter("kss", 0.1, "mg/L", "steady-state constant: (koff + kint) / kon", reason=_REASON),
        Parameter("kint", 0.2, "1/day", "loss of the complex", reason=_REASON),
        Parameter("ksyn", 0.1, "mg/L/day", "synthesis of the target", reason=_REASON),
        Parameter("kdeg", 0.5, "1/day", "loss of free target", reason=_REASON),
    ),
    assumptions=(
        "The complex is at steady state at all times, given free drug and target.",
        "Target is told in the drug's mass: the mass that would occupy it. One target binds one "
        "drug, in the central compartment alone.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
