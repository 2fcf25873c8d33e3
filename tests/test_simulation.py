"""Simulated levels against solutions written out by hand or solved by scipy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from pkpd.errors import DataError, ModelError
from pkpd.library import load
from pkpd.simulation import simulate

KA, CL, V = 0.9, 1.3, 7.0
SET = {"pk_1cmt_iv": {"cl": CL, "v": V}, "pk_1cmt_oral": {"ka": KA, "cl": CL, "v": V}}
TIMES = [0.0, 0.5, 1.0, 3.0, 7.5, 12.0, 24.0, 30.0, 60.0]


def bolus(t, dose):
    return dose / V * math.exp(-CL / V * t) if t >= 0 else 0.0


def oral(t, dose):
    k = CL / V
    return dose * KA / (V * (KA - k)) * (math.exp(-k * t) - math.exp(-KA * t)) if t >= 0 else 0.0


def infusion(t, dose, rate):
    k, lasts = CL / V, dose / rate
    if t < 0:
        return 0.0
    return rate / CL * (1 - math.exp(-k * min(t, lasts))) * math.exp(-k * max(t - lasts, 0.0))


def records(doses, times=TIMES):
    """Dose records, and observations after the doses at equal times, in time order."""
    rows = [{"TIME": t, "EVID": 0} for t in times] + [{"EVID": 1, **dose} for dose in doses]
    rows.sort(key=lambda row: (row["TIME"], -row["EVID"]))
    return pd.DataFrame([{"ID": 1, "AMT": None, **row} for row in rows])


SCENARIOS = {
    "one bolus": ("pk_1cmt_iv", [{"TIME": 0, "AMT": 100}], {}, lambda t: bolus(t, 100)),
    "bolus by name of compartment": (
        "pk_1cmt_iv",
        [{"TIME": 1, "AMT": 100, "CMT": "central"}],
        {},
        lambda t: bolus(t - 1, 100),
    ),
    "boluses by ADDL": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 50, "ADDL": 3, "II": 6}],
        {},
        lambda t: sum(bolus(t - 6 * j, 50) for j in range(4)),
    ),
    "bioavailability of a bolus": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 100}],
        {"f_central": 0.4},
        lambda t: bolus(t, 40),
    ),
    "lag of a bolus and of its ADDL": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 100, "ADDL": 1, "II": 10}],
        {"lag_central": 2.25},
        lambda t: bolus(t - 2.25, 100) + bolus(t - 12.25, 100),
    ),
    "one infusion": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 100, "RATE": 40}],
        {},
        lambda t: infusion(t, 100, 40),
    ),
    "infusions that overlap": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 100, "RATE": 10, "ADDL": 4, "II": 3}],
        {},
        lambda t: sum(infusion(t - 3 * j, 100, 10) for j in range(5)),
    ),
    "infusion with bolus": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 100, "RATE": 10}, {"TIME": 0, "AMT": 20}],
        {},
        lambda t: infusion(t, 100, 10) + bolus(t, 20),
    ),
    "bioavailability shortens an infusion": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 100, "RATE": 10}],
        {"f_central": 0.5},
        lambda t: infusion(t, 50, 10),
    ),
    "lag of an infusion": (
        "pk_1cmt_iv",
        [{"TIME": 1, "AMT": 100, "RATE": 10}],
        {"lag_central": 0.7},
        lambda t: infusion(t - 1.7, 100, 10),
    ),
    "very fast infusion": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 100, "RATE": 1e6}],
        {},
        lambda t: infusion(t, 100, 1e6) if t else 100 / V * 0,
    ),
    "one oral dose": ("pk_1cmt_oral", [{"TIME": 0, "AMT": 100}], {}, lambda t: oral(t, 100)),
    "oral dose with lag and bioavailability": (
        "pk_1cmt_oral",
        [{"TIME": 0, "AMT": 100}],
        {"f_depot": 0.7, "lag_depot": 0.35},
        lambda t: oral(t - 0.35, 70),
    ),
    "oral dose and bolus": (
        "pk_1cmt_oral",
        [{"TIME": 0, "AMT": 100, "CMT": 1}, {"TIME": 3, "AMT": 20, "CMT": 2}],
        {},
        lambda t: oral(t, 100) + bolus(t - 3, 20),
    ),
    "infusion into the depot": (
        "pk_1cmt_oral",
        [{"TIME": 0, "AMT": 12, "RATE": 4, "CMT": "depot"}],
        {},
        lambda t: float(np.trapezoid([oral(t - s, 4) for s in np.linspace(0, 3, 30001)], dx=1e-4)),
    ),
    "a dose later than every record": (
        "pk_1cmt_iv",
        [{"TIME": 0, "AMT": 100, "ADDL": 9, "II": 50}],
        {},
        lambda t: bolus(t, 100) + bolus(t - 50, 100),
    ),
}


@pytest.mark.parametrize("solver", ["closed", "ode"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_one_compartment_equals_the_formula(name, solver):
    model, doses, extra, expected = SCENARIOS[name]
    found = simulate(model, records(doses), settings={**SET[model], **extra}, solver=solver)
    assert found["TIME"].tolist() == TIMES
    wanted = [expected(t) for t in TIMES]
    np.testing.assert_allclose(found["concentration"], wanted, rtol=1e-6, atol=1e-8)


def derivative(t, x, p, flow):
    """Two or three compartments with a depot: written out apart from the models."""
    depot, central, *others = x
    out = p["ka"] * depot + flow - p["cl"] / p["v1"] * central
    pairs = [("q", "v2")] if len(others) == 1 else [("q2", "v2"), ("q3", "v3")]
    flows = [p[q] * (central / p["v1"] - a / p[v]) for (q, v), a in zip(pairs, others, strict=True)]
    return [-p["ka"] * depot, out - sum(flows), *flows]


@pytest.mark.parametrize("solver", ["closed", "ode", "stiff"])
@pytest.mark.parametrize("name", ["pk_2cmt_oral", "pk_3cmt_oral"])
def test_more_compartments_equal_scipy(name, solver):
    """A depot dose at 0, an infusion of 30 over 3 from 5, a bolus of 10 at 10."""
    model = load(name)
    p = {**model.typical(), "ka": 0.6, "cl": 2.0}
    doses = [
        {"TIME": 0, "AMT": 100, "CMT": 1},
        {"TIME": 5, "AMT": 30, "RATE": 10, "CMT": 2},
        {"TIME": 10, "AMT": 10, "CMT": 2},
    ]
    found = simulate(
        model, records(doses, [2.0, 6.0, 9.0, 20.0]), settings={"ka": 0.6, "cl": 2.0}, solver=solver
    )
    x, wanted = np.array([100.0, *[0.0] * (len(model.states) - 1)]), {}
    for begin, end, flow, add in (
        (0, 2, 0, 0),
        (2, 5, 0, 0),
        (5, 6, 10, 0),
        (6, 8, 10, 0),
        (8, 9, 0, 0),
        (9, 10, 0, 10),
        (10, 20, 0, 0),
    ):
        x = solve_ivp(
            derivative, (begin, end), x, args=(p, flow), method="DOP853", rtol=1e-12, atol=1e-12
        ).y[:, -1]
        x[1] += add
        wanted[end] = x.copy()
    expected = np.array([wanted[t] for t in (2, 6, 9, 20)])
    np.testing.assert_allclose(found[[*model.states]], expected, rtol=1e-6)


@pytest.mark.parametrize("solver", ["closed", "ode"])
def test_absorption_as_fast_as_elimination_is_exact(solver):
    k = 0.5
    found = simulate(
        "pk_1cmt_oral",
        records([{"TIME": 0, "AMT": 10}]),
        solver=solver,
        settings={"ka": k, "cl": k * V, "v": V},
    )
    wanted = [10 / V * k * t * math.exp(-k * t) for t in TIMES]
    np.testing.assert_allclose(found["concentration"], wanted, rtol=1e-6, atol=1e-8)


def test_record_order_at_equal_times_is_kept():
    events = {"ID": 1, "TIME": [0, 0, 0, 5], "EVID": [0, 1, 0, 2], "AMT": [0, 100, 0, 0]}
    found = simulate("pk_1cmt_iv", events, settings=SET["pk_1cmt_iv"])
    np.testing.assert_allclose(found["central"][:2], [0, 100])
    assert found["TIME"].tolist() == [0, 0, 5]


@pytest.mark.parametrize("lag", [0.0, 0.1])
def test_a_further_dose_comes_before_a_record_at_its_time(lag):
    """3 x 0.1 is not 0.3 in floating point; the dose is at the record all the same."""
    events = {
        "ID": 1,
        "TIME": [0, 0.3 + lag],
        "EVID": [1, 0],
        "AMT": [10, 0],
        "ADDL": [3, 0],
        "II": [0.1, 0],
    }
    found = simulate("pk_1cmt_iv", events, settings={"cl": 0.0, "lag_central": lag})
    np.testing.assert_allclose(found["central"], 40.0)


def test_rows_come_in_input_order_with_the_subjects_names():
    events = {"ID": ["b", "b", "a", "a"], "TIME": [0, 1, 0, 1], "AMT": [10, 0, 20, 0]}
    found = simulate("pk_1cmt_iv", events)
    assert list(found.columns) == ["ID", "TIME", "concentration", "central"]
    assert found["ID"].tolist() == ["b", "a"]
    np.testing.assert_allclose(found["central"].iloc[1], 2 * found["central"].iloc[0])


def test_subjects_have_their_own_parameters(tmp_path):
    pd.DataFrame({"ID": [2, 1], "CL": [1.0, 2.0], "f_central": [1, 0.5]}).to_csv(
        tmp_path / "params.csv", index=False
    )
    events = {"ID": [1, 1, 2, 2], "TIME": [0, 4, 0, 4], "AMT": [10, 0, 10, 0]}
    found = simulate("pk_1cmt_iv", events, tmp_path / "params.csv", settings={"v": 10})
    wanted = [5 * math.exp(-0.8), 10 * math.exp(-0.4)]
    np.testing.assert_allclose(found["central"], wanted, rtol=1e-9)


def test_a_records_own_covariates_govern_the_interval_that_ends_at_it():
    events = {
        "ID": 1,
        "TIME": [0, 10, 20],
        "AMT": [100, 0, 0],
        "CMT": "central",
        "WT": [70, 100, 50],
    }
    found = simulate("rocatinlimab_okada_2025", events, settings={"vmax": 0, "q": 0})
    cl = [0.230 * (w / 70) ** 0.923 for w in (100, 50)]
    v1 = [3.30 * (w / 70) ** 0.828 for w in (100, 50)]
    wanted = 100 * np.exp(-10 * np.cumsum(np.divide(cl, v1)))
    np.testing.assert_allclose(found["central"], wanted, rtol=1e-6)
    np.testing.assert_allclose(found["concentration"], wanted / v1, rtol=1e-6)


def test_the_clock_of_a_decaying_capacity_starts_at_the_first_dose():
    late = {"ID": 1, "TIME": [0, 100, 130], "AMT": [0, 300, 0], "CMT": 1}
    early = {"ID": 1, "TIME": [0, 30], "AMT": [300, 0], "CMT": 1}
    found = [
        simulate("rocatinlimab_okada_2025", e)["concentration"].iloc[-1] for e in (late, early)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-7)


def test_bioavailability_of_amlitelimab_moves_on_its_logit():
    model = load("amlitelimab_tiraboschi_2025")
    events = {"ID": 1, "TIME": [0, 1], "AMT": [100, 0], "ALB": 44}
    found = simulate(model, events, settings={"f_shift": 0.7, "ka": 0, "lag": 0})
    typical = 0.888 + 0.598 * (44 / 47 - 1)
    odds = typical / (1 - typical) * math.exp(0.7)
    np.testing.assert_allclose(found["depot"], 100 * odds / (1 + odds), rtol=1e-9)


def test_a_linear_model_is_refused_no_closed_form_and_others_are():
    events = {"ID": 1, "TIME": [0, 1], "AMT": [1, 0]}
    with pytest.raises(ModelError, match="not linear: it has no closed form"):
        simulate("rocatinlimab_okada_2025", events, solver="closed")
    with pytest.raises(ModelError, match="no solver 'rk'. Solvers: closed, ode, stiff"):
        simulate("pk_1cmt_iv", events, solver="rk")


def test_an_unknown_model_is_refused_with_the_nearest_names():
    with pytest.raises(ModelError, match="Did you mean pk_1cmt_oral.*Models: .*rocatinlimab"):
        simulate("pk_1cmt_orl", {"ID": 1, "TIME": [0], "AMT": [1]})


def test_every_fault_of_the_parameters_is_listed():
    events = {"ID": [1, 2], "TIME": 0, "AMT": 1}
    table = pd.DataFrame({"ID": [1, 1], "cll": [1, 1], "v": ["x", -2], "rate_central": 1})
    with pytest.raises(DataError) as caught:
        simulate("pk_1cmt_iv", events, table, settings={"lag_central": -1})
    text = str(caught.value)
    for part in (
        "no parameter 'cll'. Did you mean cl?",
        "row 1, subject 1: v is empty or no num",
        "row 2, subject 1: v is -2. It must be zero or more",
        "stands there twice",
        "subject 2: the events have this subject",
        "settings, lag_central: lag_central is -1",
    ):
        assert part in text


def test_a_model_that_needs_another_is_refused_by_name():
    model = replace(load("pk_1cmt_iv"), inputs=("concentration",))
    with pytest.raises(ModelError, match="needs concentration from another model"):
        simulate(model, {"ID": 1, "TIME": [0], "AMT": [1]})
