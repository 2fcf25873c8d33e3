"""Log-likelihoods of every arm at every draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import numpy as np
from jaxtyping import Float

from pkpd.arm_level.problem import Likelihood
from pkpd.threads import side_by_side


def by_draw(
    likelihood: Likelihood,
    draws: Mapping[str, np.ndarray],
    progress: Callable[[float], None] = lambda share: None,
) -> Float[np.ndarray, "draws arms"]:
    """Log-likelihood of every arm, in the order of `arm_names`, at draws stacked by variable."""
    one = jax.jit(likelihood.by_arm)
    count = len(next(iter(draws.values())))

    def found(k: int) -> np.ndarray:
        return np.asarray(one({name: np.asarray(value[k]) for name, value in draws.items()}))

    rows = [found(0)]  # compiled before the threads meet it
    for row in side_by_side(found, range(1, count)):
        rows.append(row)
        progress(len(rows) / count)
    return np.array(rows)
