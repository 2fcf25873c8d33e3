"""What a caller may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def close(name: str, known: Iterable[str]) -> str:
    """A remedy: the nearest known names, and all of them."""
    names = [str(one) for one in known]
    near = difflib.get_close_matches(str(name), names, n=2, cutoff=0.4)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}Choose one of {', '.join(names)}"
