"""The mesh of new patients: planned for few of them under draws of the posterior, proved for all.

A mesh must hold for the patient who needs it finest, and who that is their parameters tell: planned
for are those with the largest and the smallest of each, and some between. Then all of them are
solved on it and on a finer one, under draws that it was not planned for; who is off joins those
planned for, and what remains is told with the courses.
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
"""Draws that a mesh is planned for, and as many others that it is proved under."""

FEW = 64
"""Patients planned for, about."""

FINER, ROUNDS = 2, 3
"""How many times finer the mesh is that proves; how often those who are off join."""

Own = Mapping[str, Array]


@dataclass(frozen=True)
class OnMesh:
    """New patients ready to be followed; `residual` is the largest error of their mesh seen.

    It is that of a state after a step, relative to |x| + FLOOR max |x|; 0 of a closed form.
    """

    likelihood: IndividualLikelihood
    residual: float


def on_kept_mesh(
    bare: IndividualLikelihood, draws: Mapping[str, np.ndarray], saved: xr.Dataset
) -> IndividualLikelihood:
    """The patients on the mesh that was `saved` (see `mesh_dataset`) when it was planned."""
    return on_mesh(replace(bare, solver=_ready(bare, _points(bare, draws, 0))), saved)


def on_new_mesh(bare: IndividualLikelihood, draws: Mapping[str, np.ndarray]) -> OnMesh:
    """The patients on a mesh of their own; `draws` hold their effects, too, the same in each.

    Raises
    ------
    FitError
        Where no mesh holds for those planned for, or one that does gives others no numbers.
    """
    points, others = _points(bare, draws, 0), _points(bare, draws, 1)
    solver, engine = _ready(bare, points), bare.settings.engine
    if in_closed_form(bare):
        return OnMesh(replace(bare, solver=solver), 0.0)
    chosen = extremes(points, solver.design.count)
    for _ in range(ROUNDS):
        pilot = meshed(solver.among(chosen), [_among(own, chosen) for own in points], engine)
        made = replace(bare, solver=replace(solver, cut=pilot.cut, method=pilot.method))
        off = np.max([*map(_proof(made.solver), others)], axis=0)
        late = np.setdiff1d(np.flatnonzero(~(off <= HOLDS * engine.tolerance)), chosen)
        if late.size == 0:
            break
        chosen, points = np.union1d(chosen, late), [*points, *others]
    if not np.isfinite(off).all():
        raise FitError(f"On its mesh {bare.model.name} gives patient {int(off.argmax()) + 1} no "
                       "numbers. Set engine.method, or lower engine.tolerance.")  # fmt: skip
    return OnMesh(made, float(off.max()))


def _ready(bare: IndividualLikelihood, points: Sequence[Own]) -> Solver:
    """The solver of all patients, all but its mesh."""
    solver = timed(bare, points)
    return solver if in_closed_form(bare) else compact(solver)


def _points(
    bare: IndividualLikelihood, draws: Mapping[str, np.ndarray], half: int
) -> list[dict[str, Array]]:
    """Own parameters under `LOOKS` draws spread over all: of two such choices one."""
    count = len(next(iter(draws.values())))
    places = np.linspace(0, count - 1, 2 * LOOKS).astype(int)[half::2]
    found = [{n: jnp.asarray(v[k]) for n, v in draws.items()} for k in np.unique(places)]
    return [bare.own(values) for values in found]


def extremes(points: Sequence[Own], count: int) -> Int[np.ndarray, " n"]:
    """Places of those with the largest and smallest of each parameter, and of some between."""
    found = [np.linspace(0, count - 1, min(count, FEW)).astype(int)]
    for own in points:
        each = [np.asarray(value).mean(axis=0) for value in own.values()]
        found += [np.array([x.argmin(), x.argmax()]) for x in each if x.size == count]
    return np.unique(np.concatenate(found))


def _among(own: Own, chosen: Int[np.ndarray, " n"]) -> dict[str, Array]:
    return {name: v[:, chosen] if v.shape[-1] > 1 else v for name, v in own.items()}


def _proof(solver: Solver) -> Callable[[Own], Float[np.ndarray, " N"]]:
    """Own parameters -> how far each patient is off a mesh `FINER` times finer; inf for nan."""
    tight = finer(solver, FINER)

    @jax.jit
    def off(own: Own) -> Float[Array, " N"]:
        rough, fine = solver.path(own)[0], tight.path(own)[0]
        most = jnp.abs(fine).max(axis=0) + 1e-12
        gap = jnp.abs(rough - fine) / (jnp.abs(fine) + FLOOR * most)
        return jnp.where(jnp.isfinite(gap), gap, jnp.inf).max(axis=(0, 1))

    return lambda own: np.asarray(off(dict(own)))
