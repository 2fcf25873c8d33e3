"""Compiled programs are kept on disk, so that the next run of a command need not compile again."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

from pkpd.doctor import COMPILED as FOLDER

ASKED = {
    "JAX_COMPILATION_CACHE_MAX_SIZE": str(1 << 30),  # with a limit, JAX locks what it writes
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
}
REFUSED = "gds"
"""Linux's word for processors with slow gathers. On one, JAX was reported to reject its own files,
loudly (github.com/jax-ml/jax, issue 38445); that this word marks all of them is our reading."""


def keep_compiled() -> Path | None:
    """Let JAX keep what it compiles; the folder, or None where that is left as it is.

    A folder serves one version of JAX on one kind of processor, since a program made elsewhere may
    hold instructions that this one lacks. It is left as it is once JAX has begun, where the user
    has said something of their own (`JAX_COMPILATION_CACHE_DIR`, empty for none), and where the
    folder cannot be made.
    """
    processor = _processor()
    if "jax" in sys.modules or FOLDER in os.environ or REFUSED in processor.get("bugs", "").split():
        return None
    made = (version("jax"), version("jaxlib"), platform.machine(), *sorted(processor.items()))
    key = hashlib.sha256(repr(made).encode()).hexdigest()[:16]
    folder = user_cache_path("pkpd") / "compiled" / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    os.environ[FOLDER] = str(folder)
    for name, value in ASKED.items():
        os.environ.setdefault(name, value)
    return folder


def _processor() -> dict[str, str]:
    """What tells this kind of processor from another."""
    told = Path("/proc/cpuinfo")
    if not told.is_file():
        return {"model name": platform.processor()}
    first = told.read_text("utf-8", "replace").partition("\n\n")[0]
    lines = (line.partition(":") for line in first.splitlines())
    known = {name.strip(): value.strip() for name, _, value in lines}
    return {name: known.get(name, "") for name in ("model name", "flags", "Features", "bugs")}
