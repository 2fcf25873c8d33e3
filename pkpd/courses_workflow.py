"""`pkpd courses`: new patients followed under every draw and regimen, streamed to disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from pkpd.errors import DataError, Fault
from pkpd.individual.kept_mesh import mesh_dataset
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual_folder import IndividualFit
from pkpd.individual_forecast import demands_of
from pkpd.individual_workflow import with_draws
from pkpd.posterior import Posterior
from pkpd.prediction.cohort_mesh import on_kept_mesh, on_new_mesh
from pkpd.prediction.courses_store import NAME, OWN, Regimen, Store
from pkpd.prediction.new_courses import courses as followed
from pkpd.prediction.new_courses import new_cohort, with_effects
from pkpd.prediction.new_subjects import label
from pkpd.provenance import asked_hash, one_hash
from pkpd.settings_individual import Predictions, is_individual
from pkpd.workers import done, workers

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Piece:
    """Blocks of one regimen that one process follows: those of `share` out of `shares`."""

    folder: Path
    store: Path
    hashes: str
    asked: Predictions
    regimen: int
    share: int
    shares: int


def courses(
    folder: str | Path,
    *,
    patients: int | None = None,
    draws: int | None = None,
    count: int | None = None,
    cluster: str | None = None,
    progress: Progress = lambda stage, share: None,
) -> Path:
    """Follow new patients under each draw and each regimen of fit.toml; writes courses.zarr.

    `patients` and `draws` stand for those of `[predictions]`. Without `count` and `cluster` the
    work is done in this process, else by `count` processes or the workers of a Dask scheduler: the
    numbers are the same. Memory holds one block of draws a process. A run that was killed goes on
    where it was.

    Raises
    ------
    DataError
        If the fit has no individual records or no regimens, an observation has a name of the store,
        or the fit changed since its draws were made.
    """
    folder = Path(folder).resolve()
    progress("opening the draws", 0.0)
    opened, posterior = _checked(folder, patients, draws)
    progress("opening the draws", 1.0)
    asked = _asked(opened, posterior, patients, draws)
    hashes = one_hash(posterior.provenance["hashes"])
    store = Store(folder / f".partial-{asked_hash(asked)[:12]}-{hashes[:12]}-{NAME}")
    if not store.complete:
        _create(store, opened, asked, hashes)
    spread = count if cluster is None else None
    shares = max(1, -(-(spread or 1) // len(asked.regimens)))
    pieces = [
        Piece(folder, store.path, hashes, asked, regimen, share, shares)
        for regimen in range(len(asked.regimens))
        for share in range(shares)
    ]
    progress("following", 0.0)
    with _followers(count, cluster) as follow:
        for number, _ in enumerate(follow(pieces)):
            progress("following", (number + 1) / len(pieces))
    store.note({"demands": demands_of(opened)})
    return _named(store, folder / NAME)


def _checked(
    folder: Path, patients: int | None, draws: int | None
) -> tuple[IndividualFit, Posterior]:
    faults = [
        Fault(f"{name} {value}", "less than one", "Give 1 or more")
        for name, value in (("patients", patients), ("draws", draws))
        if value is not None and value < 1
    ]
    settings = folder / "fit.toml"
    if settings.is_file() and not is_individual(settings):
        remedy = "Name a fit of individual records, or use `pkpd predict` and `pkpd decide`"
        faults.append(Fault(str(folder), "courses are of individual-level fits", remedy))
    if faults:
        raise DataError(faults)
    opened, posterior = with_draws(folder)
    if not opened.settings.predictions.regimens:
        found = "[[predictions.regimens]] names no regimen"
        raise DataError([Fault(str(settings), found, "Add one: amount, every, count, times")])
    names = [each.label for each in opened.settings.observations]
    taken = [name for name in names if name in OWN]
    if taken:
        remedy = f"Give it another name: {', '.join(OWN)} are names of {NAME}"
        found = "an observation cannot be called so where courses are kept"
        raise DataError([Fault(f"{settings} observation {n}", found, remedy) for n in taken])
    return opened, posterior


def _asked(
    opened: IndividualFit, posterior: Posterior, patients: int | None, draws: int | None
) -> Predictions:
    """What is asked for, no more draws than there are."""
    asked = opened.settings.predictions
    there = len(next(iter(posterior.draws().values())))
    return asked.model_copy(
        update={"patients": patients or asked.patients, "draws": min(draws or asked.draws, there)}
    )


def _create(store: Store, opened: IndividualFit, asked: Predictions, hashes: str) -> None:
    """Room for what is asked for; what was begun for another question goes."""
    for other in opened.folder.glob(f".partial-*-{NAME}"):
        shutil.rmtree(other)
    regimens = [Regimen(label(each, opened.model), sorted(each.times)) for each in asked.regimens]
    about = {"fit": opened.settings.name, "hashes": hashes, "seed": asked.seed,
             "time_unit": opened.model.units["time"]}  # fmt: skip
    names = [each.label for each in opened.settings.observations]
    store.create(regimens, names, (asked.draws, asked.patients), about)


@contextmanager
def _followers(count: int | None, cluster: str | None) -> Iterator[Callable]:
    """What does pieces: this process, or workers."""
    if count is None and cluster is None:
        yield lambda pieces: map(follow, pieces)
        return
    with workers(count or 1, cluster) as client:
        yield lambda pieces: done(client, follow, pieces)


def follow(piece: Piece) -> int:
    """Write the blocks of a piece that are not there yet; how many these were."""
    store = Store(piece.store)
    todo = [
        block
        for number, block in enumerate(store.blocks(piece.regimen))
        if number % piece.shares == piece.share
    ]
    if not todo:
        return 0
    opened, draws = _kept(piece.folder, piece.hashes, piece.asked.draws)
    made = _cohort(piece, opened, draws)
    names = [each.label for each in opened.settings.observations]
    chosen = np.concatenate([np.arange(block.start, block.stop) for block in todo])
    one_by_one = followed(made, {n: v[chosen] for n, v in draws.items()}, piece.asked.seed)
    for block in todo:
        found = list(islice(one_by_one, block.stop - block.start))
        by_name = {n: np.stack([draw[k] for draw in found]) for k, n in enumerate(names)}
        store.write(piece.regimen, block, by_name)
    return len(todo)


def _cohort(
    piece: Piece, opened: IndividualFit, draws: Mapping[str, np.ndarray]
) -> IndividualLikelihood:
    """The patients of a piece on the regimen's mesh: as it is kept, or planned and kept now."""
    store = Store(piece.store)
    settings = opened.settings.model_copy(update={"predictions": piece.asked})
    regimen = piece.asked.regimens[piece.regimen]
    cohort = new_cohort(settings, opened.model, opened.data.events.table, regimen).walked()
    values, saved = with_effects(cohort, draws, piece.asked.seed), store.mesh(piece.regimen)
    if saved is not None:
        return on_kept_mesh(cohort, values, saved)
    found = on_new_mesh(cohort, values)
    store.keep_mesh(piece.regimen, mesh_dataset(found.likelihood), found.residual)
    return found.likelihood


@lru_cache(maxsize=1)
def _kept(folder: Path, hashes: str, count: int) -> tuple[IndividualFit, dict[str, np.ndarray]]:
    """A fit and its draws, read once a process; `hashes` tells them from those of another run."""
    opened, posterior = with_draws(folder)
    return opened, posterior.draws(count)


def _named(store: Store, path: Path) -> Path:
    """The store under its final name, in place of one that was there."""
    old = path.with_name(f".partial-old-{os.getpid()}-{path.name}")
    if path.exists():
        os.replace(path, old)
    os.replace(store.path, path)
    shutil.rmtree(old, ignore_errors=True)
    return path
