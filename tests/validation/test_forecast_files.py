"""Forecast files: whole, found again, never overwritten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from pkpd.validation.forecast import file_of, fitted_scale, forecast, key, natural, read, write
from pkpd.validation.mixture import Mixture
from pkpd.validation.split import ROWS

ARMS = (("one", "fraction", 40), ("two", "anscombe", 20), ("three", "log", 30))
HASHES = {"settings": "a", "data": "b"}


@pytest.fixture
def rows():
    made = [("S", arm, 28.0, "E", "mean", "observed", n, scale, "") for arm, scale, n in ARMS]
    return pd.DataFrame(made, columns=list(ROWS))


@pytest.fixture
def made(rows):
    mixture = Mixture(np.array([[-0.8, -0.6], [0.7, 0.9], [1.0, 1.2]]), np.full((3, 2), 0.1))
    return forecast(rows, mixture, level=0.9, origin={"missed": ["R-hat"], "seed": 3})


def test_a_forecast_is_read_as_it_was_written(made, tmp_path):
    found = read(write(made, tmp_path / "forecast-x.nc"))
    pd.testing.assert_frame_equal(found.rows, made.rows, check_dtype=False)
    assert np.array_equal(found.mixture.centre, made.mixture.centre)
    assert np.array_equal(found.mixture.spread, made.mixture.spread)
    assert np.array_equal(found.quantiles, made.quantiles)
    assert found.origin == made.origin and found.origin["made"]


def test_a_forecast_is_never_overwritten(made, tmp_path):
    path = write(made, tmp_path / "forecast-x.nc")
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        write(replace(made, quantiles=made.quantiles + 1), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_forecast_that_fails_midway_leaves_nothing(made, tmp_path):
    with pytest.raises(ValueError):
        write(replace(made, quantiles=made.quantiles[:2]), tmp_path / "forecast-x.nc")
    assert list(tmp_path.iterdir()) == []


def test_no_answer_at_all_is_a_forecast_too(rows, tmp_path):
    none = forecast(rows[:0], Mixture(np.zeros((0, 1)), np.zeros((0, 1))), level=0.9, origin={})
    assert read(write(none, tmp_path / "forecast-x.nc")).rows.empty


def test_another_source_has_another_name_and_the_same_the_same(tmp_path):
    first = key(HASHES, "STREAM-AD-2", "direct_emax", 400, 0.9, 1)
    assert first == key(dict(reversed(HASHES.items())), "STREAM-AD-2", "direct_emax", 400, 0.9, 1)
    others = (
        key({**HASHES, "data": "c"}, "STREAM-AD-2", "direct_emax", 400, 0.9, 1),
        key(HASHES, "off-drug", "direct_emax", 400, 0.9, 1),
        key(HASHES, "STREAM-AD-2", "logistic", 400, 0.9, 1),
        key(HASHES, "STREAM-AD-2", "direct_emax", 400, 0.9, 2),
    )
    assert len({file_of(tmp_path, "who", each) for each in (first, *others)}) == 5


def test_intervals_are_the_quantiles_of_the_mixture_on_the_natural_scale(made):
    for (_, row), m in zip(made.rows.iterrows(), made.mixture.centre, strict=True):
        ends = fitted_scale(made.rows[made.rows.arm == row.arm], np.array([[row.lower, row.upper]]))
        for end, level in zip(ends[0], (0.05, 0.95), strict=True):
            assert norm.cdf(end, m, 0.1).mean() == pytest.approx(level, abs=1e-6)
    assert set(made.rows.level) == {0.9} and set(made.rows.kind) == {"eti"}


def test_scales_are_told_in_per_cent_shares_and_mg_per_litre(rows):
    fitted = np.array([[-0.8], [np.arcsin(np.sqrt(10.375 / 20.75))], [np.log(5.0)]])
    shown = natural(rows, fitted)
    assert shown[:, 0] == pytest.approx([-80.0, 0.5, 5.0])
    assert fitted_scale(rows, shown) == pytest.approx(fitted)
