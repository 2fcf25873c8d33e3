"""The rival in SciPy: one patient after another, LSODA between doses, equations in plain floats."""

from __future__ import annotations

import numpy as np
from by_diffrax import Intervals, intervals
from scipy.integrate import solve_ivp

from pkpd.individual.solve import Solver


def slope(t: float, x: np.ndarray, p: dict[str, float]) -> list[float]:
    """The reference model once more, in floats: NumPy's scalars would cost ten times as much."""
    depot, central, peripheral, e, m, r, s = x.tolist()
    level = central / p["v1"]
    occupied = level / (level + p["kd"])
    absorbed, exchanged = p["ka"] * depot, p["q"] * (level - peripheral / p["v2"])
    lost = p["cl"] * level + p["vmax"] * level / (p["km"] + level)
    return [
        -absorbed, absorbed - lost - exchanged, exchanged,
        0.02 + 0.08 * m * (1 - occupied) - (0.1 + p["kdep"] * occupied) * e,
        p["pm"] * e - 0.01 * m,
        0.05 * (1 + 0.5 * occupied) - 0.05 * r,
        0.05 * e / r - p["kout"] * s,
    ]  # fmt: skip


def course(
    x: np.ndarray, p: dict[str, float], cut: Intervals, who: int, tolerance: float, method: str
) -> np.ndarray:
    """States after each step of one patient, (T, S)."""
    path = np.empty((cut.group.size, x.size))
    for g in range(cut.begin.size):
        mine = cut.group == g
        seen = cut.seen[g, cut.slot[mine]]
        if cut.end[g] > cut.begin[g]:
            times, back = np.unique(seen, return_inverse=True)
            path[mine] = solve_ivp(
                slope, (cut.begin[g], cut.end[g]), x, method, times, args=(p,),
                rtol=tolerance, atol=tolerance / 100,
            ).y.T[back]  # fmt: skip
        else:
            path[mine] = x
        x = path[mine][-1] + cut.given[g, who]
        path[np.flatnonzero(mine)[-1]] = x
    return path


def by_scipy(
    solver: Solver, own: dict, who: range, tolerance: float = 1e-6, method: str = "LSODA"
) -> np.ndarray:
    """States at the records of some patients, (R, S, patients)."""
    assert solver.line is not None
    cut, first = intervals(solver.line), np.asarray(solver.started(own, solver.line)[0])
    wide = {n: np.broadcast_to(np.asarray(v), (1, first.shape[1]))[0] for n, v in own.items()}
    paths = []
    for n in who:
        p = {name: float(value[n]) for name, value in wide.items()}
        path = course(first[:, n], p, cut, n, tolerance, method)
        paths.append(path[np.asarray(solver.line.read)[n]])
    return np.stack(paths, axis=2)
