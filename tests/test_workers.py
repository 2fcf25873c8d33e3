"""Work in other processes: a real cluster on this machine, and workers that are killed."""

from __future__ import annotations

import dask
import pytest
import worked
from distributed import LocalCluster

from pkpd.errors import DataError, FitError
from pkpd.workers import done, workers

# A warning that is an error in the cluster's own thread would end it without a word.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def client():
    with workers(2) as found:
        yield found


def test_each_item_comes_back_with_what_was_found(client):
    assert sorted(done(client, worked.square, range(20))) == [(k, k * k) for k in range(20)]


@pytest.mark.parametrize("count", [1, 3])
def test_there_are_as_many_workers_as_were_asked_for_and_none_is_profiled(count):
    with workers(count) as client:
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == count
        assert list(done(client, worked.profiled, [0])) == [(0, False)]


def test_workers_share_the_threads(monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", "6")
    with workers(2) as client:
        assert list(done(client, worked.threads, [0])) == [(0, 3)]


def test_a_worker_killed_midway_changes_nothing(client, tmp_path):
    marker = tmp_path / "died"
    items = [(str(marker), k) for k in range(6)]
    found = dict(done(client, worked.dies_once, items))
    assert marker.exists()
    assert found == {item: item[1] ** 2 for item in items}


def test_an_error_of_a_piece_is_raised_here(client):
    with pytest.raises(ValueError, match="no root of 3"):
        list(done(client, worked.faulty, [3]))


def test_a_piece_that_kills_every_worker_is_told_in_words():
    once = dask.config.set({"distributed.scheduler.allowed-failures": 0})
    with once, workers(1) as client, pytest.raises(FitError, match=r"dies of 7 .*\(1\).*memory"):
        list(done(client, worked.dies, [7]))


def test_the_workers_of_a_scheduler_serve_as_well():
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as there,
        workers(address=there.scheduler_address) as client,
    ):
        assert list(done(client, worked.square, [5])) == [(5, 25)]


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"count": 0}, "workers 0: less than one"), ({"address": "10.0.0"}, "cluster '10.0.0'"),
     ({"address": "tcp://127.0.0.1:9"}, "no scheduler")],
)  # fmt: skip
def test_nonsense_is_refused_in_words(asked, said, monkeypatch):
    monkeypatch.setattr("pkpd.workers.PATIENCE", 1)
    with pytest.raises(DataError, match=said), workers(**asked):
        pass
