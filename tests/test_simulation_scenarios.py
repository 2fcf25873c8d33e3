"""Dosing scenarios for 1, 2 and 3 compartments, closed form and ODE, against superposition."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from dosing_scenarios import SCENARIOS
from superposition import ROUTES, V1, VALUES, Body, body

from pkpd.errors import DataError
from pkpd.library import load
from pkpd.model import Covariate
from pkpd.simulation import simulate

MODELS = [f"pk_{n}cmt_{route}" for route in ROUTES for n in VALUES]
BY_NIGHT = ("pk_2cmt_iv", "pk_3cmt_iv", "pk_1cmt_oral")
"""Solved as ODEs by night: all scenarios of a model are compiled together, in five seconds."""
RUNS = [
    pytest.param(name, solver, marks=pytest.mark.slow)
    if solver == "ode" and name in BY_NIGHT
    else (name, solver)
    for name in MODELS
    for solver in ("closed", "ode")
]


def parameters(b: Body) -> dict[str, float]:
    """The dosing parameters under the names the verb takes."""
    places = {1: b.places[0], 2: b.places[b.at(2)]}
    return {
        f"{role}_{state}": b.told(role, place)
        for place, state in places.items()
        for role in ("f", "lag", "rate", "dur")
    }


@cache
def paced(name: str):
    """The library's model, its clearance times a covariate."""
    return replace(
        load(name),
        covariates=(Covariate("pace", "", 1.0, "how many times as fast as usual"),),
        individual=lambda p, c: {**p, "cl": p["cl"] * c["pace"]},
    )


@cache
def found(name: str, solver: str) -> dict[str, pd.DataFrame]:
    """All scenarios of a model in one call, one a subject."""
    rows, values = [], []
    for label, scenario in SCENARIOS.items():
        b = body(name, scenario.extra)
        values.append({"ID": label, **parameters(b)})
        for record in scenario.records:
            place = b.places[b.at(record.get("CMT", 1))]
            rows.append({"ID": label, "AMT": 0, "PACE": 1.0, **record, "CMT": place})
    given = {**VALUES[int(name[3])], **ROUTES[name.split("_")[-1]]}
    levels = simulate(
        paced(name), pd.DataFrame(rows).fillna(0), pd.DataFrame(values), solver=solver,
        settings=given,
    )  # fmt: skip
    return dict(list(levels.groupby("ID")))


@pytest.mark.parametrize("label", SCENARIOS)
@pytest.mark.parametrize(("name", "solver"), RUNS)
def test_a_scenario_equals_its_sum_of_exponentials(name, solver, label):
    scenario = SCENARIOS[label]
    b = body(name, scenario.extra)
    levels = found(name, solver)[label]
    assert levels["TIME"].tolist() == [t for t, _ in scenario.truths]
    wanted = np.array([truth(b, t) for t, truth in scenario.truths])
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(levels[b.places], wanted, rtol=1e-6, atol=1e-6)
    central = wanted[:, b.places.index("central")]
    np.testing.assert_allclose(levels["concentration"], central / V1, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
def test_steady_state_with_a_lag_of_the_interval_or_more_is_refused_by_name(name):
    first = body(name, {}).places[0]
    events = {"ID": 7, "TIME": [0, 1], "AMT": [9, 0], "EVID": [1, 0], "SS": [1, 0], "II": [5, 0]}
    for lag in (5.0, 6.0):
        with pytest.raises(DataError, match=rf"row 1, subject 7: the lag is {lag:g}, not below II"):
            simulate(name, events, settings={f"lag_{first}": lag})


@pytest.mark.parametrize(("steady", "expected"), [(1, 0.0), (2, 500.0)])
def test_a_reset_with_a_steady_state_sets_the_initial_amounts_only_if_it_adds(steady, expected):
    """SS=1 says what stands in every compartment; SS=2 comes on top of what a reset leaves."""
    model = replace(load("pk_1cmt_iv"), initial=lambda p: {"central": 500.0})
    b = body("pk_1cmt_iv", {})
    events = {"ID": 1, "TIME": [0, 3, 3], "EVID": [0, 4, 0], "AMT": [0, 90, 0]}
    events |= {"SS": [0, steady, 0], "II": [0, 6, 0]}
    levels = simulate(model, events, settings=VALUES[1])["central"]
    wanted = b.boluses(1, 0, 90, 6) + b.bolus(1, 0, 90) + expected
    np.testing.assert_allclose(levels, [500.0, *wanted], rtol=1e-9)


def test_the_scenarios_tell_themselves_apart():
    """No two have the same course, so that none is tested in name alone."""
    courses = [
        tuple(np.round(np.ravel([f(body("pk_2cmt_oral", s.extra), t) for t, f in s.truths]), 9))
        for s in SCENARIOS.values()
    ]
    assert len(set(courses)) == len(courses)
