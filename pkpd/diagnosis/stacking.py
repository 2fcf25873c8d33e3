"""Weights that stack models: the mixture that would best have predicted what was left out."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

GAP = 1e-6
MOST = 200_000


def stacking(elpd: Float[np.ndarray, "arms models"]) -> Float[np.ndarray, " models"]:
    """Weights of models, from 0 to 1, that sum to one.

    They maximise sum_a log sum_m w_m exp(elpd_am) over arms a and models m: Yao, Vehtari, Simpson
    and Gelman 2018, Bayesian Analysis 13:917, doi:10.1214/17-BA1091. The sum is concave; EM for
    the weights of a mixture climbs it, and stops where no model's mean share of an arm's density
    passes one by more than `GAP`, which bounds what is still to gain.
    """
    likely = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    weights = np.full(elpd.shape[1], 1 / elpd.shape[1])
    for _ in range(MOST):
        rise = (likely / (likely @ weights)[:, None]).mean(axis=0)
        if rise.max() <= 1 + GAP:
            break
        weights = weights * rise
    return weights
