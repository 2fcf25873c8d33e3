"""Probabilities of four ordered categories of response, moved by the concentration."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """Probability per day; what leaves a category enters its neighbour.

    Up: k12, k23, k34, each times 1 + emax C / (ec50 + C). Down: k21, k32, k43.
    """
    gained = 1 + p["emax"] * u["concentration"] / (p["ec50"] + u["concentration"])
    from1to2 = p["k12"] * gained * x["p1"] - p["k21"] * x["p2"]
    from2to3 = p["k23"] * gained * x["p2"] - p["k32"] * x["p3"]
    from3to4 = p["k34"] * gained * x["p3"] - p["k43"] * x["p4"]
    return {
        "p1": -from1to2,
        "p2": from1to2 - from2to3,
        "p3": from2to3 - from3to4,
        "p4": from3to4,
    }


def initial(p: Named) -> dict[str, Any]:
    """Everybody in the first category."""
    return {"p1": 1.0, "p2": 0.0, "p3": 0.0, "p4": 0.0}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """The probability of each category."""
    return {name: x[name] for name in model.states}


model = Model(
    name="pd_markov_4",
    title="Continuous-time Markov model of four ordered categories",
    summary=(
        "A patient moves between neighbouring categories, from no response (p1) to the best (p4); "
        "the drug quickens every step up."
    ),
    kind="pd",
    states=("p1", "p2", "p3", "p4"),
    inputs=("concentration",),
    rates=rates,
    initial=initial,
    outputs=outputs,
    units={"time": "day", "concentration": "mg/L", **dict.fromkeys(("p1", "p2", "p3", "p4"), "1")},
    parameters=(
        Parameter("k12", 0.02, "1/day", "from category 1 to 2, without drug", reason=_REASON),
        Parameter("k23", 0.02, "1/day", "from category 2 to 3, without drug", reason=_REASON),
        Parameter("k34", 0.02, "1/day", "from category 3 to 4, without drug", reason=_REASON),
        Parameter("k21", 0.04, "1/day", "from category 2 back to 1", reason=_REASON),
        Parameter("k32", 0.04, "1/day", "from category 3 back to 2", reason=_REASON),
        Parameter("k43", 0.04, "1/day", "from category 4 back to 3", reason=_REASON),
        Parameter("emax", 2.0, "1", "largest relative rise of steps up", reason=_REASON),
        Parameter("ec50", 1.0, "mg/L", "concentration of half the rise", reason=_REASON),
    ),
    assumptions=(
        "Categories are passed one by one; every step up feels the drug alike, no step down does.",
        "All start in category 1.",
        "These are probabilities seen from the start; in a fit, an observation with outcome markov "
        "starts them anew from each category seen.",
    ),
)
