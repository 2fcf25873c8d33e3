"""Many subjects at once against scipy: steps of linear models, and steps cut into parts."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import pkpd  # noqa: F401  float64
from pkpd.mechanism.lanes import (
    SINGLE,
    Lanes,
    lanes,
    linear_path,
    parts,
    rate_matrices,
    stepped_path,
)
from pkpd.mechanism.schedule import Records, schedule
from pkpd.mechanism.timeline import Dosing, timeline

STATES = ("depot", "central", "peripheral")
TYPICAL = {"ka": 1.1, "cl": 0.7, "v1": 6.0, "q": 1.3, "v2": 9.0}
SATURABLE = TYPICAL | {"vmax": 4.0, "km": 2.0, "kdes": 0.05}


def two(t, x, p, u):
    absorbed, level = p["ka"] * x["depot"], x["central"] / p["v1"]
    exchanged = p["q"] * (level - x["peripheral"] / p["v2"])
    return {
        "depot": -absorbed,
        "central": absorbed - p["cl"] * level - exchanged,
        "peripheral": exchanged,
    }


def saturable(t, x, p, u):
    """Two compartments with saturable loss that wanes with time."""
    slope, level = two(t, x, p, u), x["central"] / p["v1"]
    lost = p["vmax"] * jnp.exp(-p["kdes"] * t) * level / (p["km"] + level)
    return slope | {"central": slope["central"] - lost}


def line_of(subjects=3, steps=9, sets=4):
    """Steps with doses, infusions, resets and steps of no length, other ones for each subject."""
    rng = np.random.default_rng(11)
    gap = rng.uniform(0.2, 6.0, (steps, subjects))
    gap[2] = gap[5, 1] = 0.0
    end = gap.cumsum(axis=0)
    given = rng.uniform(0, 50, (3, steps, subjects)) * (rng.uniform(size=(3, steps, 1)) < 0.4)
    flow = rng.uniform(0, 20, (3, steps, subjects)) * (rng.uniform(size=(3, steps, 1)) < 0.5)
    keep = np.ones((steps, subjects))
    keep[4, 0] = keep[6, 2] = 0.0
    governs = np.sort(rng.integers(0, sets, (steps, subjects)), axis=0).astype(float)
    return Lanes(*map(jnp.asarray, (end - gap, end, flow, keep, given, governs)))


def sets_of(values, sets, subjects=3, seed=5):
    """Parameters (sets, subjects) around the given."""
    rng = np.random.default_rng(seed)
    shape = (sets, subjects)
    return {k: jnp.asarray(v * np.exp(0.3 * rng.normal(size=shape))) for k, v in values.items()}


EQUAL = {"ka": 0.125, "cl": 1.0, "v1": 8.0, "q": 0.0, "v2": 8.0}
CASES = {
    "one set throughout": sets_of(TYPICAL, 1),
    "a set a record": sets_of(TYPICAL, 4),
    "ka is cl / v1, nothing exchanged": {k: jnp.full((1, 3), v) for k, v in EQUAL.items()},
    "the same at one record": {
        k: v.at[1].set(EQUAL[k]) for k, v in sets_of(TYPICAL, 4, seed=6).items()
    },
}
INITIAL = jnp.asarray(np.random.default_rng(0).uniform(0, 9, (3, 3)))


infused_path = jax.jit(partial(linear_path, infused=True))


@pytest.mark.parametrize("p", CASES.values(), ids=CASES.keys())
def test_a_linear_path_is_that_of_the_matrix_exponential(p):
    line = line_of()
    matrices = np.asarray(rate_matrices(two, STATES, p))
    path = infused_path(jnp.asarray(matrices), INITIAL, line)
    for n in range(3):
        x = np.asarray(INITIAL[:, n])
        for k in range(line.end.shape[0]):
            at = 0 if matrices.shape[2] == 1 else int(line.governs[k, n])
            block = np.zeros((4, 4))
            block[:3, :3], block[:3, 3] = matrices[:, :, at, n], line.flow[:, k, n]
            power = expm(block * float(line.end[k, n] - line.start[k, n]))
            x = line.keep[k, n] * (power[:3, :3] @ x + power[:3, 3]) + line.given[:, k, n]
            np.testing.assert_allclose(path[k, :, n], x, rtol=1e-11, atol=1e-11)


def slopes_agree(total, values, rel):
    """Reverse derivatives of a total along random changes of each part, by central differences."""
    found = jax.jit(jax.grad(total))(values)
    total, rng = jax.jit(total), np.random.default_rng(8)
    for name, value in values.items():
        along = jnp.asarray(rng.normal(size=value.shape)) * (1e-5 * (1 + jnp.abs(value)))
        apart = total(values | {name: value + along}) - total(values | {name: value - along})
        size = float(jnp.abs(found[name] * along).sum())
        assert float(2 * jnp.vdot(found[name], along)) == pytest.approx(
            float(apart), rel=rel, abs=rel * 1e-2 * size
        ), name


def on_line(values):
    """A line with durations, flows and jumps taken from `values`."""
    line = line_of()
    end = line.start + values["lasts"]
    return Lanes(line.start, end, values["flow"], line.keep, values["given"], line.governs)


def with_line(p):
    line = line_of()
    lasts = jnp.maximum(line.end - line.start, 1e-3)
    return p | {"lasts": lasts, "flow": line.flow, "given": line.given, "initial": INITIAL}


@pytest.mark.parametrize(
    "case",
    [
        "the same at one record",
        pytest.param("ka is cl / v1, nothing exchanged", marks=pytest.mark.slow),
        pytest.param("a set a record", marks=pytest.mark.slow),
    ],
)
def test_derivatives_of_a_linear_path_are_those_of_finite_differences(case):
    p = CASES[case]
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(9, 3, 3)))

    def total(values):
        matrices = rate_matrices(two, STATES, {name: values[name] for name in p})
        path = linear_path(matrices, values["initial"], on_line(values), infused=True)
        return jnp.vdot(weights, path)

    slopes_agree(total, with_line(p), 1e-6)


def test_the_derivative_by_a_lag_is_minus_the_slope_of_the_curve():
    records = Records(
        time=np.array([0.0, 0.0, 1.0, 2.5, 7.0]),
        kind=np.array([1, 0, 0, 0, 0]),
        amount=np.array([100.0, 0, 0, 0, 0]),
        state=np.zeros(5, int),
        rate=np.zeros(5),
        further=np.zeros(5, int),
        interval=np.zeros(5),
        steady=np.zeros(5, int),
    )
    plan, one, zero = schedule(records, 0), jnp.ones(5), jnp.zeros(5)
    ka, ke, lag = 0.9, 0.2, 0.4

    def chain(t, x, p, u):
        return {"depot": -ka * x["depot"], "central": ka * x["depot"] - ke * x["central"]}

    def central(lag):
        line = timeline(plan, Dosing(one, lag * one, zero, zero), 2)
        side = lanes(jax.tree.map(lambda v: v[None], line))
        matrices = rate_matrices(chain, ("depot", "central"), {"ka": jnp.full((1, 1), ka)})
        path = linear_path(matrices, jnp.zeros((2, 1)), side, infused=False)
        return path[line.read, 1, 0]

    since = np.maximum(records.time - lag, 0.0)
    away = [ka * np.exp(-ka * since), ke * np.exp(-ke * since)]
    level = 100 * ka / (ka - ke) * (np.exp(-ke * since) - np.exp(-ka * since))
    slope = 100 * ka / (ka - ke) * (away[0] - away[1]) * (since > 0)
    found, by_lag = jax.jit(lambda lag: (central(lag), jax.jacrev(central)(lag)))(lag)
    np.testing.assert_allclose(found, level, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(by_lag, -slope, rtol=1e-11, atol=1e-11)


def by_scipy(p, line, n):
    """The states of one subject after each step, by an adaptive method of order eight."""
    x, path = np.asarray(INITIAL[:, n]), []
    for k in range(line.end.shape[0]):
        at = int(line.governs[k, n])
        q = {name: float(v[min(at, len(v) - 1), n]) for name, v in p.items()}
        flow = np.asarray(line.flow[:, k, n])
        begin, finish = float(line.start[k, n]), float(line.end[k, n])

        def slope(t, x, q=q, flow=flow):
            level = x[1] / q["v1"]
            lost = q["vmax"] * np.exp(-q["kdes"] * t) * level / (q["km"] + level)
            exchanged = q["q"] * (level - x[2] / q["v2"])
            absorbed = q["ka"] * x[0]
            return flow + [-absorbed, absorbed - q["cl"] * level - exchanged - lost, exchanged]

        if finish > begin:
            solved = solve_ivp(slope, (begin, finish), x, method="DOP853", rtol=1e-13, atol=1e-13)
            x = solved.y[:, -1]
        x = line.keep[k, n] * x + line.given[:, k, n]
        path.append(x)
    return np.array(path)


@pytest.mark.parametrize("sets", [1, 4])
@pytest.mark.parametrize(("method", "each"), [("rk4", 700), ("rosenbrock", 400)])
def test_a_stepped_path_is_that_of_scipy(sets, method, each):
    p, line = sets_of(SATURABLE, sets), line_of(sets=sets)
    cut = parts(np.full(9, each), np.arange(9) % 2 == 0)
    path = jax.jit(partial(stepped_path, saturable, STATES, cut=cut, method=method))(
        INITIAL, line, p
    )
    for n in range(3):
        reference = by_scipy(p, line, n)
        np.testing.assert_allclose(path[:, :, n], reference, rtol=1e-10, atol=1e-10)


def test_parameters_of_one_set_and_of_many_may_be_mixed():
    line, p = line_of(), sets_of(SATURABLE, 4)
    mixed = p | {name: p[name][:1] for name in ("ka", "km")} | {"kdes": jnp.asarray(0.05)}
    full = {k: jnp.broadcast_to(v, (4, 3)) for k, v in mixed.items()}
    cut = parts(np.full(9, 5), np.zeros(9, bool))
    paths = [stepped_path(saturable, STATES, INITIAL, line, q, cut) for q in (mixed, full)]
    np.testing.assert_allclose(*paths, rtol=1e-14)


@pytest.mark.parametrize("method", ["rk4", "rosenbrock"])
def test_derivatives_of_a_stepped_path_are_those_of_finite_differences(method):
    p = sets_of(SATURABLE, 4)
    cut = parts(np.array([3, 5, 2, 4, 3, 3, 6, 4, 3]), np.arange(9) % 2 == 0)
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(9, 3, 3)))

    def total(values):
        q = {name: values[name] for name in p}
        path = stepped_path(
            saturable, STATES, values["initial"], on_line(values), q, cut, method=method
        )
        return jnp.vdot(weights, path)

    slopes_agree(total, with_line(p), 1e-6)


def test_single_precision_is_off_by_its_rounding_alone():
    p, cut = sets_of(SATURABLE, 4), parts(np.full(9, 6), np.ones(9, bool))
    weights = jnp.asarray(np.random.default_rng(2).normal(size=(9, 3, 3)))

    def total(values, method):
        q = {name: values[name] for name in p}
        path = stepped_path(saturable, STATES, values["initial"], on_line(values), q, cut, method)
        return jnp.vdot(weights, path), path

    (_, double), exact = jax.value_and_grad(total, has_aux=True)(with_line(p), "rk4")
    (_, path), slopes = jax.value_and_grad(total, has_aux=True)(with_line(p), SINGLE)
    assert path.dtype == np.float64 and (path != double).any()
    np.testing.assert_allclose(path, double, rtol=1e-4, atol=1e-5 * np.abs(double).max())
    for name, slope in slopes.items():
        size = np.abs(exact[name]).max()
        np.testing.assert_allclose(slope, exact[name], rtol=1e-3, atol=1e-4 * size, err_msg=name)


def test_parts_cover_each_step_once_and_grow_where_graded():
    cut = parts(np.array([2, 1, 3]), np.array([False, True, True]))
    np.testing.assert_array_equal(cut.step, [0, 0, 1, 2, 2, 2])
    np.testing.assert_array_equal(cut.last, [1, 2, 5])
    np.testing.assert_allclose(cut.begin, [0, 1 / 2, 0, 0, 1 / 9, 4 / 9])
    np.testing.assert_allclose(cut.finish, [1 / 2, 1, 1, 1 / 9, 4 / 9, 1])


def test_a_stiff_model_that_explodes_by_runge_kutta_stands_by_rosenbrock():
    fast = {name: v * (1e4 if name == "cl" else 1.0) for name, v in sets_of(SATURABLE, 1).items()}
    line, cut = line_of(), parts(np.full(9, 40), np.ones(9, bool))
    explicit = stepped_path(saturable, STATES, INITIAL, line, fast, cut)
    implicit = stepped_path(saturable, STATES, INITIAL, line, fast, cut, method="rosenbrock")
    assert not (np.abs(explicit) < 1e6).all()
    for n in range(3):
        x = np.asarray(implicit[:, :, n])
        assert np.isfinite(x).all() and (np.abs(x) < 1e3).all()
