"""Gates that every file of `models/` passes: see `KNOWN_BAD` for those that do not yet."""

from __future__ import annotations

import importlib.util
import re
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from pkpd.library import check_model, individual, load, models
from pkpd.simulation import simulate
from pkpd.units import factor

# (model, gate): why. An entry that has healed fails: take it out.
KNOWN_BAD: dict[tuple[str, str], str] = {}

MODELS = {name: load(name) for name in models()}
PK = [name for name, model in MODELS.items() if model.kind == "pk"]
LINEAR = [name for name in PK if MODELS[name].linear]
CLAIMS = [(name, i) for name, model in MODELS.items() for i in range(len(model.claims))]
RESPONSES = [name for name, model in MODELS.items() if model.kind == "pd" and model.inputs]
# What gives a response its input.
DRIVERS = {"concentration": "pk_1cmt_iv", "easi_ratio": "pk_1cmt_iv+direct_emax"}
# What takes drug away: clearance, saturable capacity, loss of the complex of drug and target.
ELIMINATION = re.compile(r"cl|vmax|kint|\w+_on_cl")
UNITS = {"mg": "ug", "L": "dL", "day": "h"}


def gate(names, *, name):
    """Every model of `names`; those known to be bad at this gate are expected to fail."""
    return [
        pytest.param(n, marks=pytest.mark.xfail(strict=True, reason=KNOWN_BAD[n, name]))
        if (n, name) in KNOWN_BAD
        else n
        for n in names
    ]


def profile(model, amount=100.0, state=None, times=(0.25, 1, 5, 20, 28, 50, 200), scale=1.0, **p):
    """Levels after two doses, 28 days apart; `scale` stretches time."""
    rows = len(times)
    events = {
        "ID": 1,
        "TIME": np.array([0.0, *times]) * scale,
        "AMT": [amount, *[0.0] * rows],
        "EVID": [1, *[0] * rows],
        "CMT": state or model.doses_into[0],
        "ADDL": [1, *[0] * rows],
        "II": [28.0 * scale, *[0] * rows],
    }
    return simulate(model, events, **p).drop(columns=["ID", "TIME"])


def test_the_library_has_models_and_the_list_of_the_bad_names_them():
    assert {"rocatinlimab_okada_2025", "amlitelimab_tiraboschi_2025", "pk_3cmt_oral"} <= {*MODELS}
    gates = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert all(model in MODELS and gate in gates for model, gate in KNOWN_BAD)


@pytest.mark.parametrize("name", gate(MODELS, name="loads_fast"))
def test_loads_fast(name):
    start = time.process_time()
    spec = importlib.util.spec_from_file_location(f"fresh_{name}", models()[name])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert time.process_time() - start < 1.0
    assert module.model.name == Path(models()[name]).stem


@pytest.mark.parametrize("name", gate(MODELS, name="makes_sense_and_is_sourced"))
def test_makes_sense_and_is_sourced(name):
    model = MODELS[name]
    assert check_model(model) == ()
    assert all(str(p.source).strip(", ") if p.source else p.reason for p in model.parameters)
    assert model.assumptions and all(p.meaning and p.unit for p in model.parameters)
    if model.drug == "rocatinlimab":
        assert "March 2026" in model.warning and "Kaposi" in model.warning


def other(unit):
    """The unit with drug mass, volume and time in other units; kilograms stay."""
    return re.sub(r"\b(mg|L|day)\b", lambda m: UNITS[m[1]], unit)


def in_other_units(model):
    """The same model with every number in other units."""
    parameters = tuple(
        replace(p, value=p.value * factor(p.unit, other(p.unit)), unit=other(p.unit))
        for p in model.parameters
    )
    return replace(model, parameters=parameters)


@pytest.mark.parametrize("name", gate(MODELS, name="rates_do_not_depend_on_units"))
def test_rates_do_not_depend_on_units(name):
    """Derivatives and outputs at a point, told in ug, dL and hours, against mg, L and days."""
    model, levels = MODELS[name], np.random.default_rng(3)
    changed = in_other_units(model)
    scale = {
        s: factor(u, other(u))
        for s in (*model.states, *model.inputs)
        for u in [model.units.get(s, "1")]
    }
    x = {s: float(v) for s, v in zip(model.states, levels.uniform(1, 9, 9), strict=False)}
    u = {s: float(v) for s, v in zip(model.inputs, levels.uniform(1, 9, 9), strict=False)}
    rates = model.rates(3.0, x, individual(model), u)
    x2, u2 = {s: x[s] * scale[s] for s in x}, {s: u[s] * scale[s] for s in u}
    again = changed.rates(72.0, x2, individual(changed), u2)
    for state in model.states:
        assert rates[state] != 0
        wanted = rates[state] * scale[state] / factor("day", "h")
        np.testing.assert_allclose(again[state], wanted, rtol=1e-10)
    seen = model.outputs({**x, **u, "t": 3.0}, individual(model))
    again = changed.outputs({**x2, **u2, "t": 72.0}, individual(changed))
    for name, value in seen.items():
        assert value != 0
        wanted = value * factor(model.units[name], other(model.units[name]))
        np.testing.assert_allclose(again[name], wanted, rtol=1e-10)


@pytest.mark.parametrize("name", gate(PK, name="levels_do_not_depend_on_units"))
def test_levels_do_not_depend_on_units(name):
    model = MODELS[name]
    first = profile(model)
    again = profile(
        in_other_units(model), amount=100.0 * factor("mg", "ug"), scale=factor("day", "h")
    )
    for column in first:
        wanted = first[column] * factor(model.units[column], other(model.units[column]))
        np.testing.assert_allclose(again[column], wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", gate(PK, name="a_dose_changes_an_output"))
def test_a_dose_changes_an_output(name):
    model = MODELS[name]
    without = profile(model, amount=0.0)["concentration"]
    for state in model.doses_into:
        assert (profile(model, state=state)["concentration"] > without).all()


@pytest.mark.parametrize("name", gate(PK, name="nothing_is_negative_or_no_number"))
def test_nothing_is_negative_or_no_number(name):
    for amount in (0.0, 1e-3, 600.0, 1e5):
        levels = profile(MODELS[name], amount=amount, times=(1e-6, 0.1, 28, 100, 400, 2000))
        assert np.isfinite(levels).all(axis=None)
        assert (levels > -1e-8).all(axis=None)


@pytest.mark.parametrize("name", gate(PK, name="mass_is_conserved_with_elimination_off"))
def test_mass_is_conserved_with_elimination_off(name):
    model = MODELS[name]
    off = {
        p.name: 0.0
        for p in model.parameters
        if ELIMINATION.fullmatch(p.name) and p.unit in ("L/day", "mg/day", "1/day")
    }
    assert off
    # A target is made and lost whatever becomes of the drug: it is told in mg/L, drug in mg.
    drug = [state for state in model.states if model.units[state] == "mg"]
    share = individual(model).get(model.dosing.get(f"f_{model.doses_into[0]}"), 1.0)
    total = profile(model, settings=off)[drug].sum(axis=1)
    given = 100 * float(share) * np.where(np.array([0.25, 1, 5, 20, 28, 50, 200]) < 28, 1, 2)
    if f"lag_{model.doses_into[0]}" in model.dosing:
        given[4] = 100 * float(share)  # the second dose, at day 28, is still on its way
    np.testing.assert_allclose(total, given, rtol=1e-8)


@pytest.mark.parametrize("name", gate(LINEAR, name="twice_the_dose_gives_twice_the_amount"))
def test_twice_the_dose_gives_twice_the_amount(name):
    once, twice = (profile(MODELS[name], amount=amount) for amount in (50.0, 100.0))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-10)


@pytest.mark.parametrize("name", gate(LINEAR, name="the_closed_form_equals_the_solver"))
def test_the_closed_form_equals_the_solver(name):
    closed, solved = (profile(MODELS[name], solver=solver) for solver in ("closed", "ode"))
    np.testing.assert_allclose(closed, solved, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", gate(MODELS, name="gradients_are_finite_without_drug"))
@pytest.mark.parametrize("t", [-1.0, 0.0])
def test_gradients_are_finite_without_drug(name, t):
    """Of rates and outputs, to states and parameters, before the first dose and at it."""
    model = MODELS[name]
    start = model.initial(individual(model)) if model.initial else dict.fromkeys(model.states, 0.0)
    no_drug = dict.fromkeys(model.inputs, 0.0)

    def both(x, u, values):
        p = individual(model, values)
        return model.rates(t, x, p, u), model.outputs({**x, **u, "t": t}, p)

    gradients = jax.jacfwd(both, argnums=(0, 1, 2))(
        *jax.tree.map(jnp.asarray, (start, no_drug, model.typical()))
    )
    assert all(np.isfinite(leaf) for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("name", gate(RESPONSES, name="a_dose_moves_the_response"))
def test_a_dose_moves_the_response(name):
    """Behind one compartment: 0, 0.01, 20 mg; little moves it less than much, and no NaN."""
    model = load(f"{DRIVERS[MODELS[name].inputs[0]]}+{name}")
    times = [0.0, 0.25, 1, 5, 20, 28, 100]
    events = pd.DataFrame(
        [
            {"ID": who, "TIME": t, "AMT": amount if t == 0 else 0.0, "EVID": int(t == 0)}
            for who, amount in enumerate((0.0, 0.01, 20.0))
            for t in times
        ]
    )
    levels = simulate(model, events)
    assert np.isfinite(levels).all(axis=None)
    seen = MODELS[name].outputs({**levels.loc[0], "t": 0.0}, individual(model))
    response = levels[[*seen]].to_numpy()
    without, little, much = response.reshape(3, len(times) - 1, -1)
    assert 0 < np.abs(little - without).max() < np.abs(much - without).max()
    assert np.abs(much / without - 1).max() > 0.01


@pytest.mark.parametrize(("name", "number"), CLAIMS)
def test_what_the_paper_states_is_reproduced(name, number):
    claim = MODELS[name].claims[number]
    found, published = claim.check(simulate)
    assert found == pytest.approx(published, rel=claim.tolerance), claim.statement


def test_a_slip_of_units_would_be_seen():
    """The gate sees a factor of 24 where an hour was taken for a day."""
    model = MODELS["pk_1cmt_iv"]
    slipped = replace(
        model, rates=lambda t, x, p, u: {"central": -p["cl"] / p["v"] * x["central"] - 0.1}
    )
    rates = [
        m.rates(0.0, {"central": a}, individual(m), {})["central"]
        for m, a in ((slipped, 5.0), (in_other_units(slipped), 5000.0))
    ]
    assert abs(rates[1] / (rates[0] * 1000 / 24) - 1) > 0.01


def test_a_model_without_sources_or_with_wrong_names_is_refused():
    model = MODELS["pk_1cmt_iv"]
    bare = replace(model, parameters=(replace(model.parameters[0], reason=""), model.parameters[1]))
    assert check_model(bare) == ("parameter 'cl' has neither a source nor a reason",)
    wrong = check_model(replace(model, doses_into=("gut",), dosing={"f_gut": "f"}, units={}))
    assert len(wrong) == 6 and isinstance(pd.Series(wrong).str.cat(), str)
