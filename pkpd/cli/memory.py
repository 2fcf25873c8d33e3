"""Memory that was given back is kept for the next solve."""

from __future__ import annotations

import ctypes
import sys

ARENA_MAX, MMAP_THRESHOLD, TRIM_THRESHOLD = -8, -3, -1
"""Names of glibc's `mallopt`."""
LARGEST = 1 << 30


def keep_freed() -> bool:
    """Hold on to freed memory up to 1 GiB a piece; True where the C library can be told so.

    Each draw of virtual patients fills some tens of MB anew. The C library returns pieces of that
    size to the system at once, and the system clears every page of them again: a third of the time.
    All threads share one arena, since those of other threads hold no piece above 64 MB. Meant for
    programs, not for an import: the process keeps what it once had.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    asked = ((ARENA_MAX, 1), (MMAP_THRESHOLD, LARGEST), (TRIM_THRESHOLD, (1 << 31) - 1))
    return all(mallopt(name, value) for name, value in asked)
