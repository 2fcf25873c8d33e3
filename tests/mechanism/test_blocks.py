"""Subjects solved in blocks, and only ends of steps kept: the same states and the same slopes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.mechanism.blocks import ALONE, BLOCK, WIDE, in_blocks
from pkpd.mechanism.lanes import AHEAD, SINGLE, Fed, Lanes, parts, stepped_path

STATES = ("depot", "central")
COUNT, STEPS = 3 * BLOCK + 5, 6
CUT = parts(np.array([3, 1, 4, 2, 5, 3]), np.arange(STEPS) % 2 == 0)


def saturable(t, x, p, u):
    absorbed = p["ka"] * x["depot"]
    return {
        "depot": -absorbed,
        "central": absorbed - p["vmax"] * x["central"] / (p["km"] + x["central"]),
    }


def trial(count):
    rng = np.random.default_rng(3)
    time = np.cumsum(rng.uniform(0.5, 2.0, (STEPS, 1)), axis=0) * np.ones(count)
    given = np.zeros((2, STEPS, count))
    given[0, ::2] = rng.uniform(50, 100, count)
    line = Lanes(
        jnp.asarray(np.vstack([np.zeros(count), time[:-1]])), jnp.asarray(time),
        jnp.zeros((2, STEPS, count)), jnp.ones((STEPS, count)), jnp.asarray(given),
        jnp.zeros((STEPS, count)),
    )  # fmt: skip
    p = {
        "ka": jnp.asarray(rng.uniform(0.3, 1.0, (1, count))),
        "vmax": jnp.asarray(rng.uniform(5.0, 9.0, (1, count))),
        "km": jnp.full((1, 1), 4.0),
    }
    return jnp.zeros((2, count)).at[0].set(100.0), line, p


def solve(initial, line, p, method="rk4"):
    fed = Fed(("depot",), (), False)
    return stepped_path(saturable, STATES, initial, line, p, CUT, method, fed)


def one(whole, n):
    count = COUNT
    return jax.tree.map(lambda x: x[..., n : n + 1] if x.shape[-1] == count else x, whole)


@pytest.mark.parametrize("n", [0, BLOCK, COUNT - 1])
def test_a_subject_among_many_goes_as_it_goes_alone(n):
    whole = trial(COUNT)
    many, alone = jax.jit(solve)(*whole), jax.jit(solve)(*one(whole, n))
    assert many.shape == (STEPS, 2, COUNT)
    np.testing.assert_allclose(many[..., n : n + 1], alone, rtol=1e-13)


def test_slopes_in_reverse_and_forwards_are_those_of_subjects_alone():
    initial, line, p = trial(COUNT)
    weights = jnp.asarray(np.random.default_rng(4).normal(size=(STEPS, 2, COUNT)))

    def total(p, initial, line, weights):
        return jnp.vdot(weights, solve(initial, line, p))

    slope = jax.jit(jax.grad(total))(p, initial, line, weights)
    found = np.zeros(COUNT)
    for n in range(COUNT):
        if n in (0, BLOCK + 1, COUNT - 1):
            alone = jax.jit(jax.grad(total))(*one((p, initial, line, weights), n))
            np.testing.assert_allclose(slope["vmax"][0, n], alone["vmax"][0, 0], rtol=1e-11)
            found[n] = 1
    assert found.sum() == 3
    along = jax.tree.map(jnp.ones_like, p)
    forward = jax.jvp(lambda p: total(p, initial, line, weights), (p,), (along,))[1]
    reverse = sum(float(slope[name].sum()) for name in p)
    np.testing.assert_allclose(forward, reverse, rtol=1e-11)


def test_what_is_written_over_is_what_keeping_all_parts_gives():
    initial, line, p = trial(7)
    plain = jax.jit(solve)(initial, line, p)
    kept = jax.jit(lambda q: jax.jvp(lambda r: solve(initial, line, r), (q,), (q,))[0])(p)
    np.testing.assert_allclose(plain, kept, rtol=1e-14)


@pytest.mark.parametrize("count", [ALONE, ALONE + 1, 4 * BLOCK])
def test_blocks_leave_out_nobody_and_put_nobody_twice(count):
    path = in_blocks(partial(_numbers, size=count), jnp.arange(float(count)), count)
    np.testing.assert_array_equal(path[0, 0], np.arange(count))


def _numbers(x, size):
    assert x.shape[-1] <= max(ALONE, BLOCK) and size >= x.shape[-1]
    return x[None, None]


@pytest.mark.parametrize("count", [WIDE, WIDE + 1, 3 * WIDE])
def test_blocks_may_be_wider(count):
    path = in_blocks(lambda x: x[None, None], jnp.arange(float(count)), count, WIDE)
    np.testing.assert_array_equal(path[0, 0], np.arange(count))


def test_steps_without_derivatives_are_those_of_single_precision():
    initial, line, p = trial(COUNT)
    ahead, single = (solve(initial, line, p, method) for method in (AHEAD, SINGLE))
    np.testing.assert_allclose(ahead, single, rtol=1e-6)


def test_lanes_that_are_the_same_for_all_may_be_given_once():
    initial, line, p = trial(COUNT)
    shared = Lanes(
        line.start[:, :1], line.end[:, :1], line.flow, line.keep, line.given, line.governs
    )
    np.testing.assert_allclose(solve(initial, shared, p), solve(initial, line, p), rtol=1e-13)
