"""Transitions of linear models against scipy's matrix exponential and its Frechet derivative."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm, expm_frechet

import pkpd  # noqa: F401  float64
from pkpd.mechanism.spectral import eigen, transitions

TIMES = np.array([0.0, 1e-6, 0.3, 4.0, 24.0, 700.0])


def chain(ka, ke):
    return [[-ka, 0.0], [ka, -ke]]


def oral(ka, ke, k12, k21):
    return [[-ka, 0, 0], [ka, -ke - k12, k21], [0, k12, -k21]]


def wide(ka, ke, k12, k21, k13, k31):
    two = np.zeros((4, 4))
    two[:3, :3] = oral(ka, ke, k12, k21)
    two[1, 1] -= k13
    two[3, 1], two[1, 3], two[3, 3] = k13, k31, -k31
    return two


FULL = {  # V stands
    "one": [[-0.1]],
    "one, oral": chain(1.1, 0.07),
    "two": [[-0.3, 0.05], [0.2, -0.05]],
    "two, oral": oral(0.9, 0.1, 0.17, 0.12),
    "three, oral": wide(0.9, 0.1, 0.17, 0.12, 0.03, 0.002),
    "absorption much faster than the rest": oral(40.0, 0.1, 0.17, 0.12),
    "no exchange": oral(0.9, 0.1, 0.0, 0.12),
    "nothing lost": [[-0.3, 0.3], [0.3, -0.3]],
    "nothing moves": [[0.0, 0.0], [0.0, 0.0]],
    "equal rates side by side": [[-0.4, 0.0], [0.0, -0.4]],
}
LACKING = {  # no full set of real eigenvectors, or nearly none
    "ka is cl / v1": chain(0.25, 0.25),
    "ka is all but cl / v1": chain(0.25 * (1 + 1e-9), 0.25),
    "ka is cl / v1 and nothing is exchanged": oral(0.25, 0.25, 0.0, 0.25),
    "four transit compartments": np.diag([-2.0] * 5) + np.diag([2.0] * 4, -1),
    "a loop of three that swings": [[-1.0, 0, 0.9], [1.0, -1.0, 0], [0, 1.0, -1.0]],
}


def together(matrices):
    """One batch for each size, its matrices side by side as subjects."""
    sizes = sorted({len(each) for each in matrices})
    return [np.stack([m for m in map(np.array, matrices) if len(m) == n], -1) for n in sizes]


BATCHES = together(FULL.values()) + together(LACKING.values())
IDS = [f"{m.shape[2]} of {len(m)} states" for m in BATCHES]


def arrays(batch):
    """One parameter set, all times as steps; every other subject's run backwards."""
    lasts = np.stack([TIMES[:: (-1) ** n] for n in range(batch.shape[2])], axis=-1)
    return jnp.asarray(batch[:, :, None]), jnp.zeros(lasts.shape), jnp.asarray(lasts)


def by_scipy(matrix, t, along=None):
    """exp(A t) and its integral, blocks of exp([[A, I], [0, 0]] t); or their derivatives."""
    size = len(matrix)
    block, moved = np.zeros((2, 2 * size, 2 * size))
    block[:size, :size], block[:size, size:] = matrix, np.eye(size)
    if along is None:
        power = expm(block * t)
    else:
        moved[:size, :size] = along
        power = expm_frechet(block * t, moved * t, compute_expm=False)
    return power[:size, :size], power[:size, size:]


@partial(jax.jit, static_argnames="infused")
def pushed(a, governs, lasts, along, infused=True):
    """Values and derivatives along changes of (matrix, duration)."""
    return jax.jvp(lambda a, t: transitions(a, governs, t, infused), (a, lasts), along)


@partial(jax.jit, static_argnames="infused")
def pulled(a, governs, lasts, weights, infused=True):
    """Derivatives of a weighted sum by matrix and duration, in reverse."""
    return jax.vjp(lambda a, t: transitions(a, governs, t, infused), a, lasts)[1](weights)


@pytest.mark.parametrize("batch", BATCHES, ids=IDS)
def test_transitions_are_the_exponential_and_its_integral(batch):
    a, governs, lasts = arrays(batch)
    found, slope = pushed(a, governs, lasts, (0 * a, jnp.ones_like(lasts)))
    for k, n in np.ndindex(lasts.shape):
        t = float(lasts[k, n])
        expected = by_scipy(batch[:, :, n], t)
        for got, part, most in zip(found, expected, (1.0, 1.0 + t), strict=True):
            np.testing.assert_allclose(got[:, :, k, n], part, rtol=2e-11, atol=2e-12 * most)
    by_time = jnp.einsum("ijn,jktn->iktn", a[:, :, 0], found[0])
    np.testing.assert_allclose(slope[0], by_time, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(slope[1], found[0], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", [*FULL, *LACKING])
def test_eigenvectors_serve_where_they_stand_and_there_alone(name):
    matrix = jnp.asarray((FULL | LACKING)[name], float)[:, :, None, None]
    assert eigen(matrix)[1] == (name in FULL)


@pytest.mark.parametrize("batch", BATCHES, ids=IDS)
def test_derivatives_along_any_matrix_are_those_of_frechet(batch):
    a, governs, lasts = arrays(batch)
    along = np.random.default_rng(3).uniform(0.1, 1.0, batch.shape)
    found = pushed(a, governs, lasts, (jnp.asarray(along[:, :, None]), 0 * lasts))[1]
    for k, n in np.ndindex(lasts.shape):
        expected = by_scipy(batch[:, :, n], float(lasts[k, n]), along[:, :, n])
        for got, part in zip(found, expected, strict=True):
            size = 1e-300 + np.abs(part).max()
            np.testing.assert_allclose(got[:, :, k, n] / size, part / size, atol=1e-8)


@pytest.mark.parametrize("batch", [BATCHES[2], BATCHES[5]], ids=[IDS[2], IDS[5]])
def test_reverse_mode_is_the_transpose_of_forward_mode(batch):
    a, governs, lasts = arrays(batch)
    rng = np.random.default_rng(5)
    along = (jnp.asarray(rng.normal(size=a.shape)), jnp.asarray(rng.normal(size=lasts.shape)))
    values, moved = pushed(a, governs, lasts, along)
    weights = tuple(jnp.asarray(rng.normal(size=v.shape)) for v in values)
    back = pulled(a, governs, lasts, weights)
    forward = sum(jnp.vdot(w, m) for w, m in zip(weights, moved, strict=True))
    assert jnp.isclose(forward, sum(jnp.vdot(b, d) for b, d in zip(back, along, strict=True)))


@pytest.mark.parametrize("batch", [BATCHES[1], BATCHES[4]], ids=[IDS[1], IDS[4]])
def test_without_infusions_no_integral_is_formed_and_what_remains_is_the_same(batch):
    a, governs, lasts = arrays(batch)
    along = (jnp.ones_like(a), jnp.ones_like(lasts))
    with_it, without = (pushed(a, governs, lasts, along, infused=i) for i in (True, False))
    np.testing.assert_allclose(without[0][0], with_it[0][0], rtol=1e-13)
    np.testing.assert_allclose(without[1][0], with_it[1][0], rtol=1e-12)
    assert (without[0][1] == 0).all() and (without[1][1] == 0).all()


def test_each_step_goes_by_the_matrix_of_the_record_that_governs_it():
    sets = [oral(0.9, 0.1, 0.17, 0.12), oral(0.5, 0.2, 0.3, 0.1), oral(0.25, 0.25, 0, 0.25)]
    governs = np.array([[0, 2], [1, 1], [2, 0]], float)
    lasts = np.full((3, 2), 3.0)
    for count in (2, 3):  # by eigenvectors, then by squaring: the third lacks them
        a = jnp.asarray(np.stack(sets[:count], axis=-1)[..., None].repeat(2, axis=-1))
        at = np.minimum(governs, count - 1)
        remains, gained = transitions(a, jnp.asarray(at), jnp.asarray(lasts), True)
        for k, n in np.ndindex(3, 2):
            expected = by_scipy(np.array(sets[int(at[k, n])]), 3.0)
            np.testing.assert_allclose(remains[:, :, k, n], expected[0], rtol=1e-11, atol=1e-13)
            np.testing.assert_allclose(gained[:, :, k, n], expected[1], rtol=1e-11, atol=1e-13)


def test_amounts_are_conserved_where_nothing_is_lost():
    a, governs, lasts = arrays(np.array(oral(0.9, 0.0, 0.17, 0.12))[..., None])
    remains, _ = transitions(a, governs, lasts, False)
    np.testing.assert_allclose(remains.sum(axis=0), 1.0, rtol=1e-12)


def test_second_derivatives_run_through_the_squarings():
    rate = lambda k, t: transitions(  # noqa: E731
        jnp.stack([jnp.stack([-k, 0 * k]), jnp.stack([k, -k])])[:, :, None, None],
        jnp.zeros((1, 1)),
        jnp.full((1, 1), t),
        False,
    )[0][1, 0, 0, 0]
    # the amount in the second of two equal compartments is k t exp(-k t)
    k, t = 0.4, 3.0
    expected = (k * t**3 - 2 * t**2) * np.exp(-k * t)
    assert jax.jit(jax.hessian(rate))(jnp.asarray(k), t) == pytest.approx(expected, rel=1e-10)


def test_a_matrix_that_is_not_finite_gives_no_number_and_no_crash():
    a, governs, lasts = arrays(np.array(chain(np.nan, 0.1))[..., None])
    remains, _ = transitions(a, governs, lasts, False)
    assert jnp.isnan(remains[1, 0, 3]).all()
