"""Virtual patients: fixed quasi-random standard normal scores, one row a patient."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri
from scipy.stats import qmc


def scores(
    patients: int, names: tuple[str, ...], seed: int
) -> dict[str, Float[np.ndarray, " patients"]]:
    """Standard normal scores by name from scrambled Sobol points.

    Each column has mean 0 and standard deviation 1 exactly, so that a mean over patients of
    anything linear is free of sampling error. `patients` should be a power of two.
    """
    points = qmc.Sobol(len(names), scramble=True, rng=seed).random(patients)
    normal = ndtri(np.clip(points, 1e-9, 1 - 1e-9))
    normal = (normal - normal.mean(axis=0)) / normal.std(axis=0)
    return {name: normal[:, column] for column, name in enumerate(names)}
