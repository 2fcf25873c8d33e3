"""A fit ended while it draws is taken up again, and gives the draws of one that was not."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from oral_folder import small_fit

from pkpd.posterior import load_posterior

ROOT = Path(__file__).parents[2]
CODE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell may not
    "from pkpd.cli import main; main()"
)


def begun(folder):
    """The process of `pkpd fit`, which tells its progress on stderr."""
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "fit", str(folder)],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def ended(folder, by, at):
    """Exit code and stderr of a process that gets a signal once it tells this progress."""
    process, told = begun(folder), ""
    with process.stderr as lines:
        for line in lines:
            told += line
            if line.startswith(at):
                break
        time.sleep(2.5)  # more than passes between writes
        process.send_signal(by)
        told += lines.read()
    return process.wait(), told


def kept(folder):
    """Bytes of each file that remembers log-densities."""
    return {path.name[-1]: path.stat().st_size for path in folder.glob(".partial-*-sampling-?")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What a Ctrl-C and then a kill left; the posteriors of the run taken up and of another."""
    folder = small_fit(tmp_path_factory.mktemp("killed"))
    code, told = ended(folder, signal.SIGINT, "sampling: 0 %")
    assert code not in (0, -signal.SIGINT), told
    first = kept(folder)
    code, told = ended(folder, signal.SIGKILL, "sampling: 30 %")
    assert code == -signal.SIGKILL, told
    left = SimpleNamespace(first=first, both=kept(folder), names=[p.name for p in folder.iterdir()])
    whole = small_fit(tmp_path_factory.mktemp("whole"))
    for each in (folder, whole):
        _, told = (process := begun(each)).communicate()
        assert process.returncode == 0, told
    return left, folder, *(load_posterior(each / "draws.nc") for each in (folder, whole))


@pytest.mark.slow
def test_neither_leaves_a_result(runs):
    left, *_ = runs
    assert {re.sub("^.partial-[0-9a-f]{16}-", "", name) for name in left.names} == {
        "fit.toml", "start.npz", "sampling-0", "sampling-1"
    }  # fmt: skip
    assert set(left.first) == {"0"} and left.both["0"] == left.first["0"] > 0


@pytest.mark.slow
def test_what_was_kept_is_used_and_reaches_past_the_tuning(runs):
    left, _, taken, whole = runs
    size = sum(int(np.prod(v.shape[1:])) for v in taken.draws(1).values())
    records = sum(each // (16 + 8 * (1 + size + 1)) for each in left.both.values())
    resumed = taken.provenance["resumed"]["sampling"]
    assert records - 4 <= resumed <= records + 4  # a chain asks more than once for where it starts
    assert whole.provenance["resumed"] == {"sampling": 0}
    # even had all tuning been as long as trees became later, the rest is of draws
    assert resumed > 2 * 100 * whole.tree["sample_stats"]["n_steps"].to_numpy().max()


@pytest.mark.slow
def test_the_draws_are_those_of_a_run_never_killed(runs):
    _, _, taken, whole = runs
    for group in ("posterior", "sample_stats"):
        ours, theirs = taken.tree[group].dataset, whole.tree[group].dataset
        assert set(ours.data_vars) == set(theirs.data_vars)
        for name in ours.data_vars:
            np.testing.assert_array_equal(ours[name].values, theirs[name].values, err_msg=name)
    assert taken.tree["posterior"]["cl"].shape == (2, 6000)


@pytest.mark.slow
def test_nothing_is_left_behind(runs):
    _, folder, *_ = runs
    assert {path.name for path in folder.iterdir()} == {"fit.toml", "draws.nc"}
