"""Courses of many patients under many draws on disk, written block by block (Zarr).

A group a regimen ("0", "1", ..), arrays (draw, patient, time) by observation, a block of draws a
chunk. Several processes may write at once, each its own blocks; `finished` tells which are there.
The group `mesh` in each says in its attributes on which mesh, and how far off that was at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Float

from pkpd.errors import FileFormatError

FORMAT = 2
NAME = "courses.zarr"
"""Of the store, in the fit's folder."""

BLOCK = 32 * 2**20
"""Bytes of a block, over all observations."""
DIMS = ("draw", "patient", "time")
OWN = (*DIMS, "block", "finished", "mesh")
"""Names of the store's own arrays, groups and dimensions: no observation can have one of them."""
PARTS = ("step", "begin", "finish")


@dataclass(frozen=True)
class Regimen:
    """What a group holds: a regimen in words, and when its patients are seen."""

    words: str
    times: Sequence[float]


@dataclass(frozen=True)
class Store:
    """A folder that holds courses, whole or in the making."""

    path: Path

    def create(
        self,
        regimens: Sequence[Regimen],
        observations: Sequence[str],
        shape: tuple[int, int],
        about: Mapping[str, Any],
    ) -> None:
        """Room for `shape` draws and patients under each regimen; `about` says of what."""
        root = zarr.create_group(self.path, overwrite=True)
        for number, regimen in enumerate(regimens):
            self._group(root, number, regimen, observations, shape)
        root.attrs.update({**about, "pkpd_courses_format": FORMAT})

    @property
    def complete(self) -> bool:
        """Whether the store was created in full: its own attributes are written last."""
        return self.path.is_dir() and self.attrs.get("pkpd_courses_format") == FORMAT

    @property
    def attrs(self) -> dict[str, Any]:
        """What the store says of itself; nothing where it is not one."""
        try:
            return dict(zarr.open_group(self.path, mode="r").attrs)
        except (FileNotFoundError, ValueError):
            return {}

    def _group(
        self,
        root: zarr.Group,
        number: int,
        regimen: Regimen,
        observations: Sequence[str],
        shape: tuple[int, int],
    ) -> None:
        draws, patients = shape
        size = block_size(len(observations), patients, len(regimen.times))
        group = root.create_group(str(number), attributes={"regimen": regimen.words})
        for name in observations:
            group.create_array(
                name, shape=(draws, patients, len(regimen.times)), dtype="float64",
                chunks=(min(size, draws), patients, len(regimen.times)),
                fill_value=np.nan, dimension_names=DIMS,
            )  # fmt: skip
        time = np.asarray(regimen.times, float)
        group.create_array("time", data=time, dimension_names=("time",))
        group.create_group("mesh")
        count = -(-draws // size)
        group.create_array("finished", shape=(count,), dtype="bool", chunks=(1,), fill_value=False,
                           dimension_names=("block",))  # fmt: skip

    def keep_mesh(self, regimen: int, mesh: xr.Dataset | None, residual: float) -> None:
        """Keep a regimen's mesh (None: a closed form), so that others who follow it need not plan.

        All at once: two processes that plan at the same time write the same.
        """
        told = {} if mesh is None else {name: mesh[name].values.tolist() for name in PARTS}
        method = "closed form" if mesh is None else mesh.attrs["method"]
        group = self._opened(regimen)["mesh"]
        group.attrs.update({"method": method, "residual": residual, **told})

    def mesh(self, regimen: int) -> xr.Dataset | None:
        """The mesh that is kept of a regimen, None where there is none."""
        told = dict(self._opened(regimen)["mesh"].attrs)
        if PARTS[0] not in told:
            return None
        parts = {name: ("part", np.asarray(told[name])) for name in PARTS}
        return xr.Dataset(parts, attrs={"method": told["method"]})

    def note(self, about: Mapping[str, Any]) -> None:
        """More of what the store says of itself."""
        zarr.open_group(self.path, mode="r+").attrs.update(dict(about))

    def blocks(self, regimen: int) -> list[slice]:
        """The blocks of a regimen that are not written yet, as draws."""
        group = self._opened(regimen)
        first = next(group[name] for name in group.array_keys() if name not in OWN)
        draws, size = first.shape[0], first.chunks[0]
        finished = np.asarray(group["finished"])
        every = [slice(k, min(k + size, draws)) for k in range(0, draws, size)]
        return [each for each, there in zip(every, finished, strict=True) if not there]

    def write(
        self, regimen: int, block: slice, found: Mapping[str, Float[np.ndarray, "D N T"]]
    ) -> None:
        """Write a block, then that it is there."""
        group = self._opened(regimen)
        for name, values in found.items():
            group[name][block] = values
        size = next(group[name].chunks[0] for name in found)
        group["finished"][block.start // size] = True

    def _opened(self, regimen: int) -> Any:
        return zarr.open_group(self.path, mode="r+")[str(regimen)]


def block_size(observations: int, patients: int, times: int) -> int:
    """Draws of a block."""
    return max(1, BLOCK // (8 * observations * patients * times))


def open_courses(path: str | Path) -> xr.DataTree:
    """The courses at `path`, a group a regimen, read as they are asked for.

    Arrays are (draw, patient, time) by observation: expected values in the data's units.

    Raises
    ------
    FileFormatError
        If there are none.
    """
    store = Store(Path(path))
    if not store.complete:
        raise FileFormatError(f"{path}: there are no courses. Run `pkpd courses FIT` first.")
    return xr.open_datatree(path, engine="zarr", consolidated=False)
