"""From a problem to posteriors: of its own model, and of those it is compared with."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from pkpd.arm_level.by_draw import by_draw
from pkpd.arm_level.held import held_dataset
from pkpd.arm_level.planned import planned
from pkpd.arm_level.problem import Likelihood
from pkpd.checkpoint import Checkpoint, checkpoint
from pkpd.fit_folder import Problem
from pkpd.posterior import Posterior
from pkpd.provenance import provenance
from pkpd.sampling import sample
from pkpd.search import Progress, Start, find_mode

THREADS = 2
"""Models prepared side by side: finding a start keeps little more than one core busy."""


def fitted(problem: Problem, folder: Path, progress: Progress) -> list[Posterior]:
    """The posterior of the problem's model, then of each model in `compare`.

    What is done is remembered in `folder`: see `checkpoint`.
    """
    others = problem.settings.compare
    problems = [problem, *(problem.with_model(name) for name in others)]
    heard = [progress, *(_under(name, progress) for name in others)]
    kept = [checkpoint(folder, provenance(each)) for each in problems]
    with ThreadPoolExecutor(THREADS) as pool:
        prepared = list(pool.map(_prepared, problems, kept, heard))
    return [_sampled(each, tell) for each, tell in zip(prepared, heard, strict=True)]


def planned_arms(problem: Problem, progress: Progress) -> Likelihood:
    """The likelihood of a problem on the mesh that a run would plan."""
    progress("planning the mesh", 0.0)
    likelihood, _ = planned(problem.settings, problem.data, problem.disease, problem.pk)
    progress("planning the mesh", 1.0)
    return likelihood


@dataclass(frozen=True)
class _Prepared:
    """A problem with a place to sample from, and what its card will say of that."""

    problem: Problem
    kept: Checkpoint
    start: Start
    record: dict[str, Any]


def _prepared(problem: Problem, kept: Checkpoint, progress: Progress) -> _Prepared:
    progress("planning the mesh", 0.0)
    began = time.perf_counter()
    likelihood, error = planned(problem.settings, problem.data, problem.disease, problem.pk)
    progress("planning the mesh", 1.0)
    plan = time.perf_counter() - began
    start = find_mode(likelihood, progress, kept)
    seconds = {"plan mesh": plan, "find start": time.perf_counter() - began - plan}
    mesh = [float(day) for day in likelihood.lanes.mesh]
    return _Prepared(problem, kept, start, {"seconds": seconds, "mesh": mesh, "mesh_error": error})


def _sampled(prepared: _Prepared, progress: Progress) -> Posterior:
    drawn = sample(prepared.start, progress, prepared.kept)
    record = provenance(prepared.problem) | prepared.record
    record["seconds"] = {**prepared.record["seconds"], **drawn.seconds}
    record["resumed"] = drawn.resumed
    record["reference"] = [float(value) for value in drawn.reference]
    assert drawn.likelihood.frozen is not None
    tree = drawn.tree.copy()
    tree["held"] = xr.DataTree(held_dataset(drawn.likelihood.frozen))
    found = Posterior(tree, record)
    tree["log_likelihood"] = xr.DataTree(_by_arm(drawn.likelihood, found))
    return found


def _by_arm(likelihood: Likelihood, found: Posterior) -> xr.Dataset:
    """Log-likelihoods of the arms at every draw, as ArviZ has them: (chain, draw, arm)."""
    drawn = found.tree["posterior"].dataset
    value = by_draw(likelihood, found.draws())
    shape = (drawn.sizes["chain"], drawn.sizes["draw"], value.shape[1])
    coords = {**{k: drawn[k] for k in ("chain", "draw")}, "arm": likelihood.arm_names}
    return xr.Dataset({"arms": (("chain", "draw", "arm"), value.reshape(shape))}, coords)


def _under(model: str, progress: Progress) -> Progress:
    return lambda stage, share: progress(f"{model}: {stage}", share)
