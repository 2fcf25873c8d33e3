"""Myelosuppression: proliferating cells, three stages of maturation, and cells in blood."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Per day; ktr = 4 / mtt, proliferation ktr (1 - slope C) (circ0 / circulating)^gamma."""
    ktr = 4 / p["mtt"]
    feedback = (p["circ0"] / x["circulating"]) ** p["gamma"]
    made = (1 - p["slope"] * u["concentration"]) * feedback
    return {
        "proliferating": ktr * x["proliferating"] * (made - 1),
        "maturing1": ktr * (x["proliferating"] - x["maturing1"]),
        "maturing2": ktr * (x["maturing1"] - x["maturing2"]),
        "maturing3": ktr * (x["maturing2"] - x["maturing3"]),
        "circulating": ktr * (x["maturing3"] - x["circulating"]),
    }


def initial(p: Named) -> dict[str, Any]:
    """Every stage at the baseline."""
    return dict.fromkeys(model.states, p["circ0"])


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Cells in blood."""
    return {"neutrophils": x["circulating"]}


model = Model(
    name="pd_friberg",
    title="Myelosuppression by transit through maturation, with feedback",
    summary=(
        "The drug slows proliferation by slope C; cells in blood call for more as they fall "
        "(Friberg 2002, J Clin Oncol 20:4713-4721)."
    ),
    kind="pd",
    states=("proliferating", "maturing1", "maturing2", "maturing3", "circulating"),
    inputs=("concentration",),
    rates=rates,
    initial=initial,
    outputs=outputs,
    units={
        "time": "day",
        "concentration": "mg/L",
        **dict.fromkeys(
            ("proliferating", "maturing1", "maturing2", "maturing3", "circulating"), "1/nL"
        ),
        "neutrophils": "1/nL",
    },
    parameters=(
        Parameter("circ0", 5.0, "1/nL", "cells without drug, 10^9 a litre", reason=_REASON),
        Parameter("mtt", 5.0, "day", "mean time of maturation, 4 / ktr", reason=_REASON),
        Parameter("gamma", 0.2, "1", "strength of the feedback", reason=_REASON),
        Parameter("slope", 0.1, "L/mg", "proliferation lost per concentration", reason=_REASON),
    ),
    assumptions=(
        "Proliferation, each passage and the loss from blood have one rate, ktr = 4 / mtt.",
        "The drug acts in proportion to its concentration; above 1 / slope proliferating cells "
        "are killed.",
    ),
)
