"""Calls side by side: one home for how many. The answers are the same whatever their number.

A solve keeps one core busy and lets Python go on, so threads do, and no process need be started.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from pkpd.errors import DataError, Fault

NAME = "PKPD_THREADS"
"""The environment variable that says how many calls run at once; without it, as many as cores."""

MOST = 8
"""Without it no more than these: each call holds a block of patients in memory."""


def at_once() -> int:
    """How many calls run side by side: `PKPD_THREADS`, or this process's cores up to `MOST`.

    Raises
    ------
    DataError
        If `PKPD_THREADS` is no whole number of 1 or more.
    """
    asked = os.environ.get(NAME, "")
    if not asked:
        return min(cores(), MOST)
    if not asked.isdecimal() or int(asked) < 1:
        remedy = "Give a whole number, 1 or more, or leave it unset: then one thread for each core"
        raise DataError([Fault(f"environment variable {NAME}", f"'{asked}'", remedy)])
    return int(asked)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side[Item, Found](
    call: Callable[[Item], Found], items: Iterable[Item]
) -> Iterator[Found]:
    """What `call` gives of each item, in order."""
    with ThreadPoolExecutor(at_once()) as pool:
        yield from pool.map(call, items)
