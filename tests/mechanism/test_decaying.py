"""States that only decay, by their exact course beside Runge-Kutta steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pkpd.library import load
from pkpd.mechanism.decaying import beside, decaying

Q = {"ka": 1.3, "cl": 0.4, "v": 2.0}


def rates(t, x, p, u):
    gone = p["cl"] / p["v"] * x["central"] / (1 + 0.1 * x["central"])
    return {
        "depot": -p["ka"] * x["depot"],
        "central": p["ka"] * x["depot"] - gone,
        "timed": -jnp.exp(-t) * x["timed"],
        "bent": -p["ka"] * x["bent"] ** 2,
        "grown": p["ka"] * x["grown"],
        "still": 0.0 * x["still"],
        "late": jnp.where(t > 5, -2.0, -1.0) * x["late"],
        "moved": jnp.where(x["central"] > 10, -2.0, -1.0) * x["moved"],
    }


STATES = ("depot", "central", "timed", "bent", "grown", "still", "late", "moved")


def test_a_depot_decays_and_nothing_else_does():
    assert decaying(rates, STATES, tuple(Q)) == ("depot",)


def test_the_rates_are_evaluated_once():
    """Each trial by itself took 15 CPU seconds of every program of a model of nine states."""
    asked = []

    def counted(t, x, p, u):
        asked.append(1)
        return rates(t, x, p, u)

    decaying(counted, STATES, tuple(Q))
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rocatinlimab_okada_2025", ("depot",)),
        ("amlitelimab_tiraboschi_2025", ("depot",)),
        ("pk_2cmt_tmdd_qss", ()),
        ("pk_1cmt_mm", ()),
        ("pk_1cmt_oral", ("depot",)),
    ],
)
def test_depots_of_the_library_are_known(name, expected):
    model = load(name)
    values = {each.name: 0.7 for each in model.parameters}
    covariates = {each.name: 1.0 for each in model.covariates}
    own = model.individual(values, covariates) if model.individual else values
    assert decaying(model.rates, model.states, tuple(own)) == expected


def short(t, x, p, u):
    found = rates(t, {**x, **dict.fromkeys(STATES[2:], 0.0)}, p, u)
    return {name: found[name] for name in ("depot", "central")}


def stepped(flow, parts, q=Q, length=3.0):
    one = beside(short, ("depot",), q, flow)
    x = {"depot": jnp.asarray(10.0), "central": jnp.asarray(1.0)}
    for k in range(parts):
        x = one(x, jnp.asarray(length * k / parts), jnp.asarray(length / parts))
    return np.array([x["depot"], x["central"]])


def reference(flow, q=Q, length=3.0):
    def slope(t, y):
        found = short(t, {"depot": y[0], "central": y[1]}, q, {})
        return [float(found["depot"]) + flow.get("depot", 0.0),
                float(found["central"]) + flow.get("central", 0.0)]  # fmt: skip

    return solve_ivp(slope, (0, length), [10.0, 1.0], rtol=1e-12, atol=1e-12).y[:, -1]


@pytest.mark.parametrize("flow", [{}, {"depot": 2.0}, {"central": 0.7, "depot": 0.3}])
def test_steps_are_of_order_four_and_the_depot_is_exact(flow):
    expected = reference(flow)
    errors = [np.abs(stepped(flow, parts) - expected) for parts in (6, 12)]
    assert errors[0][0] < 1e-10 * expected[0] + 1e-10
    assert errors[1][1] < 1e-4 * expected[1]
    assert 12 < errors[0][1] / errors[1][1] < 20


def test_fast_absorption_under_long_steps_is_no_blow_up():
    """By classical steps of h k = 12.5 the depot would grow 794 times in each."""
    fast = Q | {"ka": 25.0}
    x = stepped({}, 60, fast, 30.0)
    assert np.isfinite(x).all()
    assert 0 <= x[0] < 1e-12
    assert 0 < x[1] < 20


def test_what_flows_into_a_depot_that_empties_nowhere_stays():
    found = stepped({"depot": 2.0}, 4, Q | {"ka": 0.0})
    np.testing.assert_allclose(found[0], 10.0 + 2.0 * 3.0, rtol=1e-12)


def test_its_slopes_are_those_of_differences():
    def end(ka, inflow):
        q = Q | {"ka": ka}
        one = beside(short, ("depot",), q, {"depot": inflow})
        return one({"depot": jnp.asarray(10.0), "central": jnp.asarray(1.0)}, 0.0, 0.5)["central"]

    found = jax.grad(end, argnums=(0, 1))(1.3, 2.0)
    h = 1e-5
    expected = [(end(1.3 + h, 2.0) - end(1.3 - h, 2.0)) / (2 * h),
                (end(1.3, 2.0 + h) - end(1.3, 2.0 - h)) / (2 * h)]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-8)
