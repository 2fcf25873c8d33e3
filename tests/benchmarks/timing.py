"""CPU seconds of a compiled call, and the row that every benchmark gives."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax


@dataclass(frozen=True)
class Row:
    """CPU seconds a call, ours and a rival's; `ratio` is rival over ours, above 1 if ours wins."""

    name: str
    ours: float
    rival: float
    rival_name: str
    ratio: float
    accuracy: str
    note: str


def row(name: str, ours: float, rival: float, rival_name: str, accuracy: str, note: str) -> Row:
    """The row with its ratio."""
    return Row(name, ours, rival, rival_name, rival / ours, accuracy, note)


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """Median CPU seconds of a call, after one call that compiles and is not counted."""
    jax.block_until_ready(call())
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        jax.block_until_ready(call())
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def alternating(first: Callable, second: Callable, repeats: int) -> tuple[float, float]:
    """Both timed in turns, so that a busy machine slows them alike."""
    pairs = [(seconds(first, 1), seconds(second, 1)) for _ in range(repeats)]
    one, other = zip(*pairs, strict=True)
    return statistics.median(one), statistics.median(other)
