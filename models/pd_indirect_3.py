"""Indirect response III: the drug stimulates production of the response."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter, net

_REASON = "a round number that makes profiles easy to read; give your own"


def turnover(t: Any, x: Named, p: Named, u: Named) -> dict[str, tuple[Any, Any]]:
    """Production and loss per day; production without drug is kin = kout e0."""
    level = u["concentration"] / (p["ec50"] + u["concentration"])
    return {"response": (p["kout"] * p["e0"] * (1 + p["emax"] * level), p["kout"])}


def initial(p: Named) -> dict[str, Any]:
    """The response without drug."""
    return {"response": p["e0"]}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """The response."""
    return {"effect": x["response"]}


model = Model(
    name="pd_indirect_3",
    title="Indirect response III: the drug stimulates production",
    summary=(
        "response' = kout e0 (1 + emax C / (ec50 + C)) - kout response: it rises under drug "
        "(Dayneka 1993, J Pharmacokinet Biopharm 21:457-478)."
    ),
    kind="pd",
    states=("response",),
    inputs=("concentration",),
    rates=net(turnover),
    turnover=turnover,
    initial=initial,
    outputs=outputs,
    units={"time": "day", "concentration": "mg/L", "response": "1", "effect": "1"},
    parameters=(
        Parameter("e0", 100.0, "1", "response without drug", reason=_REASON),
        Parameter("kout", 0.5, "1/day", "turnover of the response", reason=_REASON),
        Parameter("emax", 2.0, "1", "largest relative stimulation", reason=_REASON),
        Parameter("ec50", 1.0, "mg/L", "concentration of half stimulation", reason=_REASON),
    ),
    assumptions=(
        "Without drug the response stands at e0, where it starts.",
        "The response is in whatever unit e0 is given in.",
    ),
)
