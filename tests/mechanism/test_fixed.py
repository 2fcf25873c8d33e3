"""The fixed-mesh solvers against closed forms, scipy and diffrax, on the T-cell model."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pkpd.arm_level.planned import WIDTHS
from pkpd.library import load
from pkpd.mechanism import exponential, fixed, mesh
from pkpd.mechanism.adaptive import Equations
from pkpd.settings import Sampler

DOSES = np.array([28.0, 56.0, 84.0, 112.0])
END = 252.0
VISITS = np.arange(0.0, END + 1, 28.0)
LANES = {  # one column a patient: typical, slow and strong, fast and weak, never treated
    "ec50": [2.0, 0.3, 8.0, 2.0],
    "imax": [0.8, 0.97, 0.4, 0.0],
    "kdep": [0.05, 0.15, 0.0, 0.0],
    "gr": [0.5, 1.5, 0.2, 0.0],
    "ke": [0.1, 0.05, 0.25, 0.1],
    "kmem": [0.023, 0.01, 0.05, 0.023],
    "phi": [0.5, 0.8, 0.2, 0.5],
    "kr": [0.03, 0.015, 0.08, 0.03],
    "gamma": [1.0, 2.5, 0.5, 1.0],
    "ks": [0.06, 0.03, 0.3, 0.06],
}
P = {name: np.array(values) for name, values in LANES.items()}


def level(t):
    """mg/L after doses: absorbed at 0.3, lost at 0.03 per day; a kink at every dose."""
    since = np.maximum(np.asarray(t, float)[..., None] - DOSES, 0.0)
    return 40.0 * (np.exp(-0.03 * since) - np.exp(-0.3 * since)).sum(axis=-1)


def traced_level(t):
    since = jnp.maximum(t - DOSES, 0.0)
    return 40.0 * (jnp.exp(-0.03 * since) - jnp.exp(-0.3 * since)).sum()


@pytest.fixture(scope="module")
def model():
    return load("tcell_rebalancing")


def on_mesh(model, days, method):
    """Lesions at the visits, shape (visits, lanes)."""
    lanes = len(P["ec50"])
    inputs = {"concentration": np.repeat(level(mesh.nodes(days))[:, None], lanes, axis=1)}
    start = {name: jnp.ones(lanes) for name in model.states}

    def solve(inputs):
        if method == "exponential":
            return exponential.solve(model.turnover, start, days, inputs, P)
        return fixed.solve(model.rates, start, days, inputs, P, model.states)

    return np.asarray(jax.jit(solve)(inputs)["lesions"])[np.searchsorted(days, VISITS)]


@pytest.fixture(scope="module")
def scipys(model):
    """The equations written out here again, solved between doses by DOP853."""

    def slope(t, x, p):
        e, m, r, inflamed, lesions = x
        occupancy = level(t) / (level(t) + p["ec50"])
        drive = (e / r) ** p["gamma"]
        return [
            p["ke"] * (m * (1 - p["imax"] * occupancy) - e) - p["kdep"] * occupancy * e,
            p["kmem"] * (1 - p["phi"] + p["phi"] * e - m),
            p["kr"] * (1 + p["gr"] * occupancy - r),
            p["ks"] * (drive - inflamed),
            p["ks"] * (inflamed - lesions),
        ]

    columns = []
    for k in range(len(P["ec50"])):
        p = {name: value[k] for name, value in P.items()}
        x, found = np.ones(5), [1.0]
        for a, b in zip(VISITS[:-1], VISITS[1:], strict=True):
            solved = solve_ivp(slope, (a, b), x, args=(p,), method="DOP853", rtol=1e-10, atol=1e-12)
            x = solved.y[:, -1]
            found.append(x[4])
        columns.append(found)
    return np.array(columns).T


def error(model, scipys, method, width, parts=1):
    days = mesh.graded(END, {*DOSES, *VISITS}, [DOSES[0]], width)
    return np.abs(on_mesh(model, mesh.refined(days, parts), method) - scipys).max()


def test_runge_kutta_on_a_tight_mesh_equals_scipy_to_one_in_a_million(model, scipys):
    assert np.ptp(scipys[-1]) > 0.1  # the lanes differ
    assert error(model, scipys, "runge-kutta", 3.5, parts=8) < 1e-6


@pytest.mark.parametrize("method", ["exponential", "runge-kutta"])
def test_the_finest_planned_mesh_is_within_the_stated_tolerance(model, scipys, method):
    assert error(model, scipys, method, min(WIDTHS)) < Sampler().tolerance


@pytest.mark.parametrize(("method", "least"), [("exponential", 3.5), ("runge-kutta", 8.0)])
def test_the_error_falls_by_the_order_of_the_method(model, scipys, method, least):
    coarse, fine, finer = (error(model, scipys, method, 3.5, parts) for parts in (2, 4, 8))
    assert fine < coarse / least and finer < fine / least


def test_both_methods_go_to_the_same_limit(model, scipys):
    """Two solves of order two, extrapolated, are of a higher order."""
    days = mesh.graded(END, {*DOSES, *VISITS}, [DOSES[0]], 3.5)
    wide, narrow = (on_mesh(model, mesh.refined(days, n), "exponential") for n in (8, 16))
    np.testing.assert_allclose(narrow + (narrow - wide) / 3, scipys, atol=1e-6)


def test_diffrax_agrees_with_scipy(model, scipys):
    def rates(t, x, p, u):
        return model.rates(t, x, p, {"concentration": traced_level(t)})

    equations = Equations(rates, model.states)
    for k in range(2):
        p = {name: value[k] for name, value in P.items()}
        x, lesions = jnp.ones(len(model.states)), []
        for begin, finish in zip(VISITS[:-1], VISITS[1:], strict=True):
            x, fine = moved(equations, x, begin, finish, p)
            assert fine
            lesions.append(x[4])
        np.testing.assert_allclose(lesions, scipys[1:, k], atol=1e-7)


@partial(jax.jit, static_argnums=0)
def moved(equations, x, begin, finish, p):
    return equations.moved(x, begin, finish, jnp.zeros_like(x), p)


def flows(t, x, p, u):
    return {"a": (u["supply"], p["k"])}


def decay(t, x, p, u):
    return {"a": u["supply"] - p["k"] * x["a"]}


def decayed(steps, method):
    """x' = cos t - k x from x(0) = 1: the greatest error against the closed form."""
    days = np.linspace(0.0, 6.0, steps + 1)
    k = np.array([0.3, 1.0, 2.0])
    inputs = {"supply": np.cos(mesh.nodes(days))[:, None] * np.ones(3)}
    start = {"a": jnp.ones(3)}
    if method == "exponential":
        found = exponential.solve(flows, start, days, inputs, {"k": k})["a"]
    else:
        found = fixed.solve(decay, start, days, inputs, {"k": k}, ("a",))["a"]
    t = days[:, None]
    forced = (k * np.cos(t) + np.sin(t)) / (1 + k**2)
    return np.abs(found - (forced + (1 - k / (1 + k**2)) * np.exp(-k * t))).max()


@pytest.mark.parametrize(("method", "order"), [("exponential", 2.0), ("runge-kutta", 4.0)])
def test_the_method_is_of_its_order(method, order):
    errors = np.array([decayed(steps, method) for steps in (48, 96, 192)])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), order, atol=0.2)


@pytest.mark.parametrize("step", [0.5, 1.0, 2.0])
def test_one_exponential_step_is_exact_for_constant_flows_but_for_pade(step):
    inputs = {"supply": np.full((3, 2), 0.7)}
    k = np.array([0.1, 1.0])
    found = exponential.solve(flows, {"a": jnp.ones(2)}, np.array([0.0, step]), inputs, {"k": k})
    wanted = 0.7 / k + (1 - 0.7 / k) * np.exp(-k * step)
    np.testing.assert_allclose(found["a"][-1], wanted, atol=1e-3)


def test_fast_states_rest_at_their_quasi_steady_state_on_wide_steps():
    days = np.linspace(0.0, 70.0, 11)  # steps of 7 days, losses of 5 and 50 per day
    k = np.array([5.0, 50.0])
    inputs = {"supply": np.full((21, 2), 0.7) * k}
    found = exponential.solve(flows, {"a": jnp.ones(2)}, days, inputs, {"k": k})["a"]
    assert (np.diff(np.abs(found - 0.7), axis=0) <= 1e-12).all()
    np.testing.assert_allclose(found[-1], 0.7, atol=1e-8)


def test_the_gradient_is_that_of_the_closed_form():
    days = np.linspace(0.0, 3.0, 61)
    still = {"supply": np.zeros((121, 2))}

    def last(k):
        return fixed.solve(decay, {"a": jnp.ones(2)}, days, still, {"k": k}, ("a",))["a"][-1].sum()

    k = np.array([0.4, 1.2])
    np.testing.assert_allclose(jax.grad(last)(k), -3 * np.exp(-3 * k), rtol=1e-6)


def test_numbers_have_64_bits_whichever_of_jax_and_pkpd_is_imported_first():
    code = "import jax; import pkpd; import jax.numpy as jnp; print(jnp.ones(1).dtype)"
    plain = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True)
    assert done.stdout.strip() == "float64", done.stderr
