"""The benchmarks run, and print what others read."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FIELDS = {"name", "ours", "rival", "rival_name", "ratio", "accuracy", "note"}


def run(*words):
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, str(HERE / "run.py"), *words],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def test_help_says_what_is_measured():
    done = run("--help")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("--json", "--quick", "--only"))


@pytest.fixture(scope="module")
def rows():
    done = run("--json", "--quick", "--only", "arms")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_quick_run_prints_rows_and_nothing_else(rows):
    assert [row["name"] for row in rows] == ["forward solve", "gradient of the solve"]
    assert all(set(row) == FIELDS for row in rows)


@pytest.mark.slow
def test_ratios_are_the_rivals_time_over_ours(rows):
    for row in rows:
        assert row["ours"] > 0 and math.isclose(row["ratio"], row["rival"] / row["ours"])


@pytest.mark.slow
def test_the_rival_is_as_accurate_as_we_are(rows):
    for row in rows:
        ours, rival = (
            float(row["accuracy"].split(who)[1].split()[0].strip(",")) for who in ("ours", "rival")
        )
        assert rival <= ours


@pytest.mark.slow
def test_a_cohort_is_solved_as_accurately_as_is_said():
    done = run("--json", "--quick", "--only", "cohort")
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == [
        "forward cohort", "forward cohort, float32", "forward cohort, SciPy"
    ]  # fmt: skip
    assert all(set(row) == FIELDS for row in rows)
    assert float(rows[0]["accuracy"].split("ours ")[1].split(",")[0]) < 1e-5
