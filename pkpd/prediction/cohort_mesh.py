"""The mesh of new patients: planned for those at the ends, proved for all.

A mesh must hold for whoever needs it finest, under the draw that asks most of it: a patient near
the limit of stability under most draws is past it under some. Who and which that is the parameters
tell: planned for are the patients with the largest and the smallest of each, each under all draws
that have the largest and smallest. Then all patients are solved on it and on a finer one, each
under draws of its own; who is off joins those planned for, and what remains is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int

from pkpd.errors import FitError
from pkpd.individual.build import in_closed_form, timed
from pkpd.individual.kept_mesh import on_mesh
from pkpd.individual.planning import FLOOR, HOLDS, compact, meshed
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.solve import Solver, finer

LOOKS = 3
"""Draws under which each patient is proved, its own ones."""

FEW = 64
"""Patients planned for, about, beside those at the ends."""

FINER, ROUNDS = 2, 3
"""How many times finer the mesh is that proves; how often those who are off join."""

Own = Mapping[str, Array]
Draws = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Lanes:
    """Patients by their places, each under a draw, and what parameters that gives them, (K, n)."""

    patient: Int[np.ndarray, " n"]
    draw: Int[np.ndarray, " n"]
    own: Mapping[str, Float[np.ndarray, "K n"]]


@dataclass(frozen=True)
class OnMesh:
    """New patients ready to be followed; `residual` is the largest error of their mesh seen.

    It is that of a state after a step, relative to |x| + FLOOR max |x|; 0 of a closed form.
    """

    likelihood: IndividualLikelihood
    residual: float


def on_kept_mesh(
    bare: IndividualLikelihood, draws: Draws, saved: xr.Dataset
) -> IndividualLikelihood:
    """The patients on the mesh that was `saved` (see `mesh_dataset`) when it was planned."""
    return on_mesh(replace(bare, solver=_ready(bare, draws)), saved)


def on_new_mesh(bare: IndividualLikelihood, draws: Draws) -> OnMesh:
    """The patients on a mesh of their own; `draws` hold their effects, too, the same in each.

    Raises
    ------
    FitError
        Where no mesh holds for those planned for, or one that does gives others no numbers.
    """
    solver, engine = _ready(bare, draws), bare.settings.engine
    if in_closed_form(bare):
        return OnMesh(replace(bare, solver=solver), 0.0)
    few, proofs = ends(bare, draws), looks(bare, draws)
    for _ in range(ROUNDS):
        pilot = meshed(solver.among(few.patient), [_arrays(few.own)], engine)
        made = replace(bare, solver=replace(solver, cut=pilot.cut, method=pilot.method))
        off = [*map(_proof(made.solver), proofs)]
        late = [np.flatnonzero(~(each <= HOLDS * engine.tolerance)) for each in off]
        if not any(each.size for each in late):
            break
        few = _joined([few, *map(_some, proofs, late)])
    residual = float(np.max(off))
    if not np.isfinite(residual):
        raise FitError(f"A mesh of {bare.model.name} that holds for those at the ends gives others "
                       "no numbers. Set engine.method, or lower engine.tolerance.")  # fmt: skip
    return OnMesh(made, residual)


def _ready(bare: IndividualLikelihood, draws: Draws) -> Solver:
    """The solver of all patients, all but its mesh."""
    middle = len(next(iter(draws.values()))) // 2
    solver = timed(bare, [bare.own({n: jnp.asarray(draws[n][k]) for n in draws})
                          for k in (0, middle, -1)])  # fmt: skip
    return solver if in_closed_form(bare) else compact(solver)


def _each(bare: IndividualLikelihood, draws: Draws) -> Callable[[int], dict[str, np.ndarray]]:
    """A draw's place -> all patients' own parameters under it, (K, 1 or N)."""
    own = jax.jit(bare.own)

    def found(k: int) -> dict[str, np.ndarray]:
        return {name: np.asarray(v) for name, v in own({n: v[k] for n, v in draws.items()}).items()}

    return found


def ends(bare: IndividualLikelihood, draws: Draws) -> Lanes:
    """Patients at the ends under draws at the ends, and `FEW` others, each under some draw."""
    own, count = _each(bare, draws), len(next(iter(draws.values())))
    most: dict[tuple[str, int], tuple[float, int, int]] = {}
    for k in range(count):
        for name, value in own(k).items():
            mean = value.mean(axis=0)
            for sign in (-1, 1):
                n = int((sign * mean).argmax())
                at = (float(sign * mean[n]), k, n if mean.size > 1 else -1)
                most[name, sign] = max(most.get((name, sign), at), at)
    patients = np.unique([n for _, _, n in most.values() if n >= 0]).astype(int)
    which = np.unique([k for _, k, _ in most.values()])
    size = bare.solver.design.count
    spread = np.linspace(0, size - 1, min(size, FEW)).astype(int)
    patient = np.concatenate([np.tile(patients, which.size), spread])
    draw = np.concatenate([np.repeat(which, patients.size), np.arange(spread.size) % count])
    return _lanes(own, patient, draw, size)


def looks(bare: IndividualLikelihood, draws: Draws) -> list[Lanes]:
    """All patients, `LOOKS` times, each under a draw of its own."""
    size, count = bare.solver.design.count, len(next(iter(draws.values())))
    chance, own = np.random.default_rng(0), _each(bare, draws)
    draw = chance.integers(0, count, LOOKS * size)
    every = _lanes(own, np.tile(np.arange(size), LOOKS), draw, size)
    return [_some(every, np.arange(k * size, (k + 1) * size)) for k in range(LOOKS)]


def _lanes(
    own: Callable[[int], dict[str, np.ndarray]],
    patient: Int[np.ndarray, " n"],
    draw: Int[np.ndarray, " n"],
    size: int,
) -> Lanes:
    """Those patients under those draws, of `size` patients in all."""
    found: dict[str, np.ndarray] = {}
    for k in np.unique(draw):
        here = np.flatnonzero(draw == k)
        for name, value in own(k).items():
            wide = np.broadcast_to(value, (len(value), size))
            found.setdefault(name, np.empty((len(value), patient.size)))[:, here] = wide[
                :, patient[here]
            ]
    return Lanes(patient, draw, found)


def _some(lanes: Lanes, chosen: Int[np.ndarray, " n"]) -> Lanes:
    own = {name: value[:, chosen] for name, value in lanes.own.items()}
    return Lanes(lanes.patient[chosen], lanes.draw[chosen], own)


def _joined(parts: Sequence[Lanes]) -> Lanes:
    own = {n: np.concatenate([each.own[n] for each in parts], axis=1) for n in parts[0].own}
    patient, draw = (np.concatenate([getattr(each, name) for each in parts])
                     for name in ("patient", "draw"))  # fmt: skip
    return Lanes(patient, draw, own)


def _arrays(own: Mapping[str, np.ndarray]) -> dict[str, Array]:
    return {name: jnp.asarray(value) for name, value in own.items()}


def _proof(solver: Solver) -> Callable[[Lanes], Float[np.ndarray, " N"]]:
    """All patients under some draws -> how far each is off a finer mesh; inf for nan."""
    tight = finer(solver, FINER)

    @jax.jit
    def off(own: Own) -> Float[Array, " N"]:
        rough, fine = solver.path(own)[0], tight.path(own)[0]
        most = jnp.abs(fine).max(axis=0) + 1e-12
        gap = jnp.abs(rough - fine) / (jnp.abs(fine) + FLOOR * most)
        return jnp.where(jnp.isfinite(gap), gap, jnp.inf).max(axis=(0, 1))

    return lambda lanes: np.asarray(off(_arrays(lanes.own)))
