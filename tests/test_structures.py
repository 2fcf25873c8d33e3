"""Models by structure against formulas written out, scipy, and the models they turn into."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from scipy.special import lambertw

from pkpd.errors import FitError
from pkpd.library import individual, load
from pkpd.simulation import simulate
from pkpd.statement import statement

TIMES = np.array([0.25, 1.0, 3.0, 8.0, 20.0, 45.0, 90.0])
DOSE = 100.0


def levels(name, settings=None, dose=DOSE, into=None, **columns):
    """Levels at TIMES after one dose at time 0; as many records as the gates have."""
    model = load(name) if isinstance(name, str) else name
    rows = {"TIME": [0.0, *TIMES], "AMT": [dose, *[0.0] * 7], "EVID": [1, *[0] * 7]}
    events = pd.DataFrame({"ID": 1, "CMT": into or model.doses_into[0], **rows, **columns})
    return simulate(model, events, settings=settings or {})


def bateman(t, rate, k):
    """A unit let into k' = -k x with rate `rate`."""
    return rate / (rate - k) * (np.exp(-k * t) - np.exp(-rate * t))


def near(found, wanted, rtol=1e-6):
    np.testing.assert_allclose(np.asarray(found, float), wanted, rtol=rtol, atol=1e-9)


def test_transit_through_the_gut_is_a_sum_of_three_exponentials():
    p = {"ktr": 1.5, "ka": 0.7, "cl": 1.3, "v": 8.0}
    a, b, k = p["ktr"], p["ka"], p["cl"] / p["v"]
    wanted = sum(
        np.exp(-r * TIMES) / ((s - r) * (q - r)) for r, s, q in ((a, b, k), (b, k, a), (k, a, b))
    )
    near(levels("pk_1cmt_transit", p)["concentration"], DOSE / p["v"] * a * b * wanted)


def test_a_chain_of_transits_lets_the_gut_in_as_savic_has_it():
    p = {"mtt": 2.0, "ka": 0.9, "cl": 1.3, "v": 8.0}
    ktr, n = 5 / p["mtt"], 4
    k = p["cl"] / p["v"]

    def let_in(s):
        return DOSE * ktr * (ktr * s) ** n / math.factorial(n) * math.exp(-ktr * s)

    found = levels("pk_1cmt_savic", p)
    near(found["transit4"] * ktr, [let_in(t) for t in TIMES])
    wanted = [
        quad(lambda s, t=t: let_in(s) * bateman(t - s, p["ka"], k), 0, t, limit=200, epsabs=1e-11)
        for t in TIMES
    ]
    near(found["concentration"] * p["v"], [value for value, _ in wanted])


def test_two_depots_add_their_shares():
    events = pd.DataFrame(
        {
            "ID": 1,
            "TIME": [0.0, 0.0, *TIMES],
            "AMT": [DOSE, DOSE, *[0.0] * 7],
            "EVID": [1, 1, *[0] * 7],
            "CMT": ["depot", "depot2", *["central"] * 7],
        }
    )
    p = {"fr": 0.3, "ka": 2.0, "ka2": 0.3, "cl": 1.0, "v": 10.0}
    shares = 0.3 * bateman(TIMES, 2.0, 0.1) + 0.7 * bateman(TIMES, 0.3, 0.1)
    near(simulate("pk_1cmt_parallel", events, p)["concentration"], DOSE / 10 * shares)
    told = simulate("pk_1cmt_parallel", events, {**p, "f_depot": 0.5, "f_depot2": 0.1})
    shares = 0.5 * bateman(TIMES, 2.0, 0.1) + 0.1 * bateman(TIMES, 0.3, 0.1)
    near(told["concentration"], DOSE / 10 * shares)


def test_saturable_elimination_is_lamberts_function():
    p = {"vmax": 7.0, "km": 2.0, "v": 5.0}
    start = DOSE / p["v"]
    inside = start / p["km"] * np.exp((start - p["vmax"] / p["v"] * TIMES) / p["km"])
    found = levels("pk_1cmt_mm", p)["concentration"]
    near(found, p["km"] * lambertw(inside).real)


def test_saturable_elimination_far_below_km_is_linear():
    found = levels("pk_2cmt_mm", {"km": 1e7, "vmax": 1.3e7, "v1": 7.0, "q": 2.0, "v2": 9.0})
    wanted = levels("pk_2cmt_iv", {"cl": 1.3, "v1": 7.0, "q": 2.0, "v2": 9.0})
    near(found, wanted, rtol=1e-5)


def test_parallel_elimination_loses_its_saturable_path_with_vmax():
    shared = {"ka": 0.6, "cl": 1.3, "v1": 7.0, "q": 2.0, "v2": 9.0}
    near(levels("pk_2cmt_linear_mm", {**shared, "vmax": 0.0}), levels("pk_2cmt_oral", shared))


def test_parallel_elimination_equals_scipy():
    ka, cl, vmax, km, v1, q, v2 = 0.6, 1.3, 9.0, 2.0, 7.0, 2.0, 9.0

    def slope(t, a):
        c, c2 = a[1] / v1, a[2] / v2
        out = cl * c + vmax * c / (km + c)
        return [-ka * a[0], ka * a[0] - out - q * (c - c2), q * (c - c2)]

    found = levels(
        "pk_2cmt_linear_mm",
        {"ka": ka, "cl": cl, "vmax": vmax, "km": km, "v1": v1, "q": q, "v2": v2},
    )
    near(found[["depot", "central", "peripheral"]], solved(slope, [DOSE, 0, 0]).T)


def solved(slope, start, method="DOP853"):
    """scipy at tight tolerance, at TIMES."""
    found = solve_ivp(slope, (0, TIMES[-1]), start, method, TIMES, rtol=1e-12, atol=1e-12)
    assert found.success
    return found.y


def test_clearance_in_time_takes_its_integral_away():
    p = {"cl": 1.0, "time_on_cl": -0.8, "t50": 12.0, "h": 1.7, "v1": 10.0, "q": 0.0}

    def clearance(t):
        return p["cl"] * math.exp(p["time_on_cl"] * t**1.7 / (12.0**1.7 + t**1.7))

    gone = np.array([quad(clearance, 0, t, epsabs=1e-12)[0] for t in TIMES]) / p["v1"]
    found = levels("pk_2cmt_time", p, into="central")["concentration"]
    near(found, DOSE / p["v1"] * np.exp(-gone))


def test_antibodies_against_the_drug_switch_clearance_from_their_record_on():
    ada = np.array([0, 0, 0, 1, 1, 0, 0, 0])  # of the record at the end of each interval
    p = {"cl": 1.0, "ada_on_cl": 0.7, "v1": 10.0, "q": 0.0}
    found = levels("pk_2cmt_ada", p, into="central", ADA=ada)["concentration"]
    gone = np.cumsum(np.diff(TIMES, prepend=0.0) * (1 + 0.7 * ada[1:]))
    near(found, DOSE / 10 * np.exp(-gone / 10))


def test_allometry_scales_flows_by_three_quarters_and_volumes_by_one():
    base = {"ka": 0.6, "cl": 1.3, "v1": 7.0, "q": 2.0, "v2": 9.0}
    flow, size = 2.0**0.75, 2.0
    heavy = {"ka": 0.6, "cl": 1.3 * flow, "v1": 7.0 * size, "q": 2.0 * flow, "v2": 9.0 * size}
    near(levels("pk_2cmt_oral_allometric", base, WT=140.0), levels("pk_2cmt_oral", heavy))


BINDING = {"cl": 0.3, "v1": 3.0, "q": 0.6, "v2": 4.0, "kint": 0.4, "ksyn": 0.6, "kdeg": 0.8}


def target_mediated(kon, koff, p):
    """Mager and Jusko 2001 in concentrations: free drug, peripheral amount, target, complex."""

    def slope(t, y):
        c, peripheral, target, bound = y
        binding = kon * c * target - koff * bound
        exchanged = p["q"] * (c - peripheral / p["v2"])
        return [
            -(p["cl"] * c + exchanged) / p["v1"] - binding,
            exchanged,
            p["ksyn"] - p["kdeg"] * target - binding,
            binding - p["kint"] * bound,
        ]

    return slope


def test_target_mediated_disposition_in_full_equals_scipys_implicit_solver():
    kon, koff = 60.0, 12.0
    start = [DOSE / BINDING["v1"], 0.0, BINDING["ksyn"] / BINDING["kdeg"], 0.0]
    wanted = solved(target_mediated(kon, koff, BINDING), start, "Radau").T
    found = levels("pk_2cmt_tmdd_full", {**BINDING, "kon": kon, "koff": koff})
    found = found.assign(bound=found["complex"] / BINDING["v1"])
    near(found[["concentration", "peripheral", "target", "bound"]], wanted, rtol=2e-6)


def test_the_full_model_nears_equilibrium_as_binding_and_release_quicken():
    wanted = levels("pk_2cmt_tmdd_qe", {**BINDING, "kd": 0.2})["total_concentration"]
    off = []
    for kon in (1e2, 1e3, 1e4):
        full = levels("pk_2cmt_tmdd_full", {**BINDING, "kon": kon, "koff": 0.2 * kon})
        off.append(np.abs(full["total_concentration"] / wanted - 1).max())
    assert off[0] > 1e-4, "there is something to near"
    assert off[1] < 0.15 * off[0] and off[2] < 0.15 * off[1], off


def test_quasi_steady_state_is_equilibrium_with_another_constant():
    qe, qss = (load(f"pk_2cmt_tmdd_{kind}") for kind in ("qe", "qss"))
    p = {**BINDING, "kd": 0.3, "kss": 0.3}
    x = {"central": 5.0, "peripheral": 2.0, "target": 1.4}
    assert {k: float(v) for k, v in qe.rates(0, x, p, {}).items()} == {
        k: float(v) for k, v in qss.rates(0, x, p, {}).items()
    }


def test_without_target_only_the_linear_model_is_left():
    wanted = levels("pk_2cmt_iv", {k: BINDING[k] for k in ("cl", "v1", "q", "v2")})
    for kind, off in (("full", "ksyn"), ("qe", "ksyn"), ("qss", "ksyn"), ("wagner", "r0")):
        own = {k: v for k, v in BINDING.items() if k in load(f"pk_2cmt_tmdd_{kind}").typical()}
        found = levels(f"pk_2cmt_tmdd_{kind}", {**own, off: 0.0})
        near(found[["concentration", "peripheral"]], wanted[["concentration", "peripheral"]])


def test_target_lost_as_fast_bound_as_free_stands_still_which_is_wagners_model():
    alike = {**BINDING, "kint": 0.8}
    r0 = alike["ksyn"] / alike["kdeg"]
    full = levels("pk_2cmt_tmdd_full", alike)
    near(full["target"] + full["complex"] / alike["v1"], r0)
    qss = levels("pk_2cmt_tmdd_qss", {**alike, "kss": 0.3})
    near(qss["target"], r0)
    own = {name: alike[name] for name in ("cl", "v1", "q", "v2", "kint")}
    wagner = levels("pk_2cmt_tmdd_wagner", {**own, "kss": 0.3, "r0": r0})
    near(wagner, qss[[*wagner]])


def test_the_quasi_steady_state_model_is_that_of_nimotuzumab():
    """As nlmixr2's article on nimotuzumab writes it, k = CL/V1, k12 = Q/V1, k21 = Q/V2."""
    p = {"cl": 0.00157, "v1": 1.465, "q": 0.0044, "v2": 124.8, "kss": 11.7, "kint": 0.196}
    p |= {"ksyn": 0.828, "kdeg": 6.69}
    model, random = load("pk_2cmt_tmdd_qss"), np.random.default_rng(7)
    for a, peripheral, r in random.uniform([0.01, 0, 0.01], [900, 900, 3], (20, 3)):
        gap = a / p["v1"] - r - p["kss"]
        conc = 0.5 * (gap + math.sqrt(gap**2 + 4 * p["kss"] * a / p["v1"]))
        k, k12, k21 = p["cl"] / p["v1"], p["q"] / p["v1"], p["q"] / p["v2"]
        bound = conc * r / (p["kss"] + conc)
        wanted = {
            "central": -(k + k12) * conc * p["v1"] + k21 * peripheral - p["kint"] * bound * p["v1"],
            "peripheral": k12 * conc * p["v1"] - k21 * peripheral,
            "target": p["ksyn"] - p["kdeg"] * r - (p["kint"] - p["kdeg"]) * bound,
        }
        x = {"central": a, "peripheral": peripheral, "target": r}
        found = model.rates(0.0, x, p, {})
        assert {n: float(v) for n, v in found.items()} == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert model.initial(p)["target"] == p["ksyn"] / p["kdeg"]


@pytest.mark.parametrize("total", [1e-12, 1e-3, 1.0, 1.3, 1e6])
def test_free_drug_solves_the_balance_of_binding(total):
    model = load("pk_2cmt_tmdd_qss")
    p = {**individual(model), "v1": 1.0, "kss": 0.3}
    x = {"central": total, "target": 1.0, "peripheral": 0.0}
    free = float(model.outputs(x, p)["concentration"])
    assert free + free / (0.3 + free) == pytest.approx(total, rel=1e-12)


# A bolus that nothing removes keeps the concentration where it is: responses have closed forms.
STILL = {"cl": 0.0, "v": 10.0}
C = DOSE / 10


@pytest.mark.parametrize(
    ("name", "most", "made", "lost"),
    [
        ("pd_indirect_1", {"imax": 0.7, "ic50": 4.0}, 1 - 0.7 * C / (4 + C), 1),
        ("pd_indirect_2", {"imax": 0.7, "ic50": 4.0}, 1, 1 - 0.7 * C / (4 + C)),
        ("pd_indirect_3", {"emax": 1.7, "ec50": 4.0}, 1 + 1.7 * C / (4 + C), 1),
        ("pd_indirect_4", {"emax": 1.7, "ec50": 4.0}, 1, 1 + 1.7 * C / (4 + C)),
    ],
)
def test_an_indirect_response_goes_exponentially_to_its_new_level(name, most, made, lost):
    found = levels(f"pk_1cmt_iv+{name}", {**STILL, **most, "e0": 50.0, "kout": 0.2})["effect"]
    level = 50 * made / lost
    near(found, level + (50 - level) * np.exp(-0.2 * lost * TIMES))


def test_the_effect_site_lags_as_a_first_order_process_does():
    p = {"cl": 1.0, "v": 10.0, "ke0": 0.4, "e0": 20.0, "emax": 30.0, "ec50": 2.0}
    site = C * bateman(TIMES, 0.4, 0.1)
    found = levels("pk_1cmt_iv+pd_effect_compartment", p)
    near(found["effect"], 20 + 30 * site / (2 + site))


def test_a_direct_effect_is_the_sigmoid_of_the_concentration_and_keeps_the_closed_form():
    p = {"cl": 1.0, "v": 10.0, "e0": 20.0, "emax": -30.0, "ec50": 2.0, "hill": 2.5}
    level = C * np.exp(-0.1 * TIMES)
    assert load("pk_1cmt_iv+pd_emax").linear
    near(levels("pk_1cmt_iv+pd_emax", p)["effect"], 20 - 30 * level**2.5 / (2**2.5 + level**2.5))
    near(levels("pk_1cmt_iv+pd_emax", p, dose=0.0)["effect"], 20.0)


def test_myelosuppression_equals_scipy_and_stands_at_its_baseline_without_drug():
    p = {**STILL, "circ0": 6.0, "mtt": 4.0, "gamma": 0.3, "slope": 0.04}

    def slope(t, y):
        back = (6 / y[4]) ** 0.3
        return [y[0] * ((1 - 0.04 * C) * back - 1), *(y[i] - y[i + 1] for i in range(4))]

    found = levels("pk_1cmt_iv+pd_friberg", p)
    near(found["neutrophils"], solved(slope, [6.0] * 5)[4])
    near(levels("pk_1cmt_iv+pd_friberg", p, dose=0.0)["neutrophils"], 6.0)


def test_markov_probabilities_are_the_exponential_of_the_generator_and_sum_to_one():
    up, down, gained = (0.05, 0.03, 0.02), (0.04, 0.06, 0.01), 1 + 2.0 * C / (5 + C)
    names = ("k12", "k23", "k34", "k21", "k32", "k43")
    p = {**STILL, **dict(zip(names, (*up, *down), strict=True)), "emax": 2.0, "ec50": 5.0}
    generator = np.diag([gained * k for k in up], 1) + np.diag(down, -1)
    generator -= np.diag(generator.sum(axis=1))
    found = levels("pk_1cmt_iv+pd_markov_4", p)[["p1", "p2", "p3", "p4"]]
    near(found, np.array([expm(generator * t)[0] for t in TIMES]))
    near(found.sum(axis=1), 1.0, rtol=1e-10)


def test_a_load_declines_linearly_in_time_without_any_dose():
    events = pd.DataFrame({"ID": 1, "TIME": TIMES, "AMT": 0, "EVID": 0})
    found = simulate("pd_linear_decline", events, {"intercept": 7.0, "slope": 0.3})
    near(found["log10_load"], 7.0 - 0.3 * (TIMES - TIMES[0]))


def test_a_stiff_model_takes_the_implicit_solver_and_says_so():
    model = load("pk_2cmt_tmdd_full")
    assert model.stiff and "stiff: solved by an implicit method" in statement(model)
    told = replace(model, stiff=False)
    assert "stiff" not in statement(told)
    np.testing.assert_array_equal(levels(model), simulate_with(model, "stiff"))
    near(simulate_with(model, "ode"), levels(model), rtol=2e-6)


def test_where_explicit_steps_run_out_the_error_names_the_stiff_solver():
    fast = replace(load("pk_2cmt_tmdd_full"), stiff=False)
    with pytest.raises(FitError, match="solver='stiff'"):
        levels(fast, {"kon": 1e5, "koff": 1e4})
    p = {"kon": 1e5, "koff": 1e4}
    # At such rates the full model is its own equilibrium.
    wanted = levels("pk_2cmt_tmdd_qe", {"kd": 0.1})["total_concentration"]
    near(levels("pk_2cmt_tmdd_full", p)["total_concentration"], wanted, rtol=1e-4)


def simulate_with(model, solver):
    rows = {"TIME": [0.0, *TIMES], "AMT": [DOSE, *[0.0] * 7], "EVID": [1, *[0] * 7]}
    return simulate(model, pd.DataFrame({"ID": 1, "CMT": "central", **rows}), solver=solver)
