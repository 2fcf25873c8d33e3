"""Non-inferiority of a share of responders by a risk difference: the score test.

H0: p1 - p2 <= -margin against H1: p1 - p2 > -margin, group 1 on the new regimen. With q1, q2 the
maximum likelihood estimates under p1 - p2 = -margin,

    z = (x1/n1 - x2/n2 + margin) / sqrt(f (q1 (1 - q1) / n1 + q2 (1 - q2) / n2)),

f = 1 for Farrington and Manning (1990, Statistics in Medicine 9:1447, with q in closed form, their
appendix), f = (n1 + n2) / (n1 + n2 - 1) for Miettinen and Nurminen (1985, Statistics in Medicine
4:213). H0 is rejected where z reaches the normal quantile of 1 - level.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri

MIETTINEN, FARRINGTON = "miettinen-nurminen", "farrington-manning"
TESTS = (MIETTINEN, FARRINGTON)


def restricted(
    share1: np.ndarray, share2: np.ndarray, ratio: float, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of both shares that make the data likeliest where their difference is `gap`.

    `ratio` is n2 / n1. The root of Farrington and Manning's cubic that lies within 0 and 1.
    """
    a = 1 + ratio
    b = -(1 + ratio + share1 + ratio * share2 + gap * (ratio + 2))
    c = gap**2 + gap * (2 * share1 + ratio + 1) + share1 + ratio * share2
    d = -share1 * gap * (1 + gap)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = np.where(v >= 0, 1, -1) * np.sqrt(np.maximum((b / (3 * a)) ** 2 - c / (3 * a), 0))
    cube = np.where(u == 0, 1, u) ** 3
    angle = (np.pi + np.arccos(np.clip(np.where(u == 0, 0, v / cube), -1, 1))) / 3
    first = np.clip(2 * u * np.cos(angle) - b / (3 * a), max(0.0, gap), min(1.0, 1 + gap))
    return first, first - gap


def statistic(
    responders: tuple[np.ndarray, np.ndarray],
    sizes: tuple[int, int],
    margin: float,
    test: str = MIETTINEN,
) -> Float[np.ndarray, "..."]:
    """z of the score test, group 1 the new regimen; `margin` may be negative or zero."""
    (x1, x2), (n1, n2) = responders, sizes
    share1, share2 = np.asarray(x1) / n1, np.asarray(x2) / n2
    q1, q2 = restricted(share1, share2, n2 / n1, -margin)
    factor = (n1 + n2) / (n1 + n2 - 1) if test == MIETTINEN else 1.0
    variance = factor * (q1 * (1 - q1) / n1 + q2 * (1 - q2) / n2)
    return (share1 - share2 + margin) / np.sqrt(np.maximum(variance, 1e-300))


def critical(
    size: int, margin: float, level: float, test: str = MIETTINEN
) -> Int[np.ndarray, " counts"]:
    """For each count of responders on the reference, the least on the new regimen that rejects H0.

    `size` is that of either arm; size + 1 where no count rejects. z grows with the new regimen's
    responders, so the least is found by halving.
    """
    reference = np.arange(size + 1)
    low, high = np.zeros(size + 1, int), np.full(size + 1, size + 1)
    wanted = ndtri(1 - level)
    while (low < high).any():
        middle = (low + high) // 2
        tried = np.minimum(middle, size)
        rejects = statistic((tried, reference), (size, size), margin, test) >= wanted
        rejects &= middle <= size
        high = np.where((low < high) & rejects, middle, high)
        low = np.where((low < high) & ~rejects, middle + 1, low)
    return high
