"""Forecasts of one part that was left out: by the models fitted to the rest, and by rivals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.arm_level.collect import gather
from pkpd.arm_level.planned import planned
from pkpd.arm_level.problem import Likelihood, visit_weeks
from pkpd.arm_level.runs import find_runs
from pkpd.arm_level.summaries import Summaries
from pkpd.diagnosis.checks import Check
from pkpd.fit_folder import Problem
from pkpd.posterior import Posterior
from pkpd.provenance import provenance, versions
from pkpd.validation import carried, logistic
from pkpd.validation.by_model import by_model
from pkpd.validation.fits import demands, posteriors
from pkpd.validation.forecast import file_of, forecast, key, write
from pkpd.validation.left_in import coordinates, grown, without
from pkpd.validation.left_out import LeftOut
from pkpd.validation.mixture import Mixture
from pkpd.validation.points import points
from pkpd.validation.split import Split, rows_of, split

Progress = Callable[[str, float], None]
DRAWS = 400
"""Posterior draws in a forecast."""


@dataclass(frozen=True)
class Maker:
    """What makes the forecasts of a fit, below `root`; likelihoods of the whole kept by model."""

    problem: Problem
    root: Path
    wholes: dict[str, Likelihood] = field(default_factory=dict)

    def files(self, part: LeftOut) -> dict[str, Path]:
        """Where each forecaster's file of a part stands, whether made or not."""
        own, asked = without(self.problem, part), self.problem.settings.predictions
        by_who = {who: provenance(each)["hashes"] for who, each in by_name(own).items()}
        by_who |= dict.fromkeys((carried.NAME, logistic.NAME), provenance(own)["hashes"])
        folder = self.root / part.folder
        return {
            who: file_of(folder, who, key(hashes, part.name, who, DRAWS, asked.level, asked.seed))
            for who, hashes in by_who.items()
        }

    def make(self, part: LeftOut, progress: Progress) -> None:
        """Write the forecasts of a part that are not there yet: models, then rivals."""
        files = self.files(part)
        if all(path.is_file() for path in files.values()):
            return
        own = without(self.problem, part)
        splits = split(studies_of(self.problem), studies_of(own))
        drawn = posteriors(own, self.root / part.folder, progress)
        for who, posterior in drawn.items():
            if not files[who].is_file():
                kept = files[who].with_suffix(".json").name.replace("forecast-", "demands-")
                path = files[who].with_name(kept)
                rival = who != own.settings.model
                each = by_name(own)[who]
                checks = demands(each, posterior, path, progress, rival=rival)
                mixture = self._mixture(who, own, posterior, progress)
                origin = self._origin(part, who, own, checks)
                self._write(files[who], splits, (None, mixture), origin)
        self._rivals(part, own, splits, files)

    def _mixture(self, who: str, own: Problem, posterior: Posterior, progress: Progress) -> Mixture:
        whole, seed = self._whole(who), self.problem.settings.predictions.seed
        splits = split(whole.studies, studies_of(own))
        draws = grown(whole.space, coordinates(posterior), posterior.draws(DRAWS), seed)
        return by_model(whole, splits, draws, lambda share: progress("forecast", share))

    def _whole(self, who: str) -> Likelihood:
        """The likelihood of all arms: their doses, visits and baselines make the forecast."""
        if who not in self.wholes:
            each = by_name(self.problem)[who]
            self.wholes[who], _ = planned(each.settings, each.data, each.disease, each.pk)
        return self.wholes[who]

    def _rivals(
        self, part: LeftOut, own: Problem, splits: tuple[Split, ...], files: dict[str, Path]
    ) -> None:
        rows, seen = rows_of(splits), points(splits, own.data)
        settings = own.settings
        said = {
            carried.NAME: lambda: carried.carried(rows, seen),
            logistic.NAME: lambda: logistic.logistic(
                rows, seen, self.problem.data, discrepancy=settings.discrepancy,
                seed=settings.predictions.seed,
            ),
        }  # fmt: skip
        for who, say in said.items():
            if not files[who].is_file():
                self._write(files[who], splits, say(), self._origin(part, who, own, ()))

    def _origin(
        self, part: LeftOut, who: str, own: Problem, checks: Iterable[Check]
    ) -> dict[str, Any]:
        """What a forecast came from: what was left out, hashes, seed, draws, demands missed."""
        each = by_name(own).get(who, own)
        return {
            "left_out": part.name, "kind": part.kind, "forecaster": who,
            "hashes": provenance(each)["hashes"], "versions": versions(), "draws": DRAWS,
            "seed": own.settings.predictions.seed, "sampler_seed": own.settings.sampler.seed,
            "rows_left_out": sorted(part.rows), "arms_left_out": sorted(part.arms),
            "missed": [f"{c.check}: {c.value:.4g} ({c.limit})" for c in checks if not c.passed],
        }  # fmt: skip

    def _write(
        self,
        path: Path,
        splits: tuple[Split, ...],
        said: tuple[np.ndarray | None, Mixture],
        origin: dict[str, Any],
    ) -> None:
        """Write what was said of the rows that were answered (None: of all)."""
        answered, mixture = said
        rows = rows_of(splits)
        rows = rows if answered is None else rows[answered]
        level = self.problem.settings.predictions.level
        write(forecast(rows, mixture, level=level, origin=origin), path)


def by_name(problem: Problem) -> dict[str, Problem]:
    """The problem by its model's name, then those of the models compared with."""
    others = {name: problem.with_model(name) for name in problem.settings.compare}
    return {problem.settings.model: problem, **others}


def studies_of(problem: Problem) -> tuple[Summaries, ...]:
    """What was posted, a study at a time; visits are numbered on no mesh that could be solved."""
    settings, data = problem.settings, problem.data
    days = np.unique(visit_weeks(settings, data)) * 7.0
    place = find_runs(data)[1]
    return gather(data, settings.endpoints, place, days, problem.pk, settings.discrepancy)
