"""What a fit's prior says of its data before they are seen: the prior predictive check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pkpd.arm_level.problem import Likelihood
from pkpd.diagnosis.individual import goodness
from pkpd.errors import FitError
from pkpd.files import replacing
from pkpd.fit_folder import open_fit
from pkpd.fitting import planned_arms
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual_folder import open_individual
from pkpd.joint_folder import open_joint
from pkpd.joint_workflow import joined, translated_draws
from pkpd.prediction import predictive
from pkpd.prediction.individual_seen import plain_table
from pkpd.prediction.replicates import Seen, again, finite
from pkpd.settings_individual import is_individual
from pkpd.settings_joint import is_joint
from pkpd.variation.standard import prior_draws

DRAWS = 200
"""Data sets of arms simulated from the prior."""

LOST = (
    "Hardly any data set simulated from the prior is a number throughout. Check the "
    "priors' medians and SDs with `pkpd simulate`."
)
Progress = Callable[[str, float], None]
Draws = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class PriorPredictive:
    """prior.csv, and how many observations, or posted `numbers` of arms, the prior foresaw.

    `inside` of `observations` lie in their own equal-tailed interval at `level`; `lost` of `draws`
    gave no number for some row and are left out. Its columns are those of vpc.csv, for arms those
    of ppc.csv. A joint fit's individuals stand `beside` its arms, in a file of their own.
    """

    path: Path
    table: pd.DataFrame
    observations: int
    inside: int
    level: float
    draws: int
    lost: int
    seed: int
    numbers: str = "observations"
    beside: Mapping[str, PriorPredictive] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What was found, as plain data."""
        names = ("observations", "inside", "level", "draws", "lost", "seed")
        return {
            "file": str(self.path),
            "kind": "eti",
            **{n: getattr(self, n) for n in names},
            **{name: each.to_dict() for name, each in self.beside.items()},
        }

    def __str__(self) -> str:
        parts = [self, *self.beside.values()]
        files = ", ".join(str(each.path) for each in parts)
        return (
            f"{' '.join(each.sentence for each in parts)} Far fewer than {self.level:.0%} would "
            "mean that the prior contradicts the data, or that its medians are of another unit.\n"
            f"Written: {files}. Next: pkpd fit {self.path.parent}"
        )

    @property
    def sentence(self) -> str:
        """How many lie inside, among how many data sets."""
        lost = f" {self.lost} draws gave no number and are left out." if self.lost else ""
        return (
            f"Prior predictive: {self.inside} of {self.observations} {self.numbers} "
            f"({self.inside / self.observations:.0%}) lie inside the {self.level:.0%} equal-tailed "
            f"interval of {self.draws} data sets simulated from the prior, seed {self.seed}.{lost}"
        )

    def written(self) -> PriorPredictive:
        """The same, its tables written."""
        for each in (self, *self.beside.values()):
            with replacing(each.path) as partial:
                each.table.to_csv(partial, index=False)
        return self


def prior_predictive(folder: Path, *, progress: Progress) -> PriorPredictive:
    """Data sets simulated from the prior of a fit; writes prior.csv.

    Doses, times, covariates and numbers of patients are the data's; all else is drawn anew for each
    data set, with the seed of the predictions. A joint fit's individuals go to
    prior-individuals.csv, from the same draws.
    """
    path = folder / "prior.csv"
    if is_joint(folder / "fit.toml"):
        return _joint(folder, path, progress).written()
    if is_individual(folder / "fit.toml"):
        opened = open_individual(folder)
        progress("planning the mesh", 0.0)
        likelihood = opened.likelihood
        progress("planning the mesh", 1.0)
        return foreseen(likelihood, path, progress).written()
    likelihood = planned_arms(open_fit(folder), progress)
    seed = likelihood.settings.predictions.seed
    return arms_foreseen(
        likelihood, prior_draws(likelihood.space, DRAWS, seed), path, progress
    ).written()


def _joint(folder: Path, path: Path, progress: Progress) -> PriorPredictive:
    """Both levels under the same draws of the joint prior, the study's trial effects among them."""
    opened = open_joint(folder)
    arms = planned_arms(opened.problem, progress)
    likelihood = joined(opened, arms)
    draws = prior_draws(likelihood.space, DRAWS, opened.settings.predictions.seed)
    own = foreseen(
        likelihood.individual, path.with_name("prior-individuals.csv"), progress,
        translated_draws(likelihood, draws),
    )  # fmt: skip
    return replace(arms_foreseen(arms, draws, path, progress), beside={"individuals": own})


def arms_foreseen(
    likelihood: Likelihood, draws: Draws, path: Path, progress: Progress
) -> PriorPredictive:
    """What draws of the prior say of posted results, to be written at `path`.

    Counted are the numbers that are fitted: all but the selection visits of later studies.
    """
    asked, count = likelihood.settings.predictions, len(next(iter(draws.values())))
    table, lost = predictive.foreseen(
        likelihood, draws, level=asked.level, seed=asked.seed,
        heard=lambda share: progress("simulating arms from the prior", share),
    )  # fmt: skip
    if count - lost < 2:
        raise FitError(LOST)
    fitted = table[table["fitted"].astype(bool)]
    inside = int(fitted["inside"].sum())
    return PriorPredictive(
        path, table, len(fitted), inside, asked.level, count, lost, asked.seed,
        "posted numbers of arms",
    )  # fmt: skip


def foreseen(
    likelihood: IndividualLikelihood, path: Path, progress: Progress, draws: Draws | None = None
) -> PriorPredictive:
    """What the prior of a likelihood, or draws of it, say of its data, to be written at `path`."""
    asked = likelihood.settings.predictions
    if draws is None:
        draws = prior_draws(likelihood.space, asked.replicates, asked.seed)
    count = len(next(iter(draws.values())))
    seen = again(likelihood, draws, seed=asked.seed,
                 progress=lambda share: progress("simulating from the prior", share))  # fmt: skip
    seen, lost = finite(seen)
    if len(seen.expected[0]) < 2:
        raise FitError(LOST)
    inside, table = _inside(likelihood, seen), plain_table(likelihood, seen)
    return PriorPredictive(
        path, table, inside.size, int(inside.sum()), asked.level, count, lost, asked.seed
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
