"""The mesh planned again where sampling begins, and kept beside the draws that were made on it.

Before anything is known a mesh is planned at the prior medians. The posterior may lie where some
subject moves faster, and explicit steps that nearly break there are worse than inaccurate: the
error of one subject of `trial_simulated` (1.4 in log-likelihood, the others below 0.01) held a
chain for 500 draws. So the mesh must hold at the start, too, at draws of the Gaussian about it, and
where one effect of every subject lies far out: among hundreds of subjects some do, and a mesh that
breaks there (fast absorption under long explicit steps gives no number at all) cuts the posterior
off: it made 113 of the 163 divergences of `trial_simulated`. A pilot run says where the posterior
is, which is narrower than the Gaussian about the mode, and fewer parts do there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from pkpd.errors import FitError
from pkpd.individual.build import solved
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.start import Start
from pkpd.individual.whitened import whitened
from pkpd.mechanism.lanes import Parts

DRAWS, SEED, REACH = 6, 1, 2.0
"""Draws about the start at which the mesh must hold, and how far they go, in SDs."""

FAR = 5.0
"""How far out, in SDs between subjects, each effect alone is tried to either side."""


def replanned(start: Start, seen: Mapping[str, np.ndarray] | None = None) -> Start:
    """The same start, of a likelihood whose mesh holds about it; `FitError` where none does.

    With draws `seen`, draws first, the mesh must hold at these in place of the Gaussian's.
    """
    if start.likelihood.solver.cut is None:
        return start
    here = start.values()
    around = _around(start) if seen is None else _each(seen)
    ends = _ends(start, here)
    for far in (ends, []):  # either may be too wild
        with contextlib.suppress(FitError):
            return replace(start, likelihood=solved(start.likelihood, [here, *around], far))
    return replace(start, likelihood=solved(start.likelihood, [here]))


def _ends(start: Start, here: dict[str, Array]) -> list[dict[str, Array]]:
    """The start with one effect far out in all subjects, others where they are."""
    effects = [v.name for v in start.likelihood.space.variables if v.dim is not None]
    return [
        {**here, name: jnp.full_like(here[name], far)} for name in effects for far in (-FAR, FAR)
    ]


def _around(start: Start) -> list[dict[str, Array]]:
    space, walked = start.likelihood.space, whitened(start)
    wide = np.random.default_rng(SEED).normal(size=(DRAWS, space.size)).clip(-REACH, REACH)
    return [space.unpack(walked.natural(jnp.asarray(u))) for u in wide]


def _each(seen: Mapping[str, np.ndarray]) -> list[dict[str, Array]]:
    count = len(next(iter(seen.values())))
    return [{name: jnp.asarray(value[k]) for name, value in seen.items()} for k in range(count)]


def mesh_dataset(likelihood: IndividualLikelihood) -> xr.Dataset | None:
    """Parts and method of the mesh, to lie beside the draws; None for a closed form."""
    cut = likelihood.solver.cut
    if cut is None:
        return None
    parts = {name: ("part", getattr(cut, name)) for name in ("step", "begin", "finish")}
    return xr.Dataset(parts, attrs={"method": likelihood.solver.method})


def on_mesh(likelihood: IndividualLikelihood, saved: xr.Dataset) -> IndividualLikelihood:
    """The likelihood on the mesh that `mesh_dataset` made `saved` of."""
    cut = Parts(*(saved[name].values for name in ("step", "begin", "finish")))
    solver = replace(likelihood.solver, cut=cut, method=str(saved.attrs["method"]))
    return replace(likelihood, solver=solver)
