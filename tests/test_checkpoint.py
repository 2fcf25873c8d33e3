"""What a killed run has computed is taken up, and only where it is the density itself."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from pkpd import checkpoint, pymc_bridge
from pkpd.checkpoint import Checkpoint
from pkpd.settings import Sampler

SIZE = 3
RECORD = 16 + 8 * (1 + SIZE + 1)
SMALL = Sampler(chains=2, tune=60, draws=80, seed=5, pilot=0, adaptation="diag")


def density(u):
    """A banana in three coordinates, with its gradient."""
    bent = u[1] - 0.3 * u[0] ** 2
    value = -0.5 * (u[0] ** 2 + bent**2 + u[2] ** 2 / 4)
    return float(value), np.array([-u[0] + 0.6 * u[0] * bent, -bent, -u[2] / 4])


class Counted:
    """The density, and the places it was asked for."""

    def __init__(self, most=None):
        self.asked, self.most = [], most

    def __call__(self, u):
        if self.most is not None and len(self.asked) >= self.most:
            raise KeyboardInterrupt
        self.asked.append(np.array(u))
        return density(u)


def places(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, SIZE))


def asked(kept, of, points):
    """Answers at points, and how many were replayed."""
    with kept.evaluations("sampling") as known:
        answered = known.of(of, SIZE)
        found = [answered(u) for u in points]
    return found, known.replayed


@pytest.fixture
def kept(tmp_path):
    return Checkpoint(tmp_path, "abc")


def files(kept):
    return sorted(path.name for path in kept.folder.iterdir())


def test_what_was_computed_is_not_computed_again_but_for_the_first(kept):
    points = places(20)
    first, replayed = asked(kept, Counted(), points[:15])
    assert replayed == 0 and len(first) == 15
    again = Counted()
    second, replayed = asked(kept, again, points)
    assert replayed == 15
    np.testing.assert_array_equal(again.asked, [points[0], *points[15:]])
    for (value, slope), u in zip(second, points, strict=True):
        assert value == density(u)[0]
        np.testing.assert_array_equal(slope, density(u)[1])


def test_files_of_runs_before_are_taken_together(kept):
    points = places(20)
    asked(kept, Counted(), points[:7])
    asked(kept, Counted(), points[:15])
    assert files(kept) == [".partial-abc-sampling-0", ".partial-abc-sampling-1"]
    assert (kept.folder / files(kept)[1]).stat().st_size == 8 * RECORD  # only what was new
    assert asked(kept, Counted(), points)[1] == 15


@pytest.mark.parametrize("lost", [1, 20, 55])
def test_a_torn_record_is_computed_again(kept, lost):
    points = places(10)
    asked(kept, Counted(), points)
    path = kept.folder / files(kept)[0]
    path.write_bytes(path.read_bytes()[:-lost])
    again = Counted()
    assert asked(kept, again, points)[1] == 9
    np.testing.assert_array_equal(again.asked, [points[0], points[9]])


def test_nothing_after_a_spoilt_record_is_believed(kept):
    points = places(10)
    asked(kept, Counted(), points)
    path = kept.folder / files(kept)[0]
    spoilt = bytearray(path.read_bytes())
    spoilt[6 * RECORD + 20] ^= 1  # in the value of the seventh
    path.write_bytes(spoilt)
    assert asked(kept, Counted(), points)[1] == 6


def test_all_is_dropped_where_the_density_has_changed(kept):
    points = places(10)
    asked(kept, Counted(), points)

    def other(u):
        value, slope = density(u)
        return value - 1e-6 * (u**2).sum(), slope - 2e-6 * u

    found, replayed = asked(kept, other, points)
    assert replayed == 0
    assert [value for value, _ in found] == [other(u)[0] for u in points]
    assert files(kept) == [".partial-abc-sampling-1"]
    assert asked(kept, other, points)[1] == 10


def test_a_density_that_is_no_number_is_remembered_as_such(kept):
    points = places(3)

    def none(u):
        return (float("nan"), np.full(SIZE, np.nan)) if u[0] == points[1, 0] else density(u)

    asked(kept, none, points)
    found, replayed = asked(kept, none, points)
    assert replayed == 3 and np.isnan(found[1][0]) and np.isnan(found[1][1]).all()


def test_beyond_its_size_nothing_is_kept_and_all_is_answered(kept, monkeypatch):
    monkeypatch.setattr(checkpoint, "LARGEST", 4 * RECORD + 10)
    points = places(10)
    found, _ = asked(kept, Counted(), points)
    assert len(found) == 10
    assert (kept.folder / files(kept)[0]).stat().st_size == 4 * RECORD
    assert asked(kept, Counted(), points)[1] == 4


def test_a_full_disk_ends_the_keeping_and_not_the_run(kept, monkeypatch):
    monkeypatch.setattr(checkpoint, "TOGETHER", 1)

    def full(_):
        raise OSError(28, "No space left on device")

    with kept.evaluations("sampling") as known:
        answered = known.of(Counted(), SIZE)
        known._file.close()
        known._file = SimpleNamespace(write=full, close=lambda: None)
        with pytest.warns(UserWarning, match="No space left on device.*free some disk"):
            assert answered(np.ones(SIZE))[0] == density(np.ones(SIZE))[0]
        answered(np.zeros(SIZE))


@pytest.mark.parametrize(("together", "seconds"), [(1, 1e9), (5, 1e9), (1000, 0.0)])
def test_answers_are_on_disk_before_the_run_ends(kept, monkeypatch, together, seconds):
    monkeypatch.setattr(checkpoint, "TOGETHER", together)
    monkeypatch.setattr(checkpoint, "FLUSHED", seconds)
    with kept.evaluations("sampling") as known:
        answered = known.of(Counted(), SIZE)
        for number, u in enumerate(places(12), 1):
            answered(u)
            written = (kept.folder / files(kept)[0]).stat().st_size // RECORD
            assert written == (number if seconds == 0 else number - number % together)


def test_only_files_of_its_own_key_are_removed(kept):
    asked(kept, Counted(), places(2))
    kept.path("start.npz").write_bytes(b"")
    other = Checkpoint(kept.folder, "abd")
    asked(other, Counted(), places(2))
    (kept.folder / "draws.nc").write_bytes(b"")
    kept.clear()
    assert files(kept) == [".partial-abd-sampling-0", "draws.nc"]


def test_the_key_is_of_hashes_and_versions(tmp_path):
    record = {"hashes": {"data": "1"}, "versions": {"jax": "1"}, "seconds": 1}
    keys = {
        checkpoint.checkpoint(tmp_path, {**record, **change}).key
        for change in ({}, {"seconds": 2}, {"hashes": {"data": "2"}}, {"versions": {"jax": "2"}})
    }
    assert len(keys) == 3


def sampled(of, known=None, chosen=SMALL):
    """NUTS on the banana."""
    space = SimpleNamespace(
        size=SIZE,
        variables=[SimpleNamespace(name="x", size=SIZE, dim="place")],
        names=["x"],
        coords={"place": list("abc")},
    )
    density = pymc_bridge._remembered(lambda u, **_: of(u), space, known)
    made = pymc_bridge._for_nutpie(space, density, lambda u, **_: {"x": np.array(u)}, corner=1.0)
    return pymc_bridge.run_chains(made, chosen, lambda share: None)


def test_a_run_taken_up_anywhere_gives_the_draws_of_one_never_killed(kept, tmp_path):
    whole = Counted()
    tree = sampled(whole)
    total = len(whole.asked)
    with kept.evaluations("sampling") as known:
        tree_kept = sampled(density, known)
    assert known.computed == total
    path = kept.folder / files(kept)[0]
    written = path.read_bytes()
    assert len(written) == total * RECORD
    for share, number in zip((0.1, 0.5, 0.9), itertools.count(1)):
        part = Checkpoint(tmp_path / str(number), "abc")
        part.folder.mkdir()
        length = int(share * len(written))
        (part.folder / path.name).write_bytes(written[:length])
        again = Counted()
        with part.evaluations("sampling") as known:
            taken = sampled(again, known)
        assert length // RECORD <= known.replayed <= length // RECORD + 4  # starts are asked twice
        assert known.replayed + known.computed == total
        assert len(again.asked) == known.computed + 1  # the first is compared
        for each in (tree_kept, taken):
            for name in ("posterior", "sample_stats"):
                for key in ("x",) if name == "posterior" else ("energy", "n_steps", "step_size"):
                    np.testing.assert_array_equal(each[name][key], tree[name][key])
