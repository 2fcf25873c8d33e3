"""A log10 load that falls linearly in time, whatever the drug does."""

from __future__ import annotations

from typing import Any

from pkpd.model import Model, Named, Parameter

_REASON = "a round number that makes profiles easy to read; give your own"


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """log10 units per day."""
    return {"log10_load": -p["slope"]}


def initial(p: Named) -> dict[str, Any]:
    """The load at time zero."""
    return {"log10_load": p["intercept"]}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """The load on the log10 scale."""
    return {"log10_load": x["log10_load"]}


model = Model(
    name="pd_linear_decline",
    title="Linear decline of a log10 load in time",
    summary=(
        "log10_load = intercept - slope t: exponential clearance, as of a virus, told on the "
        "log10 scale. Needs no drug."
    ),
    kind="pd",
    states=("log10_load",),
    rates=rates,
    initial=initial,
    outputs=outputs,
    units={"time": "day", "log10_load": "1"},
    parameters=(
        Parameter(
            "intercept", 6.0, "1", "log10 load at time zero", scale="identity", reason=_REASON
        ),
        Parameter("slope", 0.5, "1/day", "fall of the log10 load per day", reason=_REASON),
    ),
    assumptions=(
        "Time zero is the subject's first record, and any reset.",
        "The load may pass below any limit of quantification: a fit must say what is censored.",
    ),
)
