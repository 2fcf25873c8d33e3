"""Dosing scenarios, semantics of NONMEM's PREDPP: records in order, and the truth at each seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from superposition import Body

TIMES = (0.0, 0.25, 1.0, 2.5, 4.0, 6.0, 7.75, 12.0, 12.5, 24.0, 40.0)


Truth = Callable[[Body, float], np.ndarray]


@dataclass(frozen=True)
class Scenario:
    """Records in order, the truth at each one observed, and dosing parameters by role and place."""

    records: list[dict]
    truths: list[tuple[float, Truth]]
    extra: dict[str, float]


def watched(doses: list[dict], truth: Truth, times=TIMES, **extra: float) -> Scenario:
    """Observations at all times, after other records of the same time."""
    rows = [{"EVID": 1, **dose} for dose in doses] + [{"TIME": t, "EVID": 0} for t in times]
    rows.sort(key=lambda row: (row["TIME"], row["EVID"] == 0))
    return Scenario(rows, [(t, truth) for t in times], extra)


def written(*rows: dict, **extra: float) -> Scenario:
    """Records as they stand; those observed carry their `truth`."""
    truths = [(row["TIME"], row["truth"]) for row in rows if "truth" in row]
    kept = [{"EVID": 0, **{k: v for k, v in row.items() if k != "truth"}} for row in rows]
    return Scenario(kept, truths, extra)


def nothing(b: Body, t: float) -> np.ndarray:
    return np.zeros(len(b.places))


def since(t: float, begin: float, found: np.ndarray) -> np.ndarray:
    """What a record at `begin` leaves, seen at `t` and after it."""
    return found * (t >= begin)


def times(doses: int, one: Callable[[int], np.ndarray]) -> np.ndarray:
    return np.sum([one(j) for j in range(doses)], axis=0)


SINGLE = {
    "a bolus": watched([{"TIME": 1, "AMT": 90}], lambda b, t: b.bolus(1, t - 1, 90)),
    "a bolus, share and lag": watched(
        [{"TIME": 1, "AMT": 90}], lambda b, t: b.bolus(1, t - 1, 90), f1=0.6, lag1=1.5
    ),
    "an infusion": watched(
        [{"TIME": 1, "AMT": 90, "RATE": 20}], lambda b, t: b.infusion(1, t - 1, 90, rate=20)
    ),
    "an infusion, share and lag": watched(
        [{"TIME": 1, "AMT": 90, "RATE": 20}],
        lambda b, t: b.infusion(1, t - 1, 90, rate=20),
        f1=0.6,
        lag1=1.5,
    ),
    "a modelled rate": watched(
        [{"TIME": 1, "AMT": 90, "RATE": -1}],
        lambda b, t: b.infusion(1, t - 1, 90, rate=11),
        rate1=11,
        f1=1.2,
    ),
    "a modelled duration": watched(
        [{"TIME": 1, "AMT": 90, "RATE": -2}],
        lambda b, t: b.infusion(1, t - 1, 90, lasts=5.5),
        dur1=5.5,
        f1=0.4,
        lag1=0.5,
    ),
    "into another compartment": watched(
        [{"TIME": 0, "AMT": 90, "CMT": 2}, {"TIME": 4, "AMT": 30, "RATE": 8, "CMT": 2}],
        lambda b, t: b.bolus(2, t, 90) + b.infusion(2, t - 4, 30, rate=8),
        f2=0.7,
        lag2=1.25,
    ),
    "into two compartments at one time": watched(
        [{"TIME": 2.5, "AMT": 90, "CMT": 1}, {"TIME": 2.5, "AMT": 40, "CMT": 2}],
        lambda b, t: b.bolus(1, t - 2.5, 90) + b.bolus(2, t - 2.5, 40),
        f1=0.7,
        lag1=0.75,
        f2=0.9,
        lag2=2.0,
    ),
    "bolus and infusion into two compartments at one time": watched(
        [
            {"TIME": 2.5, "AMT": 90, "RATE": -2, "CMT": 1, "ADDL": 1, "II": 7},
            {"TIME": 2.5, "AMT": 40, "CMT": 2},
        ],
        lambda b, t: (
            b.infusion(1, t - 2.5, 90, lasts=4)
            + b.infusion(1, t - 9.5, 90, lasts=4)
            + b.bolus(2, t - 2.5, 40)
        ),
        dur1=4.0,
    ),
}
REPEATED = {
    "further boluses": watched(
        [{"TIME": 1, "AMT": 90, "ADDL": 4, "II": 5.5}],
        lambda b, t: times(5, lambda j: b.bolus(1, t - 1 - 5.5 * j, 90)),
    ),
    "further boluses with a lag longer than the interval": watched(
        [{"TIME": 1, "AMT": 90, "ADDL": 4, "II": 3}],
        lambda b, t: times(5, lambda j: b.bolus(1, t - 1 - 3 * j, 90)),
        lag1=4.25,
    ),
    "further infusions that overlap": watched(
        [{"TIME": 0, "AMT": 90, "RATE": 10, "ADDL": 3, "II": 4}],
        lambda b, t: times(4, lambda j: b.infusion(1, t - 4 * j, 90, rate=10)),
        lag1=0.5,
    ),
    "further modelled durations": watched(
        [{"TIME": 0, "AMT": 90, "RATE": -2, "ADDL": 3, "II": 6}],
        lambda b, t: times(4, lambda j: b.infusion(1, t - 6 * j, 90, lasts=2)),
        dur1=2.0,
        f1=0.8,
    ),
    "doses before the first and between observations": watched(
        [{"TIME": 0, "AMT": 90, "ADDL": 2, "II": 1}, {"TIME": 31, "AMT": 20, "ADDL": 9, "II": 0.5}],
        lambda b, t: (
            times(3, lambda j: b.bolus(1, t - j, 90))
            + times(10, lambda j: b.bolus(1, t - 31 - 0.5 * j, 20))
        ),
        times=(30.0, 50.0),
    ),
    "two regimens into two compartments": watched(
        [
            {"TIME": 0, "AMT": 90, "ADDL": 3, "II": 6},
            {"TIME": 1, "AMT": 10, "RATE": 5, "CMT": 2, "ADDL": 8, "II": 1.5},
        ],
        lambda b, t: (
            times(4, lambda j: b.bolus(1, t - 6 * j, 90))
            + times(9, lambda j: b.infusion(2, t - 1 - 1.5 * j, 10, rate=5))
        ),
        f2=0.5,
    ),
}
STEADY = {
    "steady boluses": watched(
        [{"TIME": 1, "AMT": 90, "SS": 1, "II": 6}],
        lambda b, t: since(t, 1, b.boluses(1, t - 1, 90, 6) + b.bolus(1, t - 1, 90)),
    ),
    "steady boluses that go on, share and lag": watched(
        [{"TIME": 1, "AMT": 90, "SS": 1, "II": 6, "ADDL": 2}],
        lambda b, t: since(
            t, 1, b.boluses(1, t - 1, 90, 6) + times(3, lambda j: b.bolus(1, t - 1 - 6 * j, 90))
        ),
        f1=0.7,
        lag1=5.25,
    ),
    "steady boluses into another compartment": watched(
        [{"TIME": 1, "AMT": 90, "SS": 1, "II": 6, "CMT": 2}],
        lambda b, t: since(t, 1, b.boluses(2, t - 1, 90, 6) + b.bolus(2, t - 1, 90)),
        lag2=0.5,
    ),
    "steady infusions": watched(
        [{"TIME": 0, "AMT": 90, "RATE": 40, "SS": 1, "II": 6, "ADDL": 1}],
        lambda b, t: (
            b.infusions(1, t, 90, 6, rate=40)
            + times(2, lambda j: b.infusion(1, t - 6 * j, 90, rate=40))
        ),
        lag1=4.75,
        f1=0.9,
    ),
    "steady infusions longer than the interval": watched(
        [{"TIME": 0, "AMT": 90, "RATE": 6, "SS": 1, "II": 6, "ADDL": 1}],
        lambda b, t: (
            b.infusions(1, t, 90, 6, rate=6)
            + times(2, lambda j: b.infusion(1, t - 6 * j, 90, rate=6))
        ),
        lag1=2.0,
    ),
    "steady infusions as long as the interval": watched(
        [{"TIME": 0, "AMT": 90, "RATE": 15, "SS": 1, "II": 6}],
        lambda b, t: b.infusions(1, t, 90, 6, rate=15) + b.infusion(1, t, 90, rate=15),
    ),
    "steady infusions of modelled duration, as long as two intervals": watched(
        [{"TIME": 0, "AMT": 90, "RATE": -2, "SS": 1, "II": 6}],
        lambda b, t: b.infusions(1, t, 90, 6, lasts=12) + b.infusion(1, t, 90, lasts=12),
        dur1=12.0,
        f1=0.3,
    ),
    "steady infusions of modelled rate": watched(
        [{"TIME": 0, "AMT": 90, "RATE": -1, "SS": 1, "II": 6}],
        lambda b, t: b.infusions(1, t, 90, 6, rate=33) + b.infusion(1, t, 90, rate=33),
        rate1=33.0,
        f1=0.7,
    ),
    "a constant infusion, which ends": watched(
        [{"TIME": 1, "RATE": 8, "SS": 1}], lambda b, t: since(t, 1, b.level(1, t - 1, 8))
    ),
    "a constant infusion of modelled rate into another compartment": watched(
        [{"TIME": 1, "RATE": -1, "SS": 1, "CMT": 2}],
        lambda b, t: since(t, 1, b.level(2, t - 1, 8)),
        rate2=8.0,
        rate1=8.0,
    ),
    "a constant infusion on top": watched(
        [{"TIME": 0, "AMT": 90}, {"TIME": 1, "RATE": 8, "SS": 2}],
        lambda b, t: b.bolus(1, t, 90) + since(t, 1, b.level(1, t - 1, 8)),
    ),
    "a constant infusion goes on as an infusion": watched(
        [{"TIME": 1, "RATE": 8, "SS": 1}, {"TIME": 1, "AMT": 40, "RATE": 8}],
        lambda b, t: since(t, 1, b.level(1, t - 1, 8)) + b.infusion(1, t - 1, 40, rate=8),
    ),
    "a steady state takes further doses, infusions and lagged doses that are due": watched(
        [
            {"TIME": 0, "AMT": 70, "ADDL": 20, "II": 1.5},
            {"TIME": 0.5, "AMT": 70, "RATE": 3, "ADDL": 5, "II": 2},
            {"TIME": 5, "AMT": 50, "CMT": 2},
            {"TIME": 6, "AMT": 90, "SS": 1, "II": 6},
        ],
        lambda b, t: (
            times(20, lambda j: b.bolus(1, t - 1.5 * j, 70))
            + times(6, lambda j: b.infusion(1, t - 0.5 - 2 * j, 70, rate=3))
            + b.bolus(2, t - 5, 50)
            if t < 6
            else b.boluses(1, t - 6, 90, 6) + b.bolus(1, t - 6, 90)
        ),
        lag2=2.5,
    ),
    "a steady state on top of further doses, which go on": watched(
        [
            {"TIME": 0, "AMT": 70, "ADDL": 9, "II": 1.5},
            {"TIME": 6, "AMT": 90, "RATE": 45, "SS": 2, "II": 6, "ADDL": 1},
        ],
        lambda b, t: (
            times(10, lambda j: b.bolus(1, t - 1.5 * j, 70))
            + since(t, 6, b.infusions(1, t - 6, 90, 6, rate=45))
            + times(2, lambda j: b.infusion(1, t - 6 - 6 * j, 90, rate=45))
        ),
    ),
    "steady on top of steady, long infusions on boluses": watched(
        [
            {"TIME": 0, "AMT": 50, "SS": 1, "II": 8, "ADDL": 3},
            {"TIME": 3, "AMT": 90, "RATE": 6, "SS": 2, "II": 8, "ADDL": 2},
        ],
        lambda b, t: (
            b.boluses(1, t, 50, 8)
            + times(4, lambda j: b.bolus(1, t - 8 * j, 50))
            + since(t, 3, b.infusions(1, t - 3, 90, 8, rate=6))
            + times(3, lambda j: b.infusion(1, t - 3 - 8 * j, 90, rate=6))
        ),
    ),
    "reset and steady dose": watched(
        [
            {"TIME": 0, "AMT": 70, "ADDL": 20, "II": 1.5},
            {"TIME": 6, "AMT": 90, "SS": 2, "II": 6, "EVID": 4},
        ],
        lambda b, t: (
            times(20, lambda j: b.bolus(1, t - 1.5 * j, 70))
            if t < 6
            else b.boluses(1, t - 6, 90, 6) + b.bolus(1, t - 6, 90)
        ),
    ),
}


def two_doses(b: Body, t: float) -> np.ndarray:
    return b.bolus(1, t, 70) + b.bolus(1, t - 5, 70)


ORDER = {
    "before and after a dose at its time": written(
        {"TIME": 0, "AMT": 70, "EVID": 1},
        {"TIME": 5, "truth": lambda b, t: b.bolus(1, t, 70)},
        {"TIME": 5, "AMT": 70, "EVID": 1},
        {"TIME": 5, "truth": two_doses},
        {"TIME": 5, "AMT": 30, "EVID": 1, "CMT": 2},
        {"TIME": 5, "EVID": 2, "truth": lambda b, t: two_doses(b, t) + b.bolus(2, t - 5, 30)},
    ),
    "a further dose comes before records of its time": written(
        {"TIME": 0, "AMT": 70, "EVID": 1, "ADDL": 1, "II": 5},
        {"TIME": 5, "truth": two_doses},
        {"TIME": 5, "EVID": 2, "truth": two_doses},
        {"TIME": 9, "truth": two_doses},
    ),
    "a further dose comes before a reset of its time, and is seen": written(
        {"TIME": 0, "AMT": 70, "EVID": 1, "ADDL": 5, "II": 5},
        {"TIME": 5, "truth": two_doses},
        {"TIME": 5, "EVID": 3},
        {"TIME": 5, "truth": nothing},
        {"TIME": 11, "truth": nothing},
    ),
    "a dose just before a reset of its time is seen": written(
        {"TIME": 3, "AMT": 70, "EVID": 1},
        {"TIME": 3, "truth": lambda b, t: b.bolus(1, 0, 70)},
        {"TIME": 3, "AMT": 40, "EVID": 4},
        {"TIME": 3, "truth": lambda b, t: b.bolus(1, 0, 40)},
        {"TIME": 8, "truth": lambda b, t: b.bolus(1, 5, 40)},
    ),
    "a lagged dose arrives before a reset that sets time back": written(
        {"TIME": 0, "AMT": 70, "EVID": 1},
        {"TIME": 2, "truth": lambda b, t: b.bolus(1, 2, 70)},
        {"TIME": 0, "EVID": 4, "AMT": 10},
        {"TIME": 2, "truth": lambda b, t: b.bolus(1, 2, 10)},
        {"TIME": 3.5, "truth": lambda b, t: b.bolus(1, 3.5, 10)},
        lag1=2.0,
    ),
    "a dose just before a steady state of its time is seen": written(
        {"TIME": 3, "AMT": 70, "EVID": 1},
        {"TIME": 3, "truth": lambda b, t: b.bolus(1, 0, 70)},
        {"TIME": 3, "AMT": 40, "EVID": 1, "SS": 1, "II": 6},
        {"TIME": 8, "truth": lambda b, t: b.boluses(1, 5, 40, 6) + b.bolus(1, 5, 40)},
    ),
    "time goes back at each reset": written(
        {"TIME": 0, "AMT": 70, "EVID": 1, "ADDL": 9, "II": 2},
        {"TIME": 7, "truth": lambda b, t: times(4, lambda j: b.bolus(1, t - 2 * j, 70))},
        {"TIME": 1, "AMT": 50, "RATE": 10, "EVID": 4},
        {"TIME": 3, "truth": lambda b, t: b.infusion(1, t - 1, 50, rate=10)},
        {"TIME": 0, "EVID": 3},
        {"TIME": 2, "truth": nothing},
        {"TIME": 2, "AMT": 30, "EVID": 1, "SS": 1, "II": 4},
        {"TIME": 5, "truth": lambda b, t: b.boluses(1, t - 2, 30, 4) + b.bolus(1, t - 2, 30)},
    ),
    "a reset in an infusion and doses that are due": watched(
        [
            {"TIME": 0, "AMT": 90, "RATE": 5, "ADDL": 3, "II": 5},
            {"TIME": 6, "EVID": 3},
            {"TIME": 7.75, "AMT": 20, "CMT": 2},
        ],
        lambda b, t: (
            times(2, lambda j: b.infusion(1, t - 5 * j, 90, rate=5))
            if t < 6
            else b.bolus(2, t - 7.75, 20)
        ),
    ),
}


def dosed(b: Body) -> np.ndarray:
    return b.bolus(1, 0, 90)


def slowed(b: Body, t: float) -> np.ndarray:
    """Clearance doubles from 2 to 5, where a dose is added, then is halved."""
    x = b.on(b.on(dosed(b), 2, 1.0), 3, 2.0) + dosed(b)
    return b.on(x, t - 5, 0.5)


def between(b: Body, t: float) -> np.ndarray:
    """Records at 0 and 10 alone: a further dose at 4 falls into the interval that ends at 10."""
    return b.on(b.on(dosed(b), 4, 3.0) + dosed(b), 6, 3.0)


VARYING = {
    "clearance changes by interval, a record's own value governs what ends there": written(
        {"TIME": 0, "AMT": 90, "EVID": 1, "PACE": 9.0},
        {"TIME": 2, "PACE": 1.0, "truth": lambda b, t: b.on(dosed(b), 2, 1.0)},
        {"TIME": 5, "PACE": 2.0, "truth": lambda b, t: b.on(b.on(dosed(b), 2, 1.0), 3, 2.0)},
        {"TIME": 5, "AMT": 90, "EVID": 1, "PACE": 7.0},
        {"TIME": 9, "PACE": 0.5, "truth": slowed},
    ),
    "a record that is neither dose nor observation ends an interval": written(
        {"TIME": 0, "AMT": 90, "EVID": 1, "PACE": 9.0},
        {"TIME": 2, "EVID": 2, "PACE": 1.0, "truth": lambda b, t: b.on(dosed(b), 2, 1.0)},
        {"TIME": 6, "PACE": 3.0, "truth": lambda b, t: b.on(b.on(dosed(b), 2, 1.0), 4, 3.0)},
    ),
    "a further dose is no record": written(
        {"TIME": 0, "AMT": 90, "EVID": 1, "PACE": 9.0, "ADDL": 1, "II": 4},
        {"TIME": 10, "PACE": 3.0, "truth": between},
    ),
    "a steady state is that of its record's clearance": written(
        {"TIME": 0, "AMT": 90, "EVID": 1, "PACE": 2.0, "SS": 1, "II": 6},
        {
            "TIME": 3,
            "PACE": 0.5,
            "truth": lambda b, t: b.on(
                replace(b, pace=2.0).boluses(1, 0, 90, 6) + dosed(b), 3, 0.5
            ),
        },
    ),
}
SCENARIOS = {**SINGLE, **REPEATED, **STEADY, **ORDER, **VARYING}
