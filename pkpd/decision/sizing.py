"""The assurance of a trial, and the number of patients an arm that reaches a wanted one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np
from arviz_stats.base.array import array_stats
from jaxtyping import Float

from pkpd.decision.power import Design, in_the_limit, success

MOST = 5000
"""Patients an arm at most that are searched."""
SURE = 1.96
"""Standard errors of the search's own interval: 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A mean over draws and its Monte-Carlo standard error, the draws' autocorrelation counted."""

    value: float
    error: float


@dataclass(frozen=True)
class Planned:
    """One model's responders re-randomised, by draw: shares (chains, draws, arms).

    `weight` is the model's share when models are stacked.
    """

    share: Float[np.ndarray, "chains draws arms"]
    weight: float = 1.0


@dataclass(frozen=True)
class Size:
    """Patients an arm for a wanted assurance; `least` and `greatest` by Monte-Carlo error (95 %).

    None where even arms without end would not reach it.
    """

    patients: int | None
    least: int | None
    greatest: int | None


def estimate(values: Float[np.ndarray, "chains draws"]) -> Estimate:
    """The mean of draws; no error where they are all alike."""
    if np.ptp(values) < 1e-12:
        return Estimate(float(values.mean()), 0.0)
    return Estimate(float(values.mean()), float(cast(Any, array_stats).mcse(values)))


def assurance(
    models: tuple[Planned, ...], labels: tuple[str, ...], size: int | None, design: Design
) -> dict[str, Estimate]:
    """By new arm, the probability of success; `size` None for arms without end."""
    total = sum(each.weight for each in models)
    found: dict[str, list[tuple[float, Estimate]]] = {}
    for each in models:
        chains, draws, arms = each.share.shape
        flat = each.share.reshape(-1, arms)
        if size is None:
            known = in_the_limit(flat, labels, design)
        else:
            known = success(flat, labels, size, design)
        for label, values in known.items():
            part = (each.weight / total, estimate(values.reshape(chains, draws)))
            found.setdefault(label, []).append(part)
    return {label: _mixed(parts) for label, parts in found.items()}


def _mixed(parts: list[tuple[float, Estimate]]) -> Estimate:
    value = sum(w * each.value for w, each in parts)
    return Estimate(value, float(np.sqrt(sum((w * each.error) ** 2 for w, each in parts))))


def size_for(
    wanted: float,
    models: tuple[Planned, ...],
    labels: tuple[str, ...],
    label: str,
    design: Design,
) -> Size:
    """Patients an arm for which `label` reaches the wanted assurance, by halving up to `MOST`.

    Counts are whole, so assurance rises in small teeth: a few patients fewer may just reach it too.
    """

    @cache
    def at(size: int) -> Estimate:
        return assurance(models, labels, size, design)[label]

    def least(bar: Callable[[Estimate], float]) -> int | None:
        return _first(lambda size: bar(at(size)) >= wanted)

    return Size(
        least(lambda found: found.value),
        least(lambda found: found.value + SURE * found.error),
        least(lambda found: found.value - SURE * found.error),
    )


def _first(holds: Callable[[int], bool]) -> int | None:
    """The least number of patients from 2 on at which something that stays true comes true."""
    high = 2
    while not holds(high):
        if high >= MOST:
            return None
        high = min(2 * high, MOST)
    low = 2 if high == 2 else high // 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high
