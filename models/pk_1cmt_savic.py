"""One compartment, absorption after a chain of transit compartments, linear elimination."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"
_CHAIN = ("depot", "transit1", "transit2", "transit3", "transit4")


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Amounts per day; ktr = (n + 1) / mtt with n = 4 transit compartments after the depot."""
    ktr = 5 / p["mtt"]
    passed = [ktr * x[name] for name in _CHAIN]
    absorbed = p["ka"] * x["gut"]
    return {
        "depot": -passed[0],
        "transit1": passed[0] - passed[1],
        "transit2": passed[1] - passed[2],
        "transit3": passed[2] - passed[3],
        "transit4": passed[3] - passed[4],
        "gut": passed[4] - absorbed,
        "central": absorbed - p["cl"] / p["v"] * x["central"],
    }


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Concentration in the central compartment."""
    return {"concentration": x["central"] / p["v"]}


model = Model(
    name="pk_1cmt_savic",
    title="One compartment, absorption after four transit compartments",
    summary=(
        "A dose reaches the gut after a mean transit time mtt and is absorbed with rate ka (Savic "
        "2007, J Pharmacokinet Pharmacodyn 34:711-726). Linear; solved in closed form."
    ),
    states=(*_CHAIN, "gut", "central"),
    rates=rates,
    outputs=outputs,
    doses_into=("depot", "gut", "central"),
    linear=True,
    units={
        "time": "day",
        **dict.fromkeys((*_CHAIN, "gut", "central"), "mg"),
        "concentration": "mg/L",
    },
    parameters=(
        Parameter("mtt", 1.0, "day", "mean time from depot to gut", reason=_REASON),
        Parameter("ka", 1.0, "1/day", "absorption from the gut", reason=_REASON),
        Parameter("cl", 1.0, "L/day", "clearance", reason=_REASON),
        Parameter("v", 10.0, "L", "volume", reason=_REASON),
    ),
    assumptions=(
        "The number of transit compartments is fixed at n = 4, written out as states. The paper "
        "estimates a real n by a closed form that needs the last dose alone; a chain holds for "
        "doses that overlap, too.",
        "Doses arrive whole and at once, save where f_ or lag_ of a compartment is set.",
    ),
)
