"""Courses of new patients on disk: what they say, and that nobody's death changes them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time

import numpy as np
import patient_fit
import pytest
from distributed import LocalCluster

import pkpd
from pkpd import courses_workflow
from pkpd.cli import main
from pkpd.errors import DataError, FileFormatError
from pkpd.prediction import courses_store

# A warning that is an error in the cluster's own thread would end it without a word.
pytestmark = pytest.mark.filterwarnings("default")
PATIENTS, DRAWS = 400, 12
REGIMENS = """
[[predictions.regimens]]
amount = 20
times = [7, 35]

[[predictions.regimens]]
amount = 20
every = 28
count = 2
times = [7, 35]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    fit = patient_fit.folder(tmp_path_factory.mktemp("courses"))
    with (fit / "fit.toml").open("a") as settings:
        settings.write(REGIMENS)
    return fit


@pytest.fixture(scope="module")
def whole(folder):
    """Levels of both regimens, shape (draws, patients, times), followed in this process."""
    return levels(pkpd.courses(folder, patients=PATIENTS, draws=DRAWS))


@pytest.fixture
def small(monkeypatch):
    """A block a draw."""
    monkeypatch.setattr(courses_store, "BLOCK", 1)


def levels(path):
    tree = pkpd.open_courses(path)
    return [tree[name]["level"].values for name in ("0", "1")]


def test_the_same_patients_are_followed_under_every_regimen(whole):
    """Doses of a linear model add up, patient by patient and draw by draw."""
    once, twice = whole
    assert twice[..., 0] == pytest.approx(once[..., 0], rel=1e-9)
    assert twice[..., 1] == pytest.approx(once[..., 1] + once[..., 0], rel=1e-9)


def test_patients_are_those_of_the_fitted_population(whole, folder):
    """Mean log level of each draw beside many patients drawn here, closed form written out."""
    _, posterior = courses_workflow.with_draws(folder)
    q, random = posterior.draws(DRAWS), np.random.default_rng(3)
    z = random.normal(size=(2, 20_000))
    for d in range(DRAWS):
        cl = q["cl"][d] * np.exp(q["cl_between"][d] * z[0])
        v = q["v"][d] * np.exp(q["v_between"][d] * z[1])
        expected = np.log(patient_fit.level(7.0, [0.0], cl, v))
        found = np.log(whole[0][d, :, 0])
        assert found.mean() == pytest.approx(
            expected.mean(), abs=4 * expected.std() / np.sqrt(PATIENTS)
        )
        assert found.std() == pytest.approx(expected.std(), rel=0.2)


def test_a_run_that_broke_off_goes_on_where_it_was(folder, whole, small, monkeypatch):
    followed, solved = courses_workflow.followed, []

    def breaks(made, draws, seed):
        for k, each in enumerate(followed(made, draws, seed)):
            if k == 5:
                raise KeyboardInterrupt
            yield each

    monkeypatch.setattr(courses_workflow, "followed", breaks)
    with pytest.raises(KeyboardInterrupt):
        pkpd.courses(folder, patients=PATIENTS, draws=DRAWS)

    def counts(made, draws, seed):
        for each in followed(made, draws, seed):
            solved.append(1)
            yield each

    monkeypatch.setattr(courses_workflow, "followed", counts)
    again = levels(pkpd.courses(folder, patients=PATIENTS, draws=DRAWS))
    assert len(solved) == 2 * DRAWS - 5
    assert all(np.array_equal(a, b) for a, b in zip(again, whole, strict=True))


def test_a_worker_killed_midway_changes_nothing(folder, whole, small):
    with LocalCluster(2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as there:
        killed = []

        def kill():
            while not list(folder.glob(".partial-*.zarr/*/finished/c/*")):
                time.sleep(0.02)
            pids = [nanny.process.pid for nanny in there.workers.values()]
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])

        thread = threading.Thread(target=kill)
        thread.start()
        path = pkpd.courses(folder, patients=PATIENTS, draws=DRAWS, cluster=there.scheduler_address)
        thread.join()
    assert killed
    assert all(np.array_equal(a, b) for a, b in zip(levels(path), whole, strict=True))
    assert not list(folder.glob(".partial*"))


def test_the_command_line_says_where_they_are(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["courses", str(folder), "--patients", "5", "--draws", "3", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert told["path"] == str(folder / "courses.zarr")
    assert told["regimens"][1] == {"regimen": "20 mg every 28 day x2", "draw": 3, "patient": 5,
                                   "time": 2}  # fmt: skip


def test_nonsense_is_refused_with_every_fault(folder, tmp_path):
    with pytest.raises(DataError, match="2 faults(.|\n)*patients 0(.|\n)*draws -1"):
        pkpd.courses(folder, patients=0, draws=-1)
    bare = shutil.copytree(folder.parent.parent, tmp_path / "copy") / "fits/pretend"
    settings = (bare / "fit.toml").read_text()
    (bare / "fit.toml").write_text(settings.replace(REGIMENS, ""))
    with pytest.raises(DataError, match="names no regimen"):
        pkpd.courses(bare)
    with pytest.raises(FileFormatError, match="there are no courses"):
        pkpd.open_courses(tmp_path)


def test_what_the_posterior_missed_is_told_with_its_courses(tmp_path, capsys):
    fit = patient_fit.folder(tmp_path, passed=False)
    with (fit / "fit.toml").open("a") as settings:
        settings.write(REGIMENS)
    with pytest.raises(SystemExit) as ended:
        main(["courses", str(fit), "--patients", "5", "--draws", "3"])
    told = "the posterior missed its demands (r_hat)"
    assert ended.value.code == 1
    assert f"The posterior's demands: {told}." in capsys.readouterr().out
    assert pkpd.open_courses(fit / "courses.zarr").attrs["demands"] == told


def test_observations_named_as_the_stores_own_are_refused(tmp_path, monkeypatch):
    text = patient_fit.FIT.replace('"level"', '"time"').replace('"easi"', '"finished"')
    monkeypatch.setattr(patient_fit, "FIT", text + REGIMENS)
    fit = patient_fit.folder(tmp_path)
    with pytest.raises(
        DataError, match="2 faults(.|\n)*observation time(.|\n)*observation finished"
    ):
        pkpd.courses(fit)
