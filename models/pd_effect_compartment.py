"""Emax effect of an effect-site concentration that follows the blood's."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter, net

_REASON = "a round number that makes profiles easy to read; give your own"


def turnover(t: Any, x: Named, p: Named, u: Named) -> dict[str, tuple[Any, Any]]:
    """The effect site follows the concentration with rate ke0 (per day)."""
    return {"site": (p["ke0"] * u["concentration"], p["ke0"])}


def initial(p: Named) -> dict[str, Any]:
    """No drug at the effect site."""
    return {"site": 0.0}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """effect = e0 + emax site / (ec50 + site)."""
    return {"effect": p["e0"] + p["emax"] * x["site"] / (p["ec50"] + x["site"])}


model = Model(
    name="pd_effect_compartment",
    title="Emax effect of an effect-site concentration",
    summary=(
        "The effect site takes up no drug that would be missed in blood; it lags behind it by "
        "1 / ke0 (Sheiner 1979, Clin Pharmacol Ther 25:358-371)."
    ),
    kind="pd",
    states=("site",),
    inputs=("concentration",),
    rates=net(turnover),
    turnover=turnover,
    initial=initial,
    outputs=outputs,
    units={"time": "day", "concentration": "mg/L", "site": "mg/L", "effect": "1"},
    parameters=(
        Parameter("ke0", 0.5, "1/day", "equilibration of the effect site", reason=_REASON),
        Parameter("e0", 100.0, "1", "effect without drug", scale="identity", reason=_REASON),
        Parameter(
            "emax", -50.0, "1", "change at high concentration", scale="identity", reason=_REASON
        ),
        Parameter("ec50", 1.0, "mg/L", "site concentration of half the change", reason=_REASON),
    ),
    assumptions=("The effect is in whatever unit e0 and emax are given in.",),
)
