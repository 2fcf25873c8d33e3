"""What a result came from: versions, hashes of settings, data and models, seeds."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pkpd.library import models

_PACKAGES = ("pkpd-ox40", "pymc", "pytensor", "nutpie", "arviz", "jax", "diffrax", "numpy",
             "scipy", "pandas")  # fmt: skip


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of what computes."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def one_hash(hashes: Mapping[str, str]) -> str:
    """One short hash of a fit's settings, data and models: whose results a table holds."""
    return hashlib.sha256(json.dumps(dict(hashes), sort_keys=True).encode()).hexdigest()[:16]


def provenance(problem: Any) -> dict[str, Any]:
    """Versions, hashes, settings after defaults and seeds of a fit's problem."""
    settings = problem.settings
    known = models()
    used = [settings.model, *settings.drugs.values()]
    apart = {"title": True, "predictions": {"loss"}}  # neither draws nor predictions know them
    text = settings.model_copy(update={"compare": ()}).model_dump_json(exclude=apart)
    return {
        "versions": versions(),
        "hashes": {
            "settings": hashlib.sha256(text.encode()).hexdigest(),
            "data": problem.data.sha256,
            **{f"models/{name}.py": file_hash(known[name]) for name in used},
        },
        "settings": settings.model_dump(mode="json"),
        "seeds": {
            "patients": settings.patients.seed,
            "sampler": settings.sampler.seed,
            "predictions": settings.predictions.seed,
        },
    }
