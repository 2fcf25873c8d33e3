"""Held covariances written beside draws come back as they were."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from pkpd.arm_level.frozen import Frozen
from pkpd.arm_level.held import held_dataset, held_from


@pytest.fixture
def held():
    random = np.random.default_rng(1)
    return tuple(
        Frozen(random.normal(size=(a, f, f)), random.normal(size=(a, f)), random.normal(size=a))
        for a, f in ((3, 7), (2, 4))
    )


def test_what_is_written_is_read_back(held, tmp_path):
    path = tmp_path / "held.nc"
    held_dataset(held).to_netcdf(path, engine="h5netcdf")
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        found = held_from(opened.load())
    for mine, theirs in zip(held, found, strict=True):
        np.testing.assert_array_equal(mine.whitening, theirs.whitening)
        np.testing.assert_array_equal(mine.bend, theirs.bend)
        np.testing.assert_array_equal(mine.constant, theirs.constant)
