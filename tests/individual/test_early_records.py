"""Records before a subject's first dose: right where the model stands still there, else refused.

A placebo patient who is switched to drug later is such a subject.
"""

from __future__ import annotations

import numpy as np
import pytest
from oral_trial import settings_of, table
from scipy.integrate import solve_ivp

from pkpd.early_records import looks_at_time
from pkpd.errors import DataError
from pkpd.individual.build import unsolved
from pkpd.library import load
from pkpd.settings_individual import Choice, Observation
from pkpd.simulation import simulate

T_CELL = "pk_1cmt_iv+tcell_rebalancing"
SWITCH = 168.0
PLACEBO = [0.0, 28.0, 84.0, 168.0]
AFTER = [196.0, 252.0, 336.0]
SET = {"cl": 0.3, "v": 5.0, "placebo": 0.0, "kdep": 0.02}


def records(subjects):
    """Visits from day 0; drug from day `SWITCH` on for each subject named with it."""
    rows = []
    for who, first in subjects.items():
        rows += [{"ID": who, "TIME": t, "AMT": 0.0, "EVID": 0} for t in (*PLACEBO, *AFTER)]
        if first is not None:
            rows.append({"ID": who, "TIME": first, "AMT": 300.0, "EVID": 1, "ADDL": 3, "II": 28.0})
    rows.sort(key=lambda row: (row["ID"], row["TIME"]))
    names = ("ID", "TIME", "AMT", "EVID", "ADDL", "II")
    return {name: [row.get(name, 0.0) for row in rows] for name in names}


def lesions(p, times):
    """EASI ratio at days since the first dose, placebo response 0, by SciPy alone."""

    def slope(t, x):
        e, m, r, inflamed, lesion = x
        c = sum(300 / p["v"] * np.exp(-p["cl"] / p["v"] * (t - d)) for d in DOSES if d <= t)
        occupied = c / (c + p["ec50"])
        return [
            p["ke"] * (m * (1 - p["imax"] * occupied) - e) - p["kdep"] * occupied * e,
            p["kmem"] * (1 - p["phi"] + p["phi"] * e - m),
            p["kr"] * (1 + p["gr"] * occupied - r),
            p["ks"] * ((e / r) ** p["gamma"] - inflamed),
            p["ks"] * (inflamed - lesion),
        ]

    x, at, found = np.ones(5), 0.0, {}
    for stop in sorted({*DOSES, *times}):
        if stop > at:
            x = solve_ivp(slope, (at, stop - 1e-12), x, "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
            at = stop
        found[stop] = x[4]
    return [found[t] for t in times]


DOSES = (0.0, 28.0, 56.0, 84.0)


@pytest.fixture(scope="module")
def switched():
    return simulate(T_CELL, records({1: SWITCH}), settings=SET)


def test_before_the_drug_t_cells_stand_at_their_drug_free_steady_state(switched):
    before = switched[switched["TIME"] <= SWITCH]
    assert len(before) == len(PLACEBO)
    states = before[["effector", "memory", "regulatory", "inflammation", "lesions", "easi_ratio"]]
    np.testing.assert_allclose(states, 1.0, rtol=1e-9)
    np.testing.assert_array_equal(before["concentration"], 0.0)


def test_after_the_switch_the_course_is_that_of_scipy_from_the_first_dose(switched):
    p = {**load(T_CELL).typical(), **SET}
    wanted = lesions(p, [t - SWITCH for t in AFTER])
    assert min(wanted) < 0.8
    found = switched[switched["TIME"] > SWITCH]["easi_ratio"]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_an_indirect_response_stands_at_its_baseline_before_the_drug():
    found = simulate("pk_1cmt_iv+pd_indirect_1", records({1: SWITCH}))
    p = load("pd_indirect_1").typical()
    before = found[found["TIME"] <= SWITCH]["response"]
    np.testing.assert_allclose(before, p["e0"], rtol=1e-9)
    assert (found[found["TIME"] == AFTER[0]]["response"] < before.iloc[0]).all()


def test_a_placebo_response_that_begins_with_the_drug_is_refused_for_every_subject_at_once():
    """Counted from the first dose it would be exp(placebo (exp(kp 168) - 1)): EASI 10^141 times."""
    events = records({"A": SWITCH, "B": None, "C": 0.0, "D": SWITCH})
    with pytest.raises(DataError) as caught:
        simulate(T_CELL, events, settings=SET | {"placebo": 0.3})
    where = [fault.where.rpartition(", ")[2] for fault in caught.value.faults]
    assert where == ["subject A", "subject D"]
    told = str(caught.value)
    assert "3 of its records stand before its first dose, TIME 0 to 84" in told
    assert "counts time from that dose" in told and "Leave those records out" in told


def test_placebo_patients_and_those_dosed_from_the_start_have_their_course():
    found = simulate(T_CELL, records({"B": None, "C": 0.0}), settings=SET | {"placebo": 0.3})
    placebo = found[found["ID"].astype(str) == "B"]
    kp = load(T_CELL).typical()["kp"]
    wanted = np.exp(-0.3 * (1 - np.exp(-kp * placebo["TIME"].to_numpy(float))))
    np.testing.assert_allclose(placebo["easi_ratio"], wanted, rtol=1e-7)


def test_a_capacity_that_decays_from_the_first_dose_has_nothing_to_act_on_before_it():
    model = load("rocatinlimab_okada_2025")
    covariates = {each.name: each.reference for each in model.covariates}
    assert not looks_at_time(model, model.individual(model.typical(), covariates))


def test_a_fit_refuses_every_such_subject_and_fits_the_others():
    settings = settings_of(
        T_CELL,
        {"ks": Choice(median=0.06, sd=0.5)},
        (Observation(output="easi_ratio", error="additive", priors={"additive": 0.1}),),
    )
    columns = records({1: SWITCH, 2: None, 3: SWITCH, 4: 0.0})
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(),
                                                                      strict=True)]  # fmt: skip
    rows = [row | {"DV": float(row["EVID"] == 0)} for row in rows]
    with pytest.raises(DataError) as caught:
        unsolved(settings, load(T_CELL), table(rows), "fit.toml")
    told = [fault.where.rpartition("subject ")[2] for fault in caught.value.faults]
    assert [float(who) for who in told] == [1, 3]
    kept = [row for row in rows if row["ID"] in (2, 4)]
    assert unsolved(settings, load(T_CELL), table(kept), "fit.toml").solver.design.count == 2
