"""The fits of what stays: drawn, or read where they were drawn before, and held to the demands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pkpd.arm_level.problem import Likelihood
from pkpd.checkpoint import checkpoint
from pkpd.diagnosis.checks import Check, coverage_check, sampling_checks, solver_check
from pkpd.diagnosis.solver import prove
from pkpd.files import replacing
from pkpd.fit_folder import Problem, sampled_likelihood
from pkpd.fitting import fitted
from pkpd.posterior import Posterior, load_posterior
from pkpd.prediction.predictive import predictive
from pkpd.provenance import provenance

Progress = Callable[[str, float], None]
PROOF = 200
"""Draws re-solved tightly for the proof of the mesh, as `pkpd diagnose` takes."""

REPLICATES = 400
"""Draws of the predictive check, as `pkpd diagnose` takes."""


def posteriors(problem: Problem, folder: Path, progress: Progress) -> dict[str, Posterior]:
    """The posterior of the problem's model and of those it is compared with, by model.

    Drawn before under the same hashes, they are read. A run that was killed goes on where it was.
    """
    names = (problem.settings.model, *problem.settings.compare)
    problems = dict(zip(names, _problems(problem), strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    known = {name: _known(each, _draws(folder, name)) for name, each in problems.items()}
    if all(known.values()):
        return {name: each for name, each in known.items() if each is not None}
    found = dict(zip(names, fitted(problem, folder, progress), strict=True))
    for name, each in found.items():
        each.save(_draws(folder, name))
    for each in found.values():
        checkpoint(folder, each.provenance).clear()
    return found


def _problems(problem: Problem) -> list[Problem]:
    return [problem, *(problem.with_model(name) for name in problem.settings.compare)]


def _draws(folder: Path, name: str) -> Path:
    return folder / f"draws-{name}.nc"


def _known(problem: Problem, path: Path) -> Posterior | None:
    if not path.is_file():
        return None
    posterior = load_posterior(path)
    same = posterior.provenance["hashes"] == provenance(problem)["hashes"]
    return posterior if same else None


def demands(
    problem: Problem, posterior: Posterior, path: Path, progress: Progress, *, rival: bool
) -> tuple[Check, ...]:
    """The demands of `fit.toml` on a posterior; what was found is kept at `path`.

    Sampling, solver and predictive check; `rival` models are held to those on sampling alone, as
    `pkpd diagnose` does.
    """
    if path.is_file():
        return tuple(Check(**row) for row in json.loads(path.read_text("utf-8")))
    settings = problem.settings
    found = sampling_checks(posterior.tree, settings.demands, settings.sampler.max_treedepth)
    if not rival:
        likelihood = sampled_likelihood(problem, posterior)
        found += _model_checks(likelihood, posterior, progress)
    with replacing(path) as partial:
        partial.write_text(json.dumps([asdict(c) for c in found], default=float), "utf-8")
    return tuple(found)


def _model_checks(likelihood: Likelihood, posterior: Posterior, progress: Progress) -> list[Check]:
    asked, limits = likelihood.settings.predictions, likelihood.settings.demands
    proof = prove(
        likelihood, posterior.draws(PROOF), lambda share: progress("proving the mesh", share)
    )
    seen = predictive(
        likelihood, posterior.draws(REPLICATES), level=asked.level,
        seed=likelihood.settings.sampler.seed,
    )  # fmt: skip
    inside = seen.loc[seen["fitted"].astype(bool), "inside"].mean()
    return [
        solver_check(proof.pareto_k, limits, proof.shift),
        coverage_check(float(inside), limits, asked.level),
    ]
