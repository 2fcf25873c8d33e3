"""What a run has done so far, beside its results: a run that was killed goes on where it was.

NUTS is a fixed program of its seed and of the log-densities that it asks for, and these are where
its time goes. So each one is written down as it is computed. A run begun again with the same
settings, data, models and versions asks for the same ones; it is answered from the file, in a
small part of the time, up to where the run before was killed, and goes on from there: the same
warm-up, step size, mass matrix and random numbers, and draws that are the same to the last bit as
those of a run that was never killed. A sampler's own state would do as well, but nutpie 0.16 gives
none away.

A remembered number is the density itself at that place, so nothing here can bend the draws; where
the density has changed all the same (other code), the first answer differs from what is computed
and all of them are dropped.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

Density = Callable[..., tuple[float, np.ndarray]]

LARGEST = 2**31
"""Bytes of a stage's files at most; what is computed beyond them is not remembered."""

FLUSHED, TOGETHER = 2.0, 128
"""Seconds between writes, and answers written together, at most: what a kill may cost."""

SAME = 1e-9
"""How far, relative to its size, a remembered value may lie from the one computed again."""


@dataclass(frozen=True)
class Checkpoint:
    """The files `.partial-KEY-NAME` of one fit in its folder; other keys are left alone."""

    folder: Path
    key: str

    def path(self, name: str) -> Path:
        """The file of this name."""
        return self.folder / f".partial-{self.key}-{name}"

    def evaluations(self, stage: str) -> Evaluations:
        """The densities of a stage of sampling, as far as runs before have computed them."""
        return Evaluations(self.path(stage.replace(" ", "-")))

    def clear(self) -> None:
        """Remove the files: what they were for is done."""
        for path in self.folder.glob(f".partial-{self.key}-*"):
            path.unlink(missing_ok=True)


def checkpoint(folder: Path, record: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint of a fit with this provenance: its hashes and versions make the key."""
    told = json.dumps([record["hashes"], record["versions"]], sort_keys=True)
    return Checkpoint(folder, hashlib.sha256(told.encode()).hexdigest()[:16])


def evaluations(
    kept: Checkpoint | None, stage: str
) -> contextlib.AbstractContextManager[Evaluations | None]:
    """The remembered densities of a stage, or nothing where nothing is kept."""
    return kept.evaluations(stage) if kept else contextlib.nullcontext()


class Evaluations:
    """Values and gradients of a density by the place they were asked for; safe in threads.

    Each process appends to a file of its own, `STEM-0`, `STEM-1` ..., and reads those that are
    there. `replayed` and `computed` count the answers.
    """

    def __init__(self, stem: Path) -> None:
        self.replayed = self.computed = 0
        self._stem, self._lock = stem, threading.RLock()
        self._known: dict[bytes, np.void] = {}
        self._trusted = False
        self._file: BinaryIO | None = None
        self._left, self._flushed = LARGEST, time.monotonic()
        self._waiting: list[tuple[bytes, float, np.ndarray]] = []

    def of(self, density: Density, size: int) -> Density:
        """The density of `size` coordinates, computed only where it was not computed before."""
        for path in _files(self._stem):
            self._known |= _records(path, size)
            self._left -= path.stat().st_size
        self._file = _new(self._stem)

        def answered(u: np.ndarray, **_: Any) -> tuple[float, np.ndarray]:
            place = u.tobytes()
            key = _key(place) if self._known else b""
            if key in self._known and (self._trusted or self._agreed(density, u, key)):
                with self._lock:
                    self.replayed += 1
                return _told(self._known[key])
            value, slope = density(u)
            self._take(place, value, slope)
            return value, slope

        return answered

    def __enter__(self) -> Evaluations:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._write()
            if self._file is not None:
                self._file.close()
            self._file = None

    def _take(self, place: bytes, value: float, slope: np.ndarray) -> None:
        """Keep an answer, to be written with others."""
        with self._lock:
            self.computed += 1
            self._waiting.append((place, value, slope))
            if len(self._waiting) >= TOGETHER or time.monotonic() - self._flushed > FLUSHED:
                self._write()

    def _agreed(self, density: Density, u: np.ndarray, key: bytes) -> bool:
        """Whether what is remembered is what is computed; all of it is dropped if not."""
        with self._lock:
            if self._trusted or key not in self._known:  # settled by another thread
                return self._trusted
            self._trusted = _same(density(u), _told(self._known[key]))
            if not self._trusted:
                self._known = {}
                assert self._file is not None
                for path in set(_files(self._stem)) - {Path(self._file.name)}:
                    path.unlink(missing_ok=True)
            return self._trusted

    def _write(self) -> None:
        """Append what waits to the file; together, since that takes a third of the time."""
        rows = [_record(*each) for each in self._waiting]
        self._waiting = []
        self._flushed = time.monotonic()
        room = self._left // max(1, len(rows[0])) if rows else 0
        self._left -= sum(map(len, rows))
        if self._file is None or not rows or room <= 0:
            return
        try:
            self._file.write(b"".join(rows[:room]))
            self._file.flush()
        except OSError as error:
            self._file = None
            warnings.warn(
                f"{self._stem}: {error}. The run goes on, but if it is killed now, what it does "
                "from here on is lost: free some disk.",
                stacklevel=2,
            )


def _files(stem: Path) -> list[Path]:
    return sorted(stem.parent.glob(f"{stem.name}-*"))


def _new(stem: Path) -> BinaryIO:
    """A file that no other process has."""
    for number in itertools.count():
        with contextlib.suppress(FileExistsError):
            return stem.with_name(f"{stem.name}-{number}").open("xb")
    raise AssertionError


def _records(path: Path, size: int) -> dict[bytes, np.void]:
    """The records of a file by key, up to the first that is not whole; read when asked for.

    A record is the place asked for (hashed), value, gradient, and a checksum of these.
    """
    fields = [("key", "V16"), ("value", "f8"), ("slope", "f8", (size,)), ("check", "u8")]
    layout = np.dtype(fields)
    count = path.stat().st_size // layout.itemsize
    found = {}
    for row in np.memmap(path, layout, "r", shape=(count,)) if count else ():
        if zlib.crc32(row.tobytes()[:-8]) != row["check"]:
            break
        found[row["key"].tobytes()] = row
    return found


def _key(place: bytes) -> bytes:
    return hashlib.blake2b(place, digest_size=16).digest()


def _record(place: bytes, value: float, slope: np.ndarray) -> bytes:
    body = _key(place) + np.float64(value).tobytes() + np.asarray(slope, float).tobytes()
    return body + zlib.crc32(body).to_bytes(8, "little")


def _told(row: np.void) -> tuple[float, np.ndarray]:
    return float(row["value"]), np.array(row["slope"])


def _same(one: tuple[float, np.ndarray], other: tuple[float, np.ndarray]) -> bool:
    """Whether values and gradients agree to `SAME` of the largest number in them."""
    return all(
        np.allclose(a, b, rtol=0, atol=SAME * (1 + np.max(np.abs(b))), equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )
