"""Held covariances as a data set, to lie beside the draws that were made under them."""

from __future__ import annotations

from dataclasses import fields

import xarray as xr

from pkpd.arm_level.frozen import Frozen

PARTS = tuple(part.name for part in fields(Frozen))


def held_dataset(held: tuple[Frozen, ...]) -> xr.Dataset:
    """Variables `whitening_0`, `bend_0`, `constant_0`, `whitening_1` and so on, by study."""
    found = {}
    for k, study in enumerate(held):
        for part in PARTS:
            value = getattr(study, part)
            found[f"{part}_{k}"] = ([f"{part}_{k}_{axis}" for axis in range(value.ndim)], value)
    return xr.Dataset(found)


def held_from(saved: xr.Dataset) -> tuple[Frozen, ...]:
    """The covariances that `held_dataset` made `saved` of."""
    studies = len(saved.data_vars) // len(PARTS)
    return tuple(
        Frozen(**{part: saved[f"{part}_{k}"].values for part in PARTS}) for k in range(studies)
    )
