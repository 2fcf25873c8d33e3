"""Leaving a trial: the hazard rises with the lesions, so that the worse ones leave."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pkpd.model import Model, Named, Parameter, Source

_SCIENCE = Source(
    "this package, arm-level likelihood (docs/likelihood.md)",
    "dropout: the same hazard over virtual patients",
)


def hazard(easi_ratio: Any, p: Named) -> Any:
    """Leaving per day: h0 at the EASI of baseline, times its ratio to the power h1."""
    return p["h0"] * jnp.exp(p["h1"] * jnp.log(jnp.maximum(easi_ratio, 1e-4)))


def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
    """The hazard adds up."""
    return {"cumulative_hazard": hazard(u["easi_ratio"], p)}


def initial(p: Named) -> dict[str, Any]:
    """Nobody has left."""
    return {"cumulative_hazard": 0.0}


def outputs(x: Named, p: Named) -> dict[str, Any]:
    """Hazard now, and the share still there."""
    return {
        "hazard": hazard(x["easi_ratio"], p),
        "staying": jnp.exp(-x["cumulative_hazard"]),
        "cumulative": x["cumulative_hazard"],
    }


model = Model(
    name="pd_dropout",
    title="Dropout whose hazard follows the lesions",
    summary="H' = h0 ratio^h1, ratio the EASI over that of baseline; staying is exp(-H).",
    kind="pd",
    states=("cumulative_hazard",),
    inputs=("easi_ratio",),
    rates=rates,
    outputs=outputs,
    initial=initial,
    units={
        "time": "day",
        "easi_ratio": "1",
        "cumulative_hazard": "1",
        "hazard": "1/day",
        "staying": "1",
        "cumulative": "1",
    },
    parameters=(
        Parameter("h0", 0.0012, "1/day", "hazard of leaving at the EASI of baseline", _SCIENCE,
                  reason="about one in three leaves within a year while lesions stay as they were"),
        Parameter("h1", 0.7, "1", "power of the EASI ratio in the hazard", _SCIENCE,
                  reason="below 1: those half as ill leave more than half as often"),
    ),
    assumptions=(
        "Reasons for leaving that have nothing to do with lesions are in h0 alone.",
        "The ratio is held at 1e-4 from below.",
    ),
)  # fmt: skip
