"""Programs kept on disk: found by a second process, and left alone where that is not ours to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pkpd.cli import compiled
from pkpd.cli.compiled import FOLDER, REFUSED, keep_compiled

CODE = """
from pkpd.cli.compiled import keep_compiled
folder = keep_compiled()
import jax
hits = []
jax.monitoring.register_event_listener(
    lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None
)
value = jax.jit(lambda x: (x * 3.0).sum())(jax.numpy.arange(5.0))
print(folder, len(list(folder.glob("*-cache"))), len(hits), float(value))
"""


@pytest.fixture
def untouched(monkeypatch, tmp_path):
    """As in a new process: no JAX yet, nothing said by the user, a processor like any other."""
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.setenv(FOLDER, "")
    monkeypatch.delenv(FOLDER)
    for name in compiled.ASKED:
        monkeypatch.setenv(name, "0")
    monkeypatch.setattr(compiled, "_processor", lambda: {"model name": "A", "bugs": "some other"})
    monkeypatch.setattr(compiled, "user_cache_path", lambda name: tmp_path / name)


def ran(cache: Path) -> tuple[str, int, int, float]:
    names = {FOLDER, *compiled.ASKED, "JAX_ENABLE_COMPILATION_CACHE"}
    env = {name: value for name, value in os.environ.items() if name not in names}
    env |= {"XDG_CACHE_HOME": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    done = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder, files, hits, value = done.stdout.split()
    return folder, int(files), int(hits), float(value)


@pytest.mark.skipif(sys.platform != "linux", reason="the cache stands elsewhere there")
@pytest.mark.skipif(
    REFUSED in compiled._processor().get("bugs", "").split(), reason="not kept on this processor"
)
def test_a_second_process_finds_what_the_first_compiled(tmp_path):
    first, second = ran(tmp_path), ran(tmp_path)
    assert first[0] == second[0] and Path(first[0]).is_relative_to(tmp_path / "pkpd")
    assert first[1] == second[1] > 0
    assert first[2] == 0 and second[2] > 0
    assert first[3] == second[3] == 30.0


def test_another_processor_has_a_folder_of_its_own(untouched, monkeypatch):
    mine = keep_compiled()
    assert mine is not None and mine.is_dir() and os.environ[FOLDER] == str(mine)
    monkeypatch.delenv(FOLDER)
    monkeypatch.setattr(compiled, "_processor", lambda: {"model name": "B"})
    assert keep_compiled() not in (None, mine)


def test_the_users_word_stands(untouched, monkeypatch):
    monkeypatch.setenv(FOLDER, "")
    assert keep_compiled() is None and os.environ[FOLDER] == ""


def test_nothing_is_kept_where_jax_rejects_its_own_files(untouched, monkeypatch):
    monkeypatch.setattr(compiled, "_processor", lambda: {"bugs": f"spectre {REFUSED} mds"})
    assert keep_compiled() is None and FOLDER not in os.environ


def test_a_folder_that_cannot_be_made_is_done_without(untouched, monkeypatch, tmp_path):
    (tmp_path / "pkpd").write_text("a file in its place")
    assert keep_compiled() is None and FOLDER not in os.environ


def test_it_is_too_late_once_jax_has_begun(untouched, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", os)
    assert keep_compiled() is None and FOLDER not in os.environ
