"""Who is re-randomised: week-24 responders (EASI-75 and/or IGA 0/1), with some leakage.

A = 1 for a responder and, with probability `leakage`, for a patient with EASI-50 only: Part 2
enrolled more patients than Part 1 counts as responders (missing and rescued count as failures
there). Weighting patients by E[A] selects them as they fall out of each draw; tilting the visit's
noise by `shift` gives E[A exp(shift u)] / exp(shift^2 / 2), so that regression to the mean after
the selection visit is exact.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from pkpd.arm_level.endpoints import Visit
from pkpd.variation.normal import below, both_below, density

Shift = Array | np.ndarray | float


def clearing(v: Visit, endpoint: str, shift: Shift = 0.0) -> Array:
    """P(`endpoint` or IGA 0/1) with the visit's noise centred at `shift`."""
    a, b = v.cut[endpoint] - shift, v.iga - v.iga_share * shift
    return below(a) + below(b) - both_below(a, b, v.iga_share)


def entering(values: Mapping[str, Array], v: Visit, shift: Shift = 0.0) -> Array:
    """E[A] with the visit's noise centred at `shift`."""
    leak = values["leakage"]
    return (1 - leak) * clearing(v, "EASI75", shift) + leak * clearing(v, "EASI50", shift)


def entry_slope(values: Mapping[str, Array], v: Visit) -> Array:
    """E[A u]; higher orders are left out."""
    b, r = v.iga, v.iga_share
    q = jnp.sqrt(1 - r * r)

    def slope(a: Array) -> Array:
        return -density(a) * below((r * a - b) / q) - r * density(b) * below((r * b - a) / q)

    leak = values["leakage"]
    return (1 - leak) * slope(v.cut["EASI75"]) + leak * slope(v.cut["EASI50"])


def entry_joint(values: Mapping[str, Array], v: Visit, change: Array) -> list[Array]:
    """E[A g] at the selection visit for g in `endpoints.COLUMNS`, then E[A]."""
    leak = values["leakage"]
    half, three = v.cut["EASI50"], v.cut["EASI75"]
    both = below(three) + both_below(half, v.iga, v.iga_share)
    both = both - both_below(three, v.iga, v.iga_share)
    enters = entering(values, v)
    change_of = v.seen * entering(values, v, v.noise) - (1.0 + change[..., None]) * enters
    return [
        enters,
        change_of,
        (1 - leak) * both + leak * below(half),
        below(three),
        below(v.cut["EASI90"]),
        below(v.iga),
        enters,
    ]
