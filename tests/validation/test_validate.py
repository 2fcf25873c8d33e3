"""The verb on a small copy of the fit that ships: what it leaves, and what a second run makes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import pkpd
from pkpd.errors import DataError
from pkpd.validation.forecast import read
from pkpd.validation.run import validate
from pkpd.validation.scoring import COLUMNS, ROW_COLUMNS

FITS = Path(__file__).parents[2] / "fits"
SMALL = {"count": 4, "tune": 10, "pilot": 0, "max_treedepth": 2}
ENDPOINTS = re.compile(
    r'\[\[endpoints\]\]\nendpoint = "(EASI50|EASI90|CONC|IGA01)".*?\n\n', re.DOTALL
)


@pytest.fixture
def folder(tmp_path):
    """A copy with two endpoints, few patients and few draws, and no model compared with."""
    shutil.copytree(FITS / "data", tmp_path / "fits" / "data")
    made = tmp_path / "fits" / "ox40_extension"
    made.mkdir()
    text = ENDPOINTS.sub("", (FITS / "ox40_extension" / "fit.toml").read_text())
    text = re.sub(r"(?m)^compare = .*$", "compare = []", text)
    text = re.sub(r"(?m)^draws = 1300\b", "draws = 20", text)
    for key, value in SMALL.items():
        text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
    (made / "fit.toml").write_text(text)
    return made


def test_the_verb_stands_at_the_door():
    assert pkpd.validate is validate


def test_unknown_names_are_refused_before_anything_is_computed(folder):
    with pytest.raises(DataError, match="Did you mean STREAM-AD-2"):
        validate(folder, ["STREAM-AD2"])
    assert sorted(path.name for path in folder.iterdir()) == ["fit.toml"]


def test_a_fit_of_individuals_has_no_arms_to_leave_out():
    with pytest.raises(DataError, match="individual records"):
        validate(FITS / "warfarin", ["arm"])


@pytest.mark.slow
def test_a_part_is_forecast_scored_and_found_again(folder):
    told = []
    first = validate(folder, ["STREAM-AD-2"], progress=lambda stage, share: told.append(stage))
    place = folder / "validation" / "trial-STREAM-AD-2"
    files = {path: path.read_bytes() for path in place.glob("forecast-*.nc")}
    assert len(files) == 3 and not list(place.glob(".partial-*"))
    assert any("sampling" in stage for stage in told)
    origin = read(next(path for path in files if "tcell" in path.name)).origin
    assert origin["left_out"] == "STREAM-AD-2" and origin["missed"] and not first.passed
    table, rows = (pd.read_csv(folder / name) for name in ("validation.csv", "validation-rows.csv"))
    assert list(table.columns) == list(COLUMNS) and list(rows.columns) == list(ROW_COLUMNS)
    assert set(table.forecaster) == {"tcell_rebalancing", "carry_forward", "logistic"}
    assert not table[table.forecaster == "tcell_rebalancing"].passed.any()
    told.clear()
    again = validate(folder, ["STREAM-AD-2"], progress=lambda stage, share: told.append(stage))
    assert not told and {path: path.read_bytes() for path in files} == files
    pd.testing.assert_frame_equal(first.table, again.table)


@pytest.mark.slow
def test_changed_settings_make_another_forecast_beside_the_first(folder):
    validate(folder, ["STREAM-AD-2"])
    place = folder / "validation" / "trial-STREAM-AD-2"
    before = {path: path.read_bytes() for path in place.glob("forecast-*.nc")}
    text = (folder / "fit.toml").read_text()
    (folder / "fit.toml").write_text(text.replace("discrepancy = 0.03", "discrepancy = 0.05"))
    validate(folder, ["STREAM-AD-2"])
    after = {path: path.read_bytes() for path in place.glob("forecast-*.nc")}
    assert len(after) == 2 * len(before) and all(after[path] == before[path] for path in before)
    hashes = {json.dumps(read(path).origin["hashes"], sort_keys=True) for path in after}
    assert len(hashes) == 2


@pytest.mark.slow
def test_a_worker_makes_the_same_forecasts(folder, tmp_path):
    there = shutil.copytree(folder.parent, tmp_path / "there") / "ox40_extension"
    here = validate(folder, ["STREAM-AD-2"])
    shared = validate(there, ["STREAM-AD-2"], count=1)
    pd.testing.assert_frame_equal(here.table, shared.table)
