"""What a fit's prior says of its data before they are seen: the prior predictive check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pkpd.diagnosis.individual import goodness
from pkpd.errors import FitError
from pkpd.files import replacing
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual_folder import open_individual
from pkpd.prediction.individual_seen import plain_table
from pkpd.prediction.replicates import Seen, again, finite
from pkpd.variation.standard import prior_draws

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class PriorPredictive:
    """prior.csv (the columns of vpc.csv), and how many observations the prior foresaw.

    `inside` of `observations` lie in their own equal-tailed interval at `level`; `lost` of `draws`
    gave no number for some row and are left out.
    """

    path: Path
    table: pd.DataFrame
    observations: int
    inside: int
    level: float
    draws: int
    lost: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """What was found, as plain data."""
        names = ("observations", "inside", "level", "draws", "lost", "seed")
        return {"file": str(self.path), "kind": "eti", **{n: getattr(self, n) for n in names}}

    def __str__(self) -> str:
        lost = f" {self.lost} draws gave no number and are left out." if self.lost else ""
        return (
            f"Prior predictive: {self.inside} of {self.observations} observations "
            f"({self.inside / self.observations:.0%}) lie inside the {self.level:.0%} equal-tailed "
            f"interval of {self.draws} data sets simulated from the prior, seed {self.seed}.{lost} "
            f"Far fewer than {self.level:.0%} would mean that the prior contradicts the data, or "
            f"that its medians are of another unit.\n"
            f"Written: {self.path}. Next: pkpd fit {self.path.parent}"
        )


def prior_predictive(folder: Path, *, progress: Progress) -> PriorPredictive:
    """Data sets simulated from the prior of a fit of individual records; writes prior.csv.

    Doses, times and covariates are the data's; population and random effects are drawn anew for
    each of `predictions.replicates` data sets, with the seed of the predictions.
    """
    opened = open_individual(folder)
    progress("planning the mesh", 0.0)
    likelihood = opened.likelihood
    progress("planning the mesh", 1.0)
    found = foreseen(likelihood, folder / "prior.csv", progress)
    with replacing(found.path) as partial:
        found.table.to_csv(partial, index=False)
    return found


def foreseen(likelihood: IndividualLikelihood, path: Path, progress: Progress) -> PriorPredictive:
    """What the prior of a likelihood says of its data, to be written at `path`."""
    asked = likelihood.settings.predictions
    draws = prior_draws(likelihood.space, asked.replicates, asked.seed)
    seen = again(likelihood, draws, seed=asked.seed,
                 progress=lambda share: progress("simulating from the prior", share))  # fmt: skip
    seen, lost = finite(seen)
    if len(seen.expected[0]) < 2:
        raise FitError(
            "Hardly any data set simulated from the prior is a number throughout. Check the "
            "priors' medians and SDs with `pkpd simulate`."
        )
    inside, table = _inside(likelihood, seen), plain_table(likelihood, seen)
    return PriorPredictive(
        path, table, inside.size, int(inside.sum()), asked.level, asked.replicates, lost, asked.seed
    )


def _inside(likelihood: IndividualLikelihood, seen: Seen) -> np.ndarray:
    """Whether each observed row lies in its own interval, censored ones by their limit."""
    asked, found = likelihood.settings.predictions, []
    for stream, mean, new in zip(
        likelihood.solver.design.streams, seen.expected, seen.simulated, strict=True
    ):
        unasked = np.full(mean.shape[1], np.nan)
        rows = goodness(likelihood, stream, mean, new, unasked, level=asked.level, seed=asked.seed)
        found.append(rows["inside"].to_numpy(bool))
    return np.concatenate(found)
