"""Pieces of work that workers import: pure, and ones that kill the worker who does them first."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from pkpd.threads import at_once


def square(k: int) -> int:
    return k * k


def faulty(k: int) -> int:
    raise ValueError(f"no root of {k}")


def dies_once(item: tuple[str, int]) -> int:
    """The square; the first to be asked for 2 is killed."""
    marker, k = Path(item[0]), item[1]
    if k == 2 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(k)


def dies(k: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return k


def profiled(_: int) -> bool:
    """Whether a thread of this worker looks at the others' stacks."""
    return any(thread.name == "Profile" for thread in threading.enumerate())


def threads(item: int) -> int:
    """How many calls a worker runs side by side."""
    return at_once()
