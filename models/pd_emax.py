"""Direct sigmoid Emax effect of the concentration."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """No state: the effect follows the concentration at once."""
    return {}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """effect = e0 + emax C^hill / (ec50^hill + C^hill); `x` holds the concentration."""
    # At no drug the power has no derivative: one stands in, and is not used.
    present = x["concentration"] > 0
    power = (jnp.where(present, x["concentration"], 1.0) / p["ec50"]) ** p["hill"]
    return {"effect": p["e0"] + p["emax"] * jnp.where(present, power / (1 + power), 0.0)}


model = Model(
    name="pd_emax",
    title="Direct sigmoid Emax effect",
    summary="effect = e0 + emax C^hill / (ec50^hill + C^hill), with no delay.",
    kind="pd",
    states=(),
    inputs=("concentration",),
    rates=rates,
    outputs=outputs,
    units={"time": "day", "concentration": "mg/L", "effect": "1"},
    parameters=(
        Parameter("e0", 100.0, "1", "effect without drug", scale="identity", reason=_REASON),
        Parameter(
            "emax", -50.0, "1", "change at high concentration", scale="identity", reason=_REASON
        ),
        Parameter("ec50", 1.0, "mg/L", "concentration of half the change", reason=_REASON),
        Parameter("hill", 1.0, "1", "steepness", reason=_REASON),
    ),
    assumptions=("The effect is in whatever unit e0 and emax are given in.",),
)
