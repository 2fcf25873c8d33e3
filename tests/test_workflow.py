"""A whole run on a small copy of the fit that ships: what it leaves, and what a second gives."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pkpd import decision_workflow, workflow
from pkpd.arm_level.by_draw import by_draw
from pkpd.files import replacing
from pkpd.fit_folder import note_asked, read_card, update_card
from pkpd.opened import opened
from pkpd.posterior import load_posterior
from pkpd.prediction.asked import Asked
from pkpd.provenance import provenance
from pkpd.reporting.folder import COLUMNS

FITS = Path(__file__).parents[1] / "fits"
SMALL = {
    "count": 8, "tune": 15, "max_treedepth": 3, "patients": 32, "compare": [],
    "draws": {"sampler": 15, "predictions": 8},
}  # fmt: skip
TABLES = ("summary.csv", "ppc.csv", "predictions.csv", "decisions.csv")


def small_fit(root):
    """A copy of fits/ with little to compute; gives the fit's folder."""
    shutil.copytree(FITS / "data", root / "fits" / "data")
    folder = root / "fits" / "ox40_extension"
    folder.mkdir()
    section, lines = "", []
    for line in (FITS / "ox40_extension" / "fit.toml").read_text().splitlines():
        section = line.strip("[]") if line.startswith("[") else section
        key = line.partition(" = ")[0]
        value = SMALL.get(key)
        value = value.get(section) if isinstance(value, dict) else value
        lines.append(line if value is None else f"{key} = {value}")
    (folder / "fit.toml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path):
    return small_fit(tmp_path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of a run, and whether every demand was met."""
    folder = small_fit(tmp_path_factory.mktemp("run"))
    told = []
    passed = workflow.run(folder, progress=lambda stage, share: told.append((stage, share)))
    return folder, passed, told


def test_the_small_copy_is_small(folder):
    settings = workflow.check(folder).problem.settings
    assert settings.patients.count == settings.predictions.draws == 8
    assert settings.sampler.draws == 15 and settings.compare == ()


def test_a_fit_is_never_run_then_current_then_stale(folder):
    def state():
        return workflow.stale(folder.parent).set_index("fit").loc["ox40_extension", "state"]

    assert state() == "never run"
    (folder / "draws.nc").write_bytes(b"draws")
    problem = workflow.check(folder).problem
    hashes = provenance(problem)["hashes"]
    update_card(folder, {"hashes": hashes, **note_asked(folder, "predict", problem.settings)})
    assert state() == "current"
    text = (folder / "fit.toml").read_text()
    (folder / "fit.toml").write_text(text.replace('title = "', 'title = "Another: '))
    assert state() == "current"
    loss = "[predictions.loss]\ninjection = 1\n\n[[predictions.q"
    (folder / "fit.toml").write_text(text.replace("[[predictions.q", loss, 1))
    assert state() == "current"
    (folder / "fit.toml").write_text(text.replace("intervals = [", "intervals = [2, "))
    assert state() == "predictions stale"
    (folder / "fit.toml").write_text(text.replace("seed = 20261", "seed = 20262"))
    assert state() == "stale"


def test_a_verdict_never_stands_beside_the_predictions_of_other_draws(tmp_path):
    (tmp_path / "draws.nc").write_bytes(b"one")
    update_card(tmp_path, {"passed": True})
    update_card(tmp_path, {"sentence": "first"})
    assert read_card(tmp_path)["passed"] is True
    (tmp_path / "draws.nc").write_bytes(b"two")
    update_card(tmp_path, {"sentence": "second"})
    assert "passed" not in read_card(tmp_path)


def test_a_file_that_fails_midway_leaves_the_old_one(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


def test_a_process_killed_midway_leaves_nothing_under_the_final_name(tmp_path):
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom pkpd.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "table.csv")]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(FITS.parent)})
    assert done.returncode == -signal.SIGKILL
    assert [re.sub(r"-\d+-", "-N-", f.name) for f in tmp_path.iterdir()] == [".partial-N-table.csv"]


@pytest.mark.slow
def test_a_run_keeps_what_every_arm_said_of_every_draw(ran):
    likelihood, posterior = opened(ran[0])
    kept = posterior.tree["log_likelihood"].dataset["arms"]
    assert kept.sizes == {"chain": 2, "draw": 15, "arm": len(likelihood.arm_names)}
    assert list(kept["arm"].values) == list(likelihood.arm_names)
    found = by_draw(likelihood, posterior.draws(7))
    assert posterior.by_arm(7) == pytest.approx(found, rel=1e-9)
    assert len(found) == 7 and np.ptp(found, axis=0).min() > 0


@pytest.mark.slow
def test_a_run_leaves_every_table_the_card_and_the_page(ran):
    folder, passed, _ = ran
    assert {path.name for path in folder.iterdir()} == {
        "fit.toml", "card.json", "draws.nc", "report.html", *TABLES,
    }  # fmt: skip
    for name in TABLES:
        assert list(pd.read_csv(folder / name).columns) == COLUMNS[name].split(",")
    decided = pd.read_csv(folder / "decisions.csv")
    assert {*decided.status} == {decision_workflow.status_of(folder)} and len(decided) > 100
    card = json.loads((folder / "card.json").read_text())
    assert card["passed"] is passed is all(row["passed"] for row in card["diagnostics"])
    assert "responders to rocatinlimab" in card["sentence"] and card["warnings"]
    page = (folder / "report.html").read_text()
    assert card["sentence"] in page and ("not final" in page) is not passed


@pytest.mark.slow
def test_progress_is_told_stage_by_stage_up_to_the_end(ran):
    _, _, told = ran
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert stages[0] == "planning the mesh" and stages[-1] == "deciding"
    assert "sampling" in stages and all(0 <= share <= 1 for _, share in told)


@pytest.mark.slow
def test_results_are_current_until_the_settings_change(ran):
    folder, passed, _ = ran
    row = workflow.stale(folder.parent).iloc[0]
    assert (row["state"], row["passed"]) == ("current", passed)


@pytest.mark.slow
def test_any_regimen_is_predicted_from_the_draws(ran):
    asked = Asked("rocatinlimab", "300 mg every 8 weeks", (24.0, 52.0), "EASI75", "NRI", 300)
    table = workflow.predict_regimen(ran[0], asked, level=0.9, seed=1)
    assert list(table.week) == [24, 52] and set(table.layer) == {"new_trial"}
    assert (table.lower <= table["mean"]).all() and (table["mean"] <= table.upper).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_and_tables(ran, tmp_path):
    first, second = ran[0], small_fit(tmp_path)
    workflow.run(second)
    ours, theirs = (load_posterior(folder / "draws.nc").draws() for folder in (first, second))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    for name in TABLES:
        assert (first / name).read_bytes() == (second / name).read_bytes()
