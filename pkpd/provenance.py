"""What a result came from: versions, hashes of settings, data and models, seeds."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

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
    used = [settings.model, *settings.drugs.values()]
    return {
        "versions": versions(),
        "hashes": hashes_of(settings.model_copy(update={"compare": ()}), problem.data.sha256, used),
        **settings_told(settings),
    }


def hashes_of(settings: BaseModel, data: str, used: Sequence[str]) -> dict[str, str]:
    """Hashes of all that draws depend on: settings, data, and model files of these names.

    Draws know neither title nor published values, and nothing of what is predicted from them.
    """
    known = models()
    text = settings.model_dump_json(exclude={"title", "published", "predictions"})
    return {
        "settings": hashlib.sha256(text.encode()).hexdigest(),
        "data": data,
        **{f"models/{name}.py": file_hash(known[name]) for name in used},
    }


def settings_told(settings: Any) -> dict[str, Any]:
    """Settings after defaults, and all seeds among them."""
    seeded = [n for n in ("patients", "sampler", "predictions") if hasattr(settings, n)]
    return {
        "settings": settings.model_dump(mode="json"),
        "seeds": {name: getattr(settings, name).seed for name in seeded},
    }


def asked_hash(predictions: BaseModel) -> str:
    """A hash of what is predicted; the loss table changes no prediction."""
    return hashlib.sha256(predictions.model_dump_json(exclude={"loss"}).encode()).hexdigest()
