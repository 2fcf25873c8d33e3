"""Resets, steady states, modelled rates and durations against formulas summed over past doses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from pkpd.errors import DataError, FitError, ModelError
from pkpd.library import load
from pkpd.model import Parameter
from pkpd.simulation import simulate

KA, CL, V = 0.9, 1.3, 7.0
K = CL / V
SET = {"pk_1cmt_iv": {"cl": CL, "v": V}, "pk_1cmt_oral": {"ka": KA, "cl": CL, "v": V}}
TIMES = [0.0, 0.5, 1.0, 3.0, 7.5, 12.0, 24.0, 30.0, 60.0]
PAST = 3000
"""Implied doses summed: the first is forgotten to one part in 1e100."""


def bolus(t, dose):
    return np.where(t >= 0, dose / V * np.exp(-K * np.maximum(t, 0)), 0.0)


def oral(t, dose):
    t = np.maximum(t, 0)
    return dose * KA / (V * (KA - K)) * (np.exp(-K * t) - np.exp(-KA * t))


def infusion(t, dose, lasts):
    rate, t = dose / lasts, np.maximum(t, 0)
    return rate / CL * -np.expm1(-K * np.minimum(t, lasts)) * np.exp(-K * np.maximum(t - lasts, 0))


def ever(one, t, interval, more=0, lag=0.0):
    """One dose's course summed over all implied doses before time 0, that at 0, and `more`."""
    numbers = np.arange(-PAST, more + 1)
    return float(np.sum(one(t - lag - interval * numbers)))


def records(doses, times=TIMES):
    """Observations come after other records of the same time."""
    rows = [{"TIME": t, "EVID": 0} for t in times] + [{"EVID": 1, **dose} for dose in doses]
    rows.sort(key=lambda row: (row["TIME"], row["EVID"] == 0))
    return pd.DataFrame([{"ID": 1, "AMT": 0, **row} for row in rows])


IV, ORAL = "pk_1cmt_iv", "pk_1cmt_oral"
SCENARIOS = {
    "reset takes everything": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": 5, "ADDL": 9, "II": 4}, {"TIME": 7.5, "EVID": 3}],
        {},
        lambda t: sum(infusion(t - 4 * j, 100, 20) for j in range(2)) if t < 7.5 else 0.0,
    ),
    "reset and dose": (
        IV,
        [{"TIME": 0, "AMT": 100, "ADDL": 9, "II": 4}, {"TIME": 7.5, "AMT": 30, "EVID": 4}],
        {},
        lambda t: bolus(t, 100) + bolus(t - 4, 100) if t < 7.5 else bolus(t - 7.5, 30),
    ),
    "reset takes a dose that waits for its lag": (
        IV,
        [{"TIME": 0, "AMT": 100}, {"TIME": 1, "EVID": 3}],
        {"lag_central": 2.0},
        lambda t: 0.0,
    ),
    "steady state of boluses": (
        IV,
        [{"TIME": 0, "AMT": 100, "SS": 1, "II": 5}],
        {},
        lambda t: ever(lambda s: bolus(s, 100), t, 5),
    ),
    "steady state that goes on": (
        IV,
        [{"TIME": 0, "AMT": 100, "SS": 1, "II": 5, "ADDL": 6}],
        {},
        lambda t: ever(lambda s: bolus(s, 100), t, 5, more=6),
    ),
    "steady state of oral doses with share and lag": (
        ORAL,
        [{"TIME": 0, "AMT": 100, "SS": 1, "II": 5, "ADDL": 2}],
        {"f_depot": 0.6, "lag_depot": 1.25},
        lambda t: ever(lambda s: oral(s, 60), t, 5, more=2, lag=1.25),
    ),
    "steady state of infusions": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": 50, "SS": 1, "II": 5}],
        {},
        lambda t: ever(lambda s: infusion(s, 100, 2), t, 5),
    ),
    "steady state of infusions longer than the interval": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": 8, "SS": 1, "II": 5}],
        {},
        lambda t: ever(lambda s: infusion(s, 100, 12.5), t, 5),
    ),
    "steady state of infusions as long as the interval": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": 20, "SS": 1, "II": 5}],
        {},
        lambda t: ever(lambda s: infusion(s, 100, 5), t, 5),
    ),
    "steady state of long infusions with lag and share": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": 8, "SS": 1, "II": 5, "ADDL": 3}],
        {"lag_central": 3.25, "f_central": 0.9},
        lambda t: ever(lambda s: infusion(s, 90, 11.25), t, 5, more=3, lag=3.25),
    ),
    "steady state of a short infusion with a lag that leaves it running": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": 25, "SS": 1, "II": 5}],
        {"lag_central": 4.5},
        lambda t: ever(lambda s: infusion(s, 100, 4), t, 5, lag=4.5),
    ),
    "steady state of a constant infusion, which ends": (
        IV,
        [{"TIME": 0, "AMT": 0, "RATE": 10, "SS": 1}],
        {},
        lambda t: 10 / CL * math.exp(-K * t),
    ),
    "steady state of a constant infusion into the depot": (
        ORAL,
        [{"TIME": 0, "AMT": 0, "RATE": 10, "SS": 1, "CMT": 1}],
        {},
        lambda t: 10 / CL * math.exp(-K * t) + oral(t, 10 / KA),
    ),
    "steady state takes what was there": (
        IV,
        [
            {"TIME": 0, "AMT": 500, "RATE": 10, "ADDL": 3, "II": 2},
            {"TIME": 3, "AMT": 100, "SS": 1, "II": 5},
        ],
        {},
        lambda t: (
            float(infusion(t, 500, 50) + infusion(t - 2, 500, 50))
            if t < 3
            else ever(lambda s: bolus(s, 100), t - 3, 5)
        ),
    ),
    "steady state on top": (
        IV,
        [
            {"TIME": 0, "AMT": 500, "RATE": 10, "ADDL": 3, "II": 2},
            {"TIME": 3, "AMT": 100, "SS": 2, "II": 5},
        ],
        {},
        lambda t: (
            sum(float(infusion(t - 2 * j, 500, 50)) for j in range(4))
            + (ever(lambda s: bolus(s, 100), t - 3, 5) if t >= 3 else 0.0)
        ),
    ),
    "mornings and evenings": (
        IV,
        [
            {"TIME": 0, "AMT": 50, "SS": 1, "II": 8, "ADDL": 9},
            {"TIME": 3, "AMT": 20, "SS": 2, "II": 8, "ADDL": 9},
        ],
        {},
        lambda t: (
            ever(lambda s: bolus(s, 50), t, 8, more=9)
            + (ever(lambda s: bolus(s, 20), t - 3, 8, more=9) if t >= 3 else 0.0)
        ),
    ),
    "modelled rate, share shortens": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": -1}],
        {"rate_central": 20, "f_central": 0.7},
        lambda t: infusion(t, 70, 3.5),
    ),
    "modelled duration, share thins": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": -2, "ADDL": 1, "II": 6}],
        {"dur_central": 2.5, "f_central": 0.7},
        lambda t: infusion(t, 70, 2.5) + infusion(t - 6, 70, 2.5),
    ),
    "zero-order into the depot": (
        ORAL,
        [{"TIME": 1, "AMT": 100, "RATE": -2, "CMT": 1}],
        {"dur_depot": 2.0, "lag_depot": 0.25},
        lambda t: float(
            np.mean([oral(t - 1.25 - s, 100) for s in np.linspace(0.0005, 1.9995, 2000)])
        ),
    ),
    "steady state of a modelled duration longer than the interval": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": -2, "SS": 1, "II": 5}],
        {"dur_central": 11.0, "f_central": 0.5},
        lambda t: ever(lambda s: infusion(s, 50, 11), t, 5),
    ),
    "steady state of a modelled rate": (
        IV,
        [{"TIME": 0, "AMT": 100, "RATE": -1, "SS": 1, "II": 5}],
        {"rate_central": 40.0, "f_central": 0.5},
        lambda t: ever(lambda s: infusion(s, 50, 1.25), t, 5),
    ),
}


BY_DAY = ("mornings and evenings", "steady state of boluses", "steady state of infusions")
"""Scenarios of which the ODE is tried by day: each compiles anew. See test_simulation_scenarios."""

RUNS = [
    pytest.param(name, solver, marks=[pytest.mark.slow] * (solver == "ode" and name not in BY_DAY))
    for name in SCENARIOS
    for solver in ("closed", "ode")
]


@pytest.mark.parametrize(("name", "solver"), RUNS)
def test_one_compartment_equals_the_formula(name, solver):
    model, doses, extra, expected = SCENARIOS[name]
    found = simulate(model, records(doses), settings={**SET[model], **extra}, solver=solver)
    assert found["TIME"].tolist() == TIMES
    wanted = [float(expected(t)) for t in TIMES]
    np.testing.assert_allclose(found["concentration"], wanted, rtol=1e-6, atol=1e-8)


def test_time_may_go_back_at_a_reset():
    events = {
        "ID": 1,
        "TIME": [0, 10, 0, 4, 9],
        "EVID": [1, 0, 4, 0, 0],
        "AMT": [100, 0, 50, 0, 0],
        "ADDL": [5, 0, 0, 0, 0],
        "II": [3, 0, 0, 0, 0],
    }
    found = simulate(IV, events, settings=SET[IV])
    wanted = [sum(float(bolus(10 - 3 * j, 100)) for j in range(4)), bolus(4, 50), bolus(9, 50)]
    np.testing.assert_allclose(found["concentration"], np.array(wanted, float), rtol=1e-9)


def test_a_record_before_its_dose_at_one_time_reads_what_was_there():
    events = {"ID": 1, "TIME": [0, 4, 4, 4], "EVID": [1, 0, 1, 2], "AMT": [100, 0, 10, 0]}
    events |= {"SS": [0, 0, 1, 0], "II": [0, 0, 5, 0]}
    found = simulate(IV, events, settings=SET[IV])["concentration"]
    wanted = [float(bolus(4, 100)), ever(lambda s: bolus(s, 10), 0.0, 5)]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def saturable(vmax):
    """One compartment with saturable elimination alone."""
    base = load(IV)
    return replace(
        base,
        name="saturable",
        linear=False,
        rates=lambda t, x, p, u: {"central": -p["vmax"] * x["central"] / (p["km"] + x["central"])},
        outputs=lambda x, p: {"concentration": x["central"]},
        parameters=(Parameter("vmax", vmax, "mg/day", "-"), Parameter("km", 5.0, "mg", "-")),
    )


@pytest.mark.parametrize(
    "dose", [{"AMT": 20}, {"AMT": 20, "RATE": 10}, {"AMT": 20, "RATE": 5}], ids=str
)
def test_a_saturable_path_has_the_steady_state_that_waiting_finds(dose):
    """Waited for by scipy: 120 intervals, dose after dose."""
    interval, x = 3.0, np.zeros(1)
    lasts = dose["AMT"] / dose["RATE"] if "RATE" in dose else 0.0

    def rate(t, x, n):
        running = sum(0 <= t - interval * j < lasts for j in range(n + 1))
        return dose.get("RATE", 0) * running - 9 * x / (5 + x)

    for n in range(120):
        cuts = sorted({interval * n, interval * (n + 1), *(
            interval * j + lasts for j in range(n + 1)
            if interval * n < interval * j + lasts < interval * (n + 1)
        )})  # fmt: skip
        x = x + (dose["AMT"] if not lasts else 0)
        for a, b in zip(cuts[:-1], cuts[1:], strict=True):
            flow = rate((a + b) / 2, np.zeros(1), n)
            x = solve_ivp(
                lambda t, y, flow=flow: flow - 9 * y / (5 + y), (a, b), x, rtol=1e-10, atol=1e-12
            ).y[:, -1]
    doses = [{"TIME": 0, "SS": 1, "II": interval, **dose}]
    found = simulate(saturable(9.0), records(doses, [0.0, 1.0]))
    trough = found["central"][0] - (0 if lasts else dose["AMT"])
    assert trough == pytest.approx(float(x[0]), rel=1e-6)


def test_a_saturable_path_under_constant_infusion():
    found = simulate(saturable(9.0), records([{"TIME": 0, "RATE": 6, "SS": 1}], [0.0]))
    assert found["central"][0] == pytest.approx(10.0, rel=1e-8)


@pytest.mark.parametrize("dose", [{"AMT": 40, "II": 3}, {"RATE": 12}], ids=str)
def test_more_than_the_body_removes_has_no_steady_state(dose):
    with pytest.raises(FitError, match="no steady state for subject 1, row 1"):
        simulate(saturable(9.0), records([{"TIME": 0, "SS": 1, **dose}], [0.0]))


def test_a_model_that_looks_at_time_has_none():
    with pytest.raises(ModelError, match="look at time: it has no steady state"):
        simulate("rocatinlimab_okada_2025", records([{"TIME": 0, "AMT": 1, "SS": 1, "II": 5}]))


FAULTS = {
    "lag": ({"SS": 1, "II": 5}, {"lag_central": 5}, "the lag is 5, not below II (5)"),
    "no rate": ({"RATE": -1}, {}, "RATE is -1, but nothing gives its rate. Give rate_"),
    "no duration": ({"RATE": -2}, {}, "RATE is -2, but nothing gives its duration"),
    "rate of none": ({"RATE": -1}, {"rate_central": 0}, "the modelled rate is 0"),
    "duration of none": ({"RATE": -2}, {"dur_central": 0}, "the modelled duration is 0"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_parameters_make_impossible_is_told_with_its_row(name):
    dose, extra, message = FAULTS[name]
    with pytest.raises(DataError) as caught:
        simulate(IV, records([{"TIME": 0, "AMT": 9, **dose}]), settings={**SET[IV], **extra})
    assert f"row 1, subject 1: {message}" in str(caught.value)


def test_a_response_has_the_steady_state_that_waiting_finds():
    """Fifty intervals waited for, against SS=1; the search begins where the untreated body is."""
    model = "pk_1cmt_iv+pd_indirect_1"
    given = {"AMT": 100, "II": 12}
    waited = simulate(model, records([{"TIME": 0, **given, "ADDL": 50}], [600.0, 606.0]))
    steady = simulate(model, records([{"TIME": 0, **given, "SS": 1}], [0.0, 6.0]))
    for name in ("concentration", "effect"):
        np.testing.assert_allclose(steady[name], waited[name], rtol=1e-5)
        assert abs(steady[name][1] / steady[name][0] - 1) > 1e-3
