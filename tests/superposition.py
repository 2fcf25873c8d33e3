"""What doses leave in 1, 2 and 3 compartments, as sums of exponentials; no code of the package.

The eigenvalues of the rate matrix, one term a past dose, geometric series where a regimen has gone
on for ever: nothing is stepped over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

KA, CL, V1, Q2, V2, Q3, V3 = 0.83, 1.7, 6.1, 1.1, 9.3, 0.37, 21.0
VALUES = {
    1: {"cl": CL, "v": V1},
    2: {"cl": CL, "v1": V1, "q": Q2, "v2": V2},
    3: {"cl": CL, "v1": V1, "q2": Q2, "v2": V2, "q3": Q3, "v3": V3},
}
ROUTES = {"iv": {}, "oral": {"ka": KA}}


def rate_matrix(size: int, oral: bool, pace: float) -> np.ndarray:
    """x' = A x, amounts; depot first if there is one, then central, then peripheral ones."""
    volumes, flows = [V1, V2, V3][:size], [0, Q2, Q3][:size]
    a = np.zeros((size, size))
    a[0, 0] = -pace * CL / V1
    for k in range(1, size):
        a[0, 0] -= flows[k] / V1
        a[k, 0], a[0, k], a[k, k] = flows[k] / V1, flows[k] / volumes[k], -flows[k] / volumes[k]
    if not oral:
        return a
    wide = np.zeros((size + 1, size + 1))
    wide[1:, 1:], wide[0, 0], wide[1, 0] = a, -KA, KA
    return wide


@dataclass(frozen=True)
class Body:
    """Amounts that doses leave, at times since their record; places are 1 (default) and 2."""

    size: int
    oral: bool
    extra: dict[str, float] = field(default_factory=dict)
    pace: float = 1.0

    @property
    def places(self) -> list[str]:
        names = ["depot"] * self.oral + ["central", "peripheral", "peripheral2"][: self.size]
        return names if self.size < 3 else [n.replace("ral", "ral1") if n == "peripheral" else n
                                            for n in names]  # fmt: skip

    def at(self, place: int) -> int:
        return min(place, len(self.places)) - 1

    def told(self, role: str, place: int) -> float:
        default = {"f": 1.0, "lag": 0.0, "rate": 7.0, "dur": 3.0}[role]
        return self.extra.get(f"{role}{self.at(place) + 1}", default)

    def modes(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues, and the vectors whose sum of exponentials answers one unit at once."""
        a = rate_matrix(self.size, self.oral, self.pace)
        values, vectors = np.linalg.eig(a)
        weights = np.linalg.solve(vectors, np.eye(len(a))[self.at(place)])
        return values, vectors * weights

    def lasting(self, place: int, amount: float, rate: float, lasts: float) -> tuple[float, float]:
        """Rate into the body and duration of an infusion, the share counted."""
        whole = amount * self.told("f", place)
        return (rate, whole / rate) if rate else (whole / lasts, lasts)

    def bolus(self, place: int, t: float, amount: float) -> np.ndarray:
        values, vectors = self.modes(place)
        t = t - self.told("lag", place)
        return vectors @ np.exp(values * t) * amount * self.told("f", place) * (t >= 0)

    def infusion(
        self, place: int, t: float, amount: float, *, rate: float = 0.0, lasts: float = 0.0
    ) -> np.ndarray:
        values, vectors = self.modes(place)
        rate, lasts = self.lasting(place, amount, rate, lasts)
        t = max(t - self.told("lag", place), 0.0)
        ran = min(t, lasts)
        return vectors @ ((np.exp(values * t) - np.exp(values * (t - ran))) / values) * rate

    def boluses(self, place: int, t: float, amount: float, interval: float) -> np.ndarray:
        """Doses at -interval, -2 interval and so on for ever."""
        values, vectors = self.modes(place)
        t = t - self.told("lag", place) + interval
        series = np.exp(values * t) / -np.expm1(values * interval)
        return vectors @ series * amount * self.told("f", place)

    def infusions(
        self,
        place: int,
        t: float,
        amount: float,
        interval: float,
        *,
        rate: float = 0.0,
        lasts: float = 0.0,
    ) -> np.ndarray:
        """Infusions at -interval, -2 interval and so on for ever."""
        values, vectors = self.modes(place)
        flow, length = self.lasting(place, amount, rate, lasts)
        lag = self.told("lag", place)
        running = max(int(np.ceil((length + lag - t) / interval)), 0) + 1
        each = [
            self.infusion(place, t + k * interval, amount, rate=rate, lasts=lasts)
            for k in range(1, running + 1)
        ]
        past = t - lag + (running + 1) * interval
        ended = np.exp(values * past) - np.exp(values * (past - length))
        rest = vectors @ (ended / values / -np.expm1(values * interval)) * flow
        return np.sum(each, axis=0) + rest

    def level(self, place: int, t: float, rate: float) -> np.ndarray:
        """A constant infusion of all time that ends at 0."""
        values, vectors = self.modes(place)
        return vectors @ (np.exp(values * t) / -values) * rate

    def on(self, x: np.ndarray, t: float, pace: float) -> np.ndarray:
        """What is left of amounts `x` after `t` in which clearance is `pace` times as great."""
        values, vectors = np.linalg.eig(rate_matrix(self.size, self.oral, pace))
        return vectors @ (np.exp(values * t) * np.linalg.solve(vectors, x))


def body(name: str, extra: dict[str, float]) -> Body:
    """That of a model of the library."""
    return Body(int(name[3]), name.endswith("oral"), extra)
