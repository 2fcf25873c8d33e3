"""One log-likelihood with its gradient, as the sampler calls it: covariances are held."""

from __future__ import annotations

import jax
import numpy as np
from timing import Row, alternating, row

from pkpd.likelihood.gradient import value_and_gradient
from pkpd.likelihood.problem import Likelihood


def density_gradient(fit: Likelihood, repeats: int) -> Row:
    """In pieces, against JAX's gradient of the whole as one program."""
    flat = np.asarray(fit.space.medians())
    held = fit.held_at(flat)
    ours = value_and_gradient(held)
    whole = jax.jit(jax.value_and_grad(held.log_likelihood)).lower(flat).compile()
    value, slope = ours(flat)
    wanted, wanted_slope = (np.asarray(part) for part in whole(flat))
    off = np.abs(slope - wanted_slope).max() / np.abs(wanted_slope).max()
    mine, other = alternating(lambda: ours(flat), lambda: whole(flat), repeats)
    lanes = fit.lanes.easi.size
    return row(
        "log-density gradient", mine, other, "jax.value_and_grad, one program",
        f"value differs by {abs(value - wanted):.1e}, gradient by {off:.1e} of its largest",
        f"{fit.space.size} parameters, {lanes} lanes, {len(fit.lanes.mesh) - 1} steps",
    )  # fmt: skip
