"""Rodas4: order, stability, a stiff reference by scipy, derivatives against finite differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import pkpd  # noqa: F401  float64
from pkpd.mechanism.rosenbrock import ALPHA, GAMMA, A, C, D, M, factored, rosenbrock, solution


def run(rates, start, p, edges):
    """The state after steps between `edges`."""
    step = rosenbrock(rates, p)

    def advance(state, x):
        return step(state, (*x, {})), None

    return jax.lax.scan(advance, start, (jnp.asarray(edges[:-1]), jnp.diff(edges)))[0]


def growing(t, x, p, u):
    """Logistic growth, which is not linear, and a state driven by time; both have closed forms."""
    return {"x": x["x"] * (1 - x["x"]), "y": jnp.cos(t) - x["y"]}


@pytest.mark.parametrize("name", ["x", "y"])
def test_the_error_falls_with_the_fourth_power_of_the_step(name):
    grown, end = 0.3 * np.exp(2.0), 2.0
    exact = {
        "x": grown / (0.7 + grown),
        "y": (np.cos(end) + np.sin(end)) / 2 - 0.2 * np.exp(-end),
    }
    start = {"x": jnp.array([0.3]), "y": jnp.array([0.3])}
    counts, errors = np.array([10, 20, 40, 80]), []
    for count in counts:
        after = run(growing, start, {}, np.linspace(0.0, end, count + 1))
        errors.append(abs(float(after[name][0]) - exact[name]))
    slope = np.polyfit(np.log(end / counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(4.0, abs=0.3)


def test_the_coefficients_meet_the_conditions_of_a_stiffly_accurate_method():
    # rodas.f's a, c, d come from alpha_ij, gamma_ij by a = alpha Gamma^-1, c = 1/gamma - Gamma^-1
    lower = lambda rows: np.array([[*row] + [0.0] * (6 - len(row)) for row in rows])  # noqa: E731
    gamma = np.linalg.inv(np.eye(6) / GAMMA - lower(C))
    alpha = lower(A) @ gamma
    weights = np.array(M) @ gamma
    np.testing.assert_allclose(alpha.sum(axis=1), ALPHA, atol=1e-12)
    np.testing.assert_allclose(gamma.sum(axis=1), D, atol=1e-12)
    np.testing.assert_allclose(weights, (alpha + gamma)[-1], atol=1e-12)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)


def test_a_state_that_decays_at_once_follows_what_drives_it():
    def fast(t, x, p, u):
        return {"x": -1e6 * (x["x"] - jnp.cos(t))}

    edges = np.linspace(0.0, 5.0, 11)
    after = run(fast, {"x": jnp.array([1.0, 30.0])}, {}, edges)["x"]
    np.testing.assert_allclose(after, np.cos(5.0), atol=2e-5)


def test_the_step_damps_any_rate_ever_more():
    step = rosenbrock(lambda t, x, p, u: {"x": -p["k"] * x["x"]}, {"k": jnp.array([1e2, 1e5, 1e9])})
    after = np.abs(step({"x": jnp.ones(3)}, (0.0, 1.0, {}))["x"])
    assert after[0] < 0.1
    assert after[1] < 1e-4 and after[2] < 1e-8


def tmdd(t, x, p, u):
    """Full target-mediated disposition, amounts as concentrations: drug, target, complex."""
    bound, released = p["kon"] * x["drug"] * x["target"], p["koff"] * x["complex"]
    return {
        "drug": -p["kel"] * x["drug"] - bound + released,
        "target": p["ksyn"] - p["kdeg"] * x["target"] - bound + released,
        "complex": bound - released - p["kint"] * x["complex"],
    }


TMDD = {"kon": 90.0, "koff": 8.0, "kel": 0.1, "ksyn": 1.1, "kdeg": 1.5, "kint": 0.4}
START = {"drug": 10.0, "target": 1.1 / 1.5, "complex": 0.0}
EDGES = 60.0 * (np.arange(401) / 400) ** 2


def lanes_of(values):
    """Three subjects: as given, and with binding slower and faster."""
    p = {name: jnp.full(3, value) for name, value in values.items()}
    return p | {"kon": values["kon"] * jnp.array([1.0, 0.1, 10.0])}


def test_full_target_mediated_disposition_is_that_of_scipys_radau():
    p = lanes_of(TMDD)
    start = {name: jnp.full(3, value) for name, value in START.items()}
    found = jax.jit(lambda p: run(tmdd, start, p, EDGES))(p)
    for n in range(3):
        q = {name: float(value[n]) for name, value in p.items()}

        def right(t, x, q=q):
            return list(tmdd(t, dict(zip(START, x, strict=True)), q, {}).values())

        reference = solve_ivp(
            right, (0, 60), list(START.values()), method="Radau", rtol=1e-10, atol=1e-13
        )
        got = [float(found[name][n]) for name in START]
        np.testing.assert_allclose(got, reference.y[:, -1], rtol=2e-6)


def test_derivatives_in_reverse_are_those_of_finite_differences():
    start = {name: jnp.full(3, value) for name, value in START.items()}

    @jax.jit
    def total(p, h):
        after = run(tmdd, start, p, h * EDGES[:100])
        return (jnp.log(after["drug"]) + after["target"] * after["complex"]).sum()

    p = lanes_of(TMDD)
    found, by_step = jax.jit(jax.grad(total, argnums=(0, 1)))(p, 1.0)
    for name, value in p.items():
        by = 1e-5 * value
        apart = total(p | {name: value + by}, 1.0) - total(p | {name: value - by}, 1.0)
        assert float(jnp.vdot(found[name], 2 * by)) == pytest.approx(float(apart), rel=2e-6), name
    apart = (total(p, 1 + 1e-5) - total(p, 1 - 1e-5)) / 2e-5
    assert float(by_step) == pytest.approx(float(apart), rel=1e-6)


def test_a_step_of_no_length_changes_nothing_and_has_a_derivative():
    step = rosenbrock(tmdd, lanes_of(TMDD))
    start = {name: jnp.full(3, value) for name, value in START.items()}
    after, slope = jax.jvp(lambda h: step(start, (0.0, h, {})), (0.0,), (1.0,))
    rates = tmdd(0.0, start, lanes_of(TMDD), {})
    for name in START:
        np.testing.assert_allclose(after[name], start[name], rtol=1e-15)
        np.testing.assert_allclose(slope[name], rates[name], rtol=1e-9, atol=1e-12)


def test_systems_are_solved_and_their_second_derivatives_are_exact():
    rng = np.random.default_rng(2)
    matrix = jnp.asarray(rng.normal(size=(4, 4)) + 6 * np.eye(4))
    right = jnp.asarray(rng.normal(size=4))

    def ours(m):
        rows = [list(row) for row in m]
        lu = factored(jax.lax.stop_gradient(rows))
        return (jnp.stack(solution(rows, lu, list(right))) ** 2).sum()

    def theirs(m):
        return (jnp.linalg.solve(m, right) ** 2).sum()

    assert float(ours(matrix)) == pytest.approx(float(theirs(matrix)), rel=1e-13)
    np.testing.assert_allclose(jax.grad(ours)(matrix), jax.grad(theirs)(matrix), rtol=1e-11)
    along = jnp.asarray(rng.normal(size=(4, 4)))
    turned = [
        jax.jit(jax.jvp, static_argnums=0)(jax.grad(f), (matrix,), (along,))[1]
        for f in (ours, theirs)
    ]
    np.testing.assert_allclose(*turned, rtol=1e-10)
