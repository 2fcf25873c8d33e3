"""Meshes: where the fixed-step solver may step, fine after a first dose and wide later.

A mesh is an increasing array of days that holds every dose and every visit. It is planned once
for a data set (`arm_level/planned.py`), then every draw of the sampler runs over it unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

ONSET = (0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.75, 3.5, 4.5, 5.5, 7, 8.75, 10.5, 12.25, 14)
"""Days after a first dose at which a step ends: occupancy jumps within hours."""


def graded(
    end: float,
    required: Iterable[float],
    onsets: Iterable[float],
    widest: float,
    late: float = np.inf,
) -> np.ndarray:
    """Increasing days from 0 to `end`, shape (steps + 1,).

    Holds every day of `required`, the `ONSET` days after every onset, and no gap above `widest`,
    or twice that after `late` days, when patients have settled.
    """
    fixed = {0.0, float(end), *(float(day) for day in required)}
    for onset in onsets:
        fixed.update(onset + day * min(1.0, widest / 3.5) for day in (0.0, *ONSET))
    corners = np.array(sorted(day for day in fixed if 0.0 <= day <= end))

    def piece(a: float, b: float) -> np.ndarray:
        gap = widest if a < late else 2 * widest
        return np.linspace(a, b, max(1, int(np.ceil((b - a) / gap - 1e-9))), endpoint=False)

    pieces = [piece(a, b) for a, b in zip(corners[:-1], corners[1:], strict=True)]
    return np.concatenate([*pieces, corners[-1:]])


def refined(mesh: np.ndarray, parts: int) -> np.ndarray:
    """The same mesh with every step cut into `parts` equal ones."""
    cuts = np.arange(parts) / parts
    inner = (mesh[:-1, None] + np.diff(mesh)[:, None] * cuts).ravel()
    return np.append(inner, mesh[-1])


def nodes(mesh: np.ndarray) -> np.ndarray:
    """Starts, midpoints and end of the steps, interleaved, shape (2 steps + 1,)."""
    return refined(mesh, 2)
