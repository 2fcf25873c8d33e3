"""Joined models: against equations written by hand, and what does not go together."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from pkpd.cli import main
from pkpd.compose import compose
from pkpd.errors import ModelError
from pkpd.library import check_model, load
from pkpd.simulation import simulate
from pkpd.statement import described, statement

WARFARIN = "pk_1cmt_transit+pd_indirect_1"
# Of the size that nlmixr2's documentation finds for warfarin, per hour.
P = {"ktr": 1.5, "ka": 0.8, "cl": 0.14, "v": 7.4, "e0": 97.0, "kout": 0.053, "imax": 0.97}
P |= {"ic50": 0.9}
TIMES = [2.0, 24.0, 48.0, 49.0, 96.0, 144.0]


def events(times=TIMES, amount=100.0, **columns):
    """A dose at 0 and another at 48, by ADDL."""
    rows = {"TIME": [0.0, *times], "AMT": [amount, *[0.0] * len(times)]}
    rows |= {"EVID": [1, *[0] * len(times)], "ADDL": [1, *[0] * len(times)]}
    return pd.DataFrame({"ID": 1, **rows, "II": [48.0, *[0.0] * len(times)], **columns})


def by_hand():
    """depot, gut, central and prothrombin at TIMES; doses of 100 at 0 and 48."""

    def slope(t, y):
        depot, gut, central, response = y
        c = central / P["v"]
        held = 1 - P["imax"] * c / (P["ic50"] + c)
        return [
            -P["ktr"] * depot,
            P["ktr"] * depot - P["ka"] * gut,
            P["ka"] * gut - P["cl"] * c,
            P["kout"] * P["e0"] * held - P["kout"] * response,
        ]

    def onward(span, start, times):
        return solve_ivp(slope, span, start, "DOP853", times, rtol=1e-12, atol=1e-12).y

    first = onward((0, 48), [100.0, 0, 0, P["e0"]], TIMES[:3])
    second = onward((48, 144), first[:, -1] + [100.0, 0, 0, 0], TIMES[3:])
    first[0, -1] += 100.0  # a further dose comes before the record of its time
    return np.hstack([first, second]).T


def test_a_joined_model_equals_its_equations_written_by_hand():
    found = simulate(WARFARIN, events(), P)
    wanted = by_hand()
    np.testing.assert_allclose(
        found[["depot", "gut", "central", "response"]], wanted, rtol=1e-6, atol=1e-7
    )
    np.testing.assert_allclose(found["concentration"], wanted[:, 2] / P["v"], rtol=1e-6)
    np.testing.assert_allclose(found["effect"], wanted[:, 3], rtol=1e-6)


def test_the_response_does_not_touch_the_levels_that_drive_it():
    alone, joined = load("pk_2cmt_ada"), load("pk_2cmt_ada+pd_indirect_3")
    given = events(ADA=[0, 0, 1, 1, 0, 0, 1])
    settings = {"f_depot": 0.6, "lag_depot": 1.5}
    wanted = simulate(alone, given, settings=settings, solver="ode")
    found = simulate(joined, given, settings=settings)
    np.testing.assert_allclose(found[[*wanted]], wanted, rtol=1e-6, atol=1e-7)


def test_time_in_a_response_counts_from_the_first_dose_since_the_last_reset():
    """Without effect (imax 0) direct_emax is the placebo response alone, exp(-placebo (1 - ..))."""
    given = {
        "ID": 1,
        "TIME": [5.0, 8.0, 30.0, 40.0, 41.0, 60.0],
        "AMT": [100, 0, 0, 100, 0, 0],
        "EVID": [1, 0, 0, 4, 0, 0],
    }
    settings = {"imax": 0.0, "placebo": 0.5, "kp": 0.1}
    found = simulate("pk_1cmt_iv+direct_emax", given, settings=settings)
    since = np.array([3.0, 25.0, 1.0, 20.0])
    assert [*found["TIME"]] == [8.0, 30.0, 41.0, 60.0] and "t" not in found
    wanted = np.exp(-0.5 * (1 - np.exp(-0.1 * since)))
    np.testing.assert_allclose(found["easi_ratio"], wanted, rtol=1e-12)


def test_indirect_response_loses_lesions_at_its_own_rate():
    """SciPy's solution of dL/dt = ks (1 - imax C / (C + ec50))^gamma - ks L, without placebo."""
    given = {"ID": 1, "TIME": [0.0, 20.0, 60.0, 200.0], "AMT": [100, 0, 0, 0], "EVID": [1, 0, 0, 0]}
    p = {"cl": 0.2, "v": 4.0, "ec50": 3.0, "imax": 0.9, "gamma": 1.7, "ks": 0.05, "placebo": 0.0}

    def slope(t, lesions):
        level = 100 / p["v"] * np.exp(-p["cl"] / p["v"] * t)
        made = (1 - p["imax"] * level / (level + p["ec50"])) ** p["gamma"]
        return p["ks"] * (made - lesions)

    found = simulate("pk_1cmt_iv+indirect_response", given, settings=p)
    wanted = solve_ivp(slope, (0, 200), [1.0], t_eval=[20, 60, 200], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found["easi_ratio"], wanted.y[0], rtol=1e-6)


def test_three_models_join_from_left_to_right():
    model = load("pk_1cmt_iv+pd_indirect_1+pd_linear_decline")
    assert model.states == ("central", "response", "log10_load")
    assert [part.name for part in model.parts] == model.name.split("+")
    given = events()
    found = simulate(model, given)
    two = simulate("pk_1cmt_iv+pd_indirect_1", given)
    np.testing.assert_allclose(found[[*two]], two, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found["log10_load"], 6.0 - 0.5 * found["TIME"], rtol=1e-9)


def test_every_joined_part_is_kept():
    pk, pd_ = load("rocatinlimab_okada_2025"), load("direct_emax")
    model = load(f"{pk.name}+{pd_.name}")
    assert check_model(model) == () and model.kind == "pkpd"
    assert model.parameters == (*pk.parameters, *pd_.parameters)
    assert model.claims == pk.claims and model.warning == pk.warning
    assert {*pk.assumptions, *pd_.assumptions} == {*model.assumptions}
    assert model.doses_into == pk.doses_into and model.covariates == pk.covariates
    assert model.inputs == () and not model.linear and model.turnover is None


def test_a_joined_model_is_loaded_once_so_that_compiled_programs_live_on():
    assert load(WARFARIN) is load(WARFARIN)
    assert load(" + ".join(WARFARIN.split("+"))) is load(WARFARIN)


def test_a_stiff_part_makes_the_whole_stiff():
    assert load("pk_2cmt_tmdd_full+pd_indirect_1").stiff
    assert not load("pk_2cmt_tmdd_qss+pd_indirect_1").stiff


def test_a_misspelt_part_is_told_with_names_near_it():
    with pytest.raises(ModelError, match=r"no model 'pd_indirekt_1'. Did you mean pd_indirect_"):
        load("pk_1cmt_iv+pd_indirekt_1")


def test_all_names_that_clash_are_told_at_once():
    with pytest.raises(ModelError) as told:
        compose(load(WARFARIN), load("pd_indirect_2"))
    text = str(told.value)
    assert "both have parameters named e0, kout, imax, ic50" in text
    assert "both have states and outputs named response, effect" in text
    assert load("rocatinlimab_okada_2025+tcell_rebalancing").drug == "rocatinlimab"


def test_what_does_not_go_together_is_refused_with_the_reason():
    pk, response = load("pk_1cmt_iv"), load("pd_indirect_1")
    with pytest.raises(ModelError, match="pd_indirect_1 itself needs concentration: name first"):
        compose(response, load("pd_friberg"))
    with pytest.raises(ModelError, match="pk_2cmt_iv is no response model"):
        compose(pk, load("pk_2cmt_iv"))
    with pytest.raises(ModelError, match="needs occupancy; pk_1cmt_iv gives concentration"):
        compose(pk, replace(response, inputs=("occupancy",)))
    slow = replace(response, units={**response.units, "time": "h"})
    with pytest.raises(ModelError, match="time is in day in pk_1cmt_iv, in h in pd_indirect_1"):
        compose(pk, slow)


def test_a_covariate_of_both_must_be_the_same():
    pk, response = load("pk_2cmt_oral_allometric"), load("pd_indirect_1")
    weight = pk.covariates[0]
    assert compose(pk, replace(response, covariates=(weight,))).covariates == (weight,)
    with pytest.raises(ModelError, match="covariate wt is not the same in both"):
        compose(pk, replace(response, covariates=(replace(weight, reference=75.0),)))


def test_the_statement_tells_the_equations_of_every_part():
    model = load(WARFARIN)
    text = statement(model)
    assert "Equations: rates of pk_1cmt_transit" in text
    assert "Equations: turnover of pd_indirect_1" in text
    assert "joined (drug in, levels and effect out)" in text
    assert f"pkpd simulate {WARFARIN} --events" in text
    assert [part["name"] for part in json.loads(json.dumps(described(model)))["parts"]] == [
        "pk_1cmt_transit",
        "pd_indirect_1",
    ]


def test_a_statement_tells_what_its_equations_call():
    assert "def free(total" in statement(load("pk_2cmt_tmdd_qss"))


def test_the_command_line_shows_and_runs_joined_models(tmp_path, capsys):
    table, out = tmp_path / "events.csv", tmp_path / "out.csv"
    events().to_csv(table, index=False)
    for words in (["show", WARFARIN], ["simulate", WARFARIN, "--events", table, "--out", out]):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        assert not end.value.code
    assert "Equations: rates of pk_1cmt_transit" in capsys.readouterr().out
    np.testing.assert_allclose(
        pd.read_csv(out)["effect"], simulate(WARFARIN, events())["effect"], rtol=1e-12
    )


def test_a_response_alone_says_how_to_drive_it():
    with pytest.raises(ModelError, match=r"MODEL\+pd_indirect_1"):
        simulate("pd_indirect_1", events())
