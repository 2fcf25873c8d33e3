"""Whether the files are those the card was written for, and one hash of what is fitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pkpd.errors import Fault


def checksum_faults(folder: Path, content: Mapping[str, Any], files: Iterable[str]) -> list[Fault]:
    """The files whose content is not the one the card was written for."""
    stated = content.get("sha256", {})
    faults = []
    for file in files:
        path = folder / file
        if path.is_file() and stated.get(file) != (actual := _sha256(path)):
            faults.append(
                Fault(
                    f"card.toml [sha256] '{file}'",
                    f"the checksum stated is {stated.get(file)!r}, the file's is '{actual}'",
                    f"Put the old {file} back, or, if the change is meant, state the new checksum.",
                )
            )
    return faults


def fingerprint(folder: Path, content: Mapping[str, Any], files: Iterable[str]) -> str:
    """One SHA-256 of all that changes what is fitted: the files and the exclusion rules."""
    parts = [_sha256(folder / file) for file in files]
    parts.append(json.dumps(content.get("exclude", []), sort_keys=True, default=str))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
