"""The logarithm in one sweep against numpy's, at the ends of what float64 holds, and its slope."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from pkpd.mechanism.power import log, power


def test_log_is_numpys_over_all_sizes():
    draws = np.random.default_rng(3)
    x = np.concatenate([2.0 ** draws.uniform(-1021, 1023, 20000), draws.uniform(0.5, 2.0, 20000)])
    x = np.concatenate([x, np.nextafter(2.0**0.5, [0, 9]), np.nextafter(1.0, [0, 9]), [1.0, 0.5]])
    wanted = np.log(x)
    wrong = np.abs(np.asarray(jax.jit(log)(x)) - wanted)
    assert (wrong <= np.maximum(2 * np.spacing(np.abs(wanted)), 1e-16)).all()


def test_log_where_there_is_none():
    found = np.asarray(log(jnp.array([0.0, -1.0, np.nan, np.inf, 1.0])))
    np.testing.assert_array_equal(found, [-np.inf, np.nan, np.nan, np.inf, 0.0])


def test_single_precision_stays_single():
    x = jnp.array([0.3, 7.0], jnp.float32)
    assert log(x).dtype == jnp.float32
    np.testing.assert_array_equal(log(x), jnp.log(x))


def test_slopes_of_a_power_are_those_of_the_rules():
    x, g = 0.37, 2.6
    by_x, by_g = jax.grad(power, argnums=(0, 1))(x, g)
    np.testing.assert_allclose(by_x, g * x ** (g - 1), rtol=1e-14)
    np.testing.assert_allclose(by_g, x**g * np.log(x), rtol=1e-14)
    again = jax.grad(jax.grad(power))(x, g)
    np.testing.assert_allclose(again, g * (g - 1) * x ** (g - 2), rtol=1e-14)
    assert power(jnp.ones(3), jnp.array(g)).tolist() == [1.0, 1.0, 1.0]
