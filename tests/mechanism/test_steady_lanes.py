"""Steady states of many subjects against those of one (`steady`), closed forms and differences."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pkpd  # noqa: F401  float64
from pkpd.mechanism.adaptive import Equations
from pkpd.mechanism.linear import advance_linear, rate_matrix
from pkpd.mechanism.steady import Regimen, steady_state
from pkpd.mechanism.steady_lanes import Cycle, steady_linear, steady_stepped

STATES = ("depot", "central", "peripheral")
VALUES = {"ka": 1.0, "cl": 3.0, "v1": 30.0, "q": 5.0, "v2": 40.0, "vmax": 2.0, "km": 3.0}


def two(t, x, p, u):
    absorbed, level = p["ka"] * x["depot"], x["central"] / p["v1"]
    exchanged = p["q"] * (level - x["peripheral"] / p["v2"])
    return {
        "depot": -absorbed,
        "central": absorbed - p["cl"] * level - exchanged,
        "peripheral": exchanged,
    }


def saturable(t, x, p, u):
    slope, level = two(t, x, p, u), x["central"] / p["v1"]
    return slope | {"central": slope["central"] - p["vmax"] * level / (p["km"] + level)}


# one subject each: doses into the depot, and read 5 h later (a lag of 7); doses at once; a short
# infusion; infusions that overlap, and read while two run; one for ever; no dose at all
REGIMENS = Regimen(
    amount=jnp.array([[100.0, 0, 0], [0, 50, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    rate=jnp.array([[0.0, 0, 0], [0, 0, 0], [0, 20, 0], [0, 7, 0], [0, 5, 0], [0, 0, 0]]),
    lasts=jnp.array([0.0, 0, 3, 30, 0, 0]),
    interval=jnp.array([12.0, 24, 12, 12, 0, 12]),
    phase=jnp.array([5.0, 24, 11.5, 2, 0, 12]),
)
SUBJECTS = 6
P = {
    name: jnp.asarray(value * np.exp(0.2 * np.random.default_rng(k).normal(size=SUBJECTS)))
    for k, (name, value) in enumerate(VALUES.items())
}


def one_by_one(rates, *, linear):
    """The states that `steady` finds, (S, N)."""
    equations = Equations(rates, STATES, rtol=1e-12, atol=1e-12)

    def one(pair):
        r, q = pair
        if linear:
            advance = partial(advance_linear, rate_matrix(rates, STATES, q))
        else:
            advance = lambda x, lasts, flow: equations.moved(x, 0.0 * lasts, lasts, flow, q)[0]  # noqa: E731
        return steady_state(
            r, advance, lambda x: equations.slope(0.0, x, q), jnp.zeros_like(r.rate), linear=linear
        )[0]

    return jax.jit(partial(jax.lax.map, one))((REGIMENS, P)).T


def test_linear_steady_states_are_those_of_each_subject_alone():
    found, residual = jax.jit(partial(steady_linear, two, STATES, infused=True))(REGIMENS, P)
    expected = one_by_one(two, linear=True)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert (residual < 1e-13).all()


@pytest.mark.parametrize(
    ("method", "pieces"),
    [("rk4", 256), pytest.param("rosenbrock", 128, marks=pytest.mark.slow)],
)
def test_saturable_steady_states_are_those_of_each_subject_alone(method, pieces):
    cycle = Cycle(saturable, STATES, pieces=pieces, method=method)
    found, residual = jax.jit(partial(steady_stepped, cycle))(REGIMENS, P)
    np.testing.assert_allclose(found, one_by_one(saturable, linear=False), rtol=1e-7, atol=1e-7)
    assert (residual < 1e-8).all()


def test_the_steady_state_of_repeated_doses_is_the_geometric_sum():
    # one compartment, read at the trough: dose e / (1 - e), e = exp(-k tau)
    k, tau, dose = jnp.array([0.1, 0.3]), jnp.array([12.0, 8.0]), jnp.array([100.0, 40.0])
    zero = jnp.zeros(2)
    r = Regimen(dose[:, None], zero[:, None], zero, tau, tau)
    rates = lambda t, x, p, u: {"central": -p["k"] * x["central"]}  # noqa: E731
    left = jnp.exp(-k * tau)
    linear = steady_linear(rates, ("central",), r, {"k": k}, infused=False)[0]
    np.testing.assert_allclose(linear[0], dose * left / (1 - left), rtol=1e-13)
    cycle = Cycle(rates, ("central",), pieces=200, infused=False)
    stepped = steady_stepped(cycle, r, {"k": k})[0]
    np.testing.assert_allclose(stepped[0], dose * left / (1 - left), rtol=1e-8)


def test_second_derivatives_of_linear_steady_states_are_those_of_the_closed_form():
    # the trough after doses at once: 100 / (exp(k tau) - 1)
    tau, k, ka = 12.0, 0.1, 5.0
    r = Regimen(*map(jnp.asarray, ([[0.0, 100.0]], [[0.0, 0.0]], [0.0], [tau], [tau])))

    def trough(k):
        rates = lambda t, x, p, u: {  # noqa: E731
            "depot": -p["ka"] * x["depot"],
            "central": p["ka"] * x["depot"] - p["k"] * x["central"],
        }
        p = {"k": jnp.full(1, k), "ka": jnp.full(1, ka)}
        states = ("depot", "central")
        state, _ = steady_linear(rates, states, r, p, infused=False, smooth="spectrum")
        return state[1, 0]

    grown = np.exp(k * tau)
    expected = 100 * tau**2 * grown * (grown + 1) / (grown - 1) ** 3
    assert float(jax.jit(jax.hessian(trough))(k)) == pytest.approx(expected, rel=1e-10)


def test_what_a_constant_infusion_brings_is_lost_at_the_same_rate():
    cycle = Cycle(saturable, STATES, pieces=8)
    found, _ = jax.jit(partial(steady_stepped, cycle))(REGIMENS, P)
    q = {name: value[4] for name, value in P.items()}
    level = found[1, 4] / q["v1"]
    lost = q["cl"] * level + q["vmax"] * level / (q["km"] + level)
    assert float(lost) == pytest.approx(5.0, rel=1e-10)


def test_more_than_can_be_lost_leaves_no_steady_state_and_a_residual_that_says_so():
    rates = lambda t, x, p, u: {"central": -p["vmax"] * x["central"] / (1 + x["central"])}  # noqa: E731
    amount = jnp.array([[10.0], [300.0]])  # at most vmax x interval = 24 are lost
    zero = jnp.zeros(2)
    r = Regimen(amount, 0 * amount, zero, jnp.full(2, 12.0), jnp.full(2, 12.0))
    cycle = Cycle(rates, ("central",), pieces=64, infused=False)
    found, residual = steady_stepped(cycle, r, {"vmax": jnp.full(2, 2.0)})
    assert residual[0] < 1e-8 and found[0, 0] > 0
    assert not residual[1] < 1e-3 or found[0, 1] < 0


def agree(total, values, rel):
    """Reverse derivatives by each value against central differences."""
    found, total = jax.jit(jax.grad(total))(values), jax.jit(total)
    for name, value in values.items():
        along = 1e-5 * value * jnp.linspace(0.5, 1.0, value.size).reshape(value.shape)
        apart = total(values | {name: value + along}) - total(values | {name: value - along})
        assert float(2 * jnp.vdot(found[name], along)) == pytest.approx(float(apart), rel=rel), name


def regimens_of(values):
    return Regimen(
        values["amount"], values["rate"], values["lasts"], REGIMENS.interval, values["phase"]
    )


WEIGHTS = jnp.asarray(np.random.default_rng(4).uniform(0.5, 2.0, (3, SUBJECTS)))
OF_REGIMEN = {
    "amount": REGIMENS.amount,
    "rate": REGIMENS.rate,
    "lasts": REGIMENS.lasts,
    "phase": REGIMENS.phase - 0.1 * (REGIMENS.interval > 0),
}


def test_derivatives_of_linear_steady_states_are_those_of_finite_differences():
    two_names = ("ka", "cl", "v1", "q", "v2")

    def total(values):
        p = {name: values[name] for name in two_names}
        return jnp.vdot(
            WEIGHTS, steady_linear(two, STATES, regimens_of(values), p, infused=True)[0]
        )

    agree(total, {name: P[name] for name in two_names} | OF_REGIMEN, 1e-6)


@pytest.mark.parametrize("method", ["rk4", pytest.param("rosenbrock", marks=pytest.mark.slow)])
def test_derivatives_of_saturable_steady_states_are_those_of_finite_differences(method):
    cycle = Cycle(saturable, STATES, pieces=16, method=method)

    def total(values):
        return jnp.vdot(WEIGHTS, steady_stepped(cycle, regimens_of(values), values)[0])

    agree(total, P | OF_REGIMEN, 1e-6)
