"""Residual error and censoring, against scipy's distributions and finite differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from scipy.stats import kstest, lognorm, norm, t, truncnorm

from pkpd.variation.censored import Censoring, cdf, draw, log_density, seen
from pkpd.variation.outcome_laws import (
    law,
    normal_log_below,
    student_log_below,
    student_log_density,
)
from pkpd.variation.residual import RESIDUALS

Q = {"additive": 0.4, "proportional": 0.2, "power": 0.7, "lognormal": 0.3, "nu": 4.5}
F = np.array([0.3, 1.0, 2.5, 7.0, 40.0, 3.0])
Y = np.array([0.9, 0.7, 2.6, 2.0, 43.0, 3.0])
SD = {
    "additive": 0.4 + 0 * F,
    "proportional": 0.2 * F,
    "combined": np.sqrt(0.16 + 0.04 * F**2),
    "combined_sum": 0.4 + 0.2 * F,
    "power": 0.2 * F**0.7,
    "lognormal": 0.3 + 0 * F,
}
LAWS = {"normal": norm, "student": t(4.5)}
BOTH = pytest.mark.parametrize("tails", ["normal", "student"])
EVERY = pytest.mark.parametrize("name", RESIDUALS)


def of_kind(kind, limit=0.0):
    return Censoring(np.full(F.shape, kind), np.full(F.shape, limit))


def scored(name, y):
    return (np.log(y) - np.log(F) if name == "lognormal" else y - F) / SD[name]


def log_likelihood(name, censoring, blq="M3", tails="normal", **given):
    y, f, q = given.get("y", Y), given.get("f", F), given.get("q", Q)
    return log_density(RESIDUALS[name], y, f, q, censoring, blq=blq, tails=tails)


def steep(function, x, share=1e-5):
    """The slope of a function of one number, by central differences of fourth order."""
    h = share * abs(x)
    near, far = function(x + h) - function(x - h), function(x + 2 * h) - function(x - 2 * h)
    return (8 * near - far) / (12 * h)


@EVERY
@BOTH
def test_a_row_seen_has_the_density_of_scipy(name, tails):
    found = log_likelihood(name, of_kind(0), tails=tails)
    wanted = LAWS[tails].logpdf(scored(name, Y)) - np.log(SD[name])
    wanted = wanted - np.log(Y) if name == "lognormal" else wanted
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


@EVERY
@BOTH
def test_a_row_censored_has_the_probability_of_scipy(name, tails):
    below, above = scored(name, 0.5 * Y), scored(name, Y)
    theirs = LAWS[tails]
    for kind, wanted in {
        1: theirs.cdf(above),
        -1: theirs.sf(above),
        2: theirs.cdf(above) - theirs.cdf(below),
    }.items():
        limit = 0.5 * Y if kind == 2 else 0 * Y
        found = log_likelihood(name, Censoring(np.full(F.shape, kind), limit), tails=tails)
        np.testing.assert_allclose(np.exp(found), wanted, rtol=1e-10, atol=1e-14)


def test_lognormal_error_is_scipys_lognormal():
    found = log_likelihood("lognormal", of_kind(0))
    np.testing.assert_allclose(found, lognorm(0.3, scale=F).logpdf(Y), rtol=1e-10)


def test_kinds_mixed_are_each_where_they_stand():
    kind = np.array([[0, 1, -1], [1, -1, 0]])
    y, f = Y.reshape(2, 3), F.reshape(2, 3)
    mixed = log_likelihood("combined", Censoring(kind, y), y=y, f=f)
    for each in (0, 1, -1):
        at = kind == each
        alone = log_likelihood("combined", Censoring(kind[at], y[at]), y=y[at], f=f[at])
        np.testing.assert_array_equal(mixed[at], alone)


def test_numbers_may_differ_by_row():
    q = {"additive": np.linspace(0.2, 0.9, 6), "nu": np.linspace(2, 30, 6)}
    for kind in (0, 1, 2):
        found = log_likelihood("additive", of_kind(kind, 0.1), tails="student", q=q)
        theirs, y, low = t(q["nu"]), (Y - F) / q["additive"], (0.1 - F) / q["additive"]
        wanted = {
            0: theirs.pdf(y) / q["additive"],
            1: theirs.cdf(y),
            2: theirs.cdf(y) - theirs.cdf(low),
        }
        np.testing.assert_allclose(np.exp(found), wanted[kind], rtol=1e-10)


def test_m1_leaves_out_what_is_below_a_limit():
    kind = np.array([0, 1, -1, 2, 0, 1])
    left_out = log_likelihood("additive", Censoring(kind, 0.1 * Y), "M1")
    np.testing.assert_array_equal(left_out == 0, kind > 0)
    kept = log_likelihood("additive", Censoring(kind, 0.1 * Y), "M3")
    np.testing.assert_array_equal(left_out[kind <= 0], kept[kind <= 0])


@pytest.mark.parametrize("name", ["additive", "proportional", "combined", "power"])
def test_m4_is_scipys_truncated_normal(name):
    theirs = truncnorm(-F / SD[name], np.inf, F, SD[name])
    for kind, wanted in {0: theirs.logpdf(Y), 1: theirs.logcdf(Y), -1: theirs.logsf(Y)}.items():
        found = log_likelihood(name, of_kind(kind), "M4")
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)
    between = log_likelihood(name, Censoring(np.full(F.shape, 2), 0.5 * Y), "M4")
    np.testing.assert_allclose(np.exp(between), theirs.cdf(Y) - theirs.cdf(Y / 2), rtol=1e-9)
    from_under_zero = log_likelihood(name, of_kind(2, limit=-3.0), "M4")
    np.testing.assert_allclose(from_under_zero, log_likelihood(name, of_kind(1), "M4"), rtol=1e-12)


def test_m4_conditions_student_tails_too():
    z, zero = (Y - F) / 0.4, -F / 0.4
    above = LAWS["student"].sf(zero)
    found = log_likelihood("additive", of_kind(1), "M4", "student")
    wanted = (LAWS["student"].cdf(z) - LAWS["student"].cdf(zero)) / above
    np.testing.assert_allclose(np.exp(found), wanted, rtol=1e-9)
    found = log_likelihood("additive", of_kind(0), "M4", "student")
    wanted = LAWS["student"].pdf(z) / 0.4 / above
    np.testing.assert_allclose(np.exp(found), wanted, rtol=1e-9)


def test_m4_is_m3_under_a_lognormal_error():
    for kind in (0, 1, -1):
        m3, m4 = (log_likelihood("lognormal", of_kind(kind), blq) for blq in ("M3", "M4"))
        np.testing.assert_array_equal(m3, m4)


def given(x):
    *numbers, share = x
    return {"f": share * F, "q": dict(zip(Q, numbers, strict=True))}


START = np.array([*Q.values(), 1.0])


@BOTH
def test_slopes_of_rows_seen_are_those_of_finite_differences(tails):
    @jax.jit
    def totals(x):
        rows = [log_likelihood(name, of_kind(0), tails=tails, **given(x)) for name in RESIDUALS]
        return jnp.stack([each.sum() for each in rows])

    slopes = jax.jit(jax.jacrev(totals))(START)
    for k, unit in enumerate(np.eye(START.size)):
        wanted = steep(lambda x, k=k, unit=unit: totals(START + (x - START[k]) * unit), START[k])
        np.testing.assert_allclose(slopes[:, k], wanted, rtol=1e-6, atol=1e-8)
    assert (slopes[:, -1] != 0).all()


@pytest.mark.parametrize(
    ("name", "tails", "blq"),
    [
        ("lognormal", "normal", "M3"),
        ("combined", "normal", "M4"),
        pytest.param("combined", "student", "M4", marks=pytest.mark.slow),  # its compilation
    ],
)
def test_slopes_of_rows_censored_are_those_of_finite_differences(name, tails, blq):
    censoring = Censoring(np.array([0, 1, -1, 2, 0, 1]), 0.9 * Y)

    @jax.jit
    @jax.value_and_grad
    def both(x):
        return log_likelihood(name, censoring, blq, tails, **given(x)).sum()

    slopes = both(START)[1]
    for k, unit in enumerate(np.eye(START.size)):
        wanted = steep(lambda x, k=k, unit=unit: both(START + (x - START[k]) * unit)[0], START[k])
        np.testing.assert_allclose(slopes[k], wanted, rtol=1e-6, atol=1e-8)


def finite(names, kinds, tails, blq):
    levels = np.array([0.0, 1e-300, 1e-9, 1.0, 1e9])
    y, f, kind = (axis.ravel() for axis in np.meshgrid(levels[1:], levels, kinds))
    censoring = Censoring(kind, 0.3 * y)

    def total(f, q):
        rows = [
            log_density(RESIDUALS[name], y, f, q, censoring, blq=blq, tails=tails) for name in names
        ]
        return sum(each.sum() for each in rows)

    found = jax.jit(jax.value_and_grad(total, argnums=(0, 1)))(f, Q)
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


@BOTH
def test_values_and_slopes_of_rows_seen_are_finite_at_extremes(tails):
    assert finite(tuple(RESIDUALS), [0], tails, "M3")


@pytest.mark.parametrize(
    ("name", "tails", "blq"),
    [
        ("proportional", "normal", "M4"),
        ("lognormal", "normal", "M3"),
        pytest.param("power", "student", "M4", marks=pytest.mark.slow),  # its compilation
    ],
)
def test_values_and_slopes_of_rows_censored_are_finite_at_extremes(name, tails, blq):
    assert finite((name,), [1, -1, 2], tails, blq)


def test_a_row_at_its_prediction_has_the_slope_of_a_censored_one():
    def total(f):
        return log_likelihood("additive", of_kind(1), f=f).sum()

    wanted = -norm.pdf(0) / 0.5 / 0.4  # -p(z) / P(z) / s at z = 0
    np.testing.assert_allclose(jax.grad(total)(Y), np.full(6, wanted), rtol=1e-12)


def test_zero_seen_under_a_lognormal_error_is_impossible():
    assert log_likelihood("lognormal", of_kind(0), y=0 * Y)[0] == -np.inf
    assert cdf(RESIDUALS["lognormal"], jnp.zeros(6), F, Q, tails="normal")[0] == 0


@EVERY
@BOTH
def test_draws_have_the_distribution_they_are_said_to_have(name, tails):
    f = jnp.linspace(0.5, 20, 4000)
    drawn = draw(RESIDUALS[name], jax.random.key(3), f, Q, tails=tails)
    uniform = cdf(RESIDUALS[name], drawn, f, Q, tails=tails)
    assert kstest(uniform, "uniform").pvalue > 0.001
    below = cdf(RESIDUALS[name], Y, F, Q, tails=tails)
    np.testing.assert_allclose(below, LAWS[tails].cdf(scored(name, Y)), rtol=1e-10, atol=1e-14)


def test_normal_tail_is_scipys_however_far():
    z = np.concatenate([-np.logspace(-3, 12, 50), np.linspace(-9, 9, 50), [0.0, 40.0]])
    np.testing.assert_allclose(normal_log_below(z), special.log_ndtr(z), rtol=1e-12, atol=1e-300)
    slope = jax.vmap(jax.grad(normal_log_below))(-np.logspace(2, 12, 20))
    np.testing.assert_allclose(slope, np.logspace(2, 12, 20), rtol=1e-3)  # -z + O(1 / z)


def test_derivatives_of_the_normal_tail_are_right_to_the_third_order():
    def bent(z: np.ndarray) -> tuple[np.ndarray, ...]:
        """Slopes of m by its own equation, m from SciPy."""
        m = np.exp(-z * z / 2 - special.log_ndtr(z)) / np.sqrt(2 * np.pi)
        second = -m * (z + m)
        return m, second, -second * (z + m) - m * (1 + second)

    z = np.linspace(-12.0, 6.0, 37)
    of = normal_log_below
    for expected, rtol in zip(bent(z), (1e-12, 1e-9, 1e-6), strict=True):  # each takes differences
        of = jax.grad(of)
        np.testing.assert_allclose(jax.vmap(of)(z), expected, rtol=rtol, atol=1e-14)
    hessian = jax.jit(jax.hessian(lambda z: normal_log_below(z).sum()))(z)  # of an array, compiled
    np.testing.assert_allclose(np.diag(hessian), bent(z)[1], rtol=1e-8, atol=1e-12)
    curved = jax.grad(jax.grad(normal_log_below))
    np.testing.assert_allclose(curved(-1e6), -1.0, rtol=1e-10)
    np.testing.assert_allclose(curved(-999.999), curved(-1000.001), rtol=1e-8)


BELOW = jax.jit(student_log_below)


@pytest.mark.parametrize("nu", [0.5, 1.0, 2.0, 4.5, 30.0, 40.0, 300.0])
def test_students_distribution_is_scipys(nu):
    z = np.concatenate([-np.logspace(-2, 1.5, 40), np.linspace(-4, 4, 41), [-2.0, 2.0]])
    np.testing.assert_allclose(np.exp(BELOW(z, nu)), special.stdtr(nu, z), rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(student_log_density(z, nu), t(nu).logpdf(z), rtol=1e-12)


SLOPE_IN_NU = jax.jit(jax.jacfwd(student_log_below, argnums=1))


@pytest.mark.parametrize("nu", [1.0, 2.5, 7.0, 40.0, 120.0])
def test_students_slope_in_nu_is_that_of_scipys_distribution(nu):
    z = np.array([-20.0, -4.0, -2.0, -0.7, 0.0, 1.3, 2.0, 6.0])
    found = SLOPE_IN_NU(z, nu) * special.stdtr(nu, z)
    wanted = steep(lambda x: special.stdtr(x, z), nu, share=1e-3)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-13)


@pytest.mark.slow  # its compilation
def test_students_curvature_in_nu_is_finite_and_that_of_its_slope():
    slope = jax.jit(jax.grad(student_log_below, argnums=1))
    found = jax.jit(jax.grad(slope, argnums=1))(-3.0, 6.0)
    np.testing.assert_allclose(found, steep(lambda x: slope(-3.0, x), 6.0), rtol=1e-6)


def test_students_tail_is_in_closed_form_however_far():
    far = np.array([-10.0, -1e3, -1e8, -1e12])
    cauchy = np.log(np.arctan2(1, -far) / np.pi)
    np.testing.assert_allclose(BELOW(far, 1.0), cauchy, rtol=1e-12)
    two = np.log(1 / (2 + far**2) / (1 - far / np.sqrt(2 + far**2)))
    np.testing.assert_allclose(BELOW(far, 2.0), two, rtol=1e-12)
    # P(T < z) = t(z) |z| / nu (1 + O(nu / z^2)), where no float holds the probability itself
    power = t(200).logpdf(-1e6) + np.log(1e6 / 200)
    np.testing.assert_allclose(student_log_below(-1e6, 200.0), power, rtol=1e-10)


def test_students_law_ends_in_the_normal():
    z = np.linspace(-6, 6, 25)
    np.testing.assert_allclose(BELOW(z, 1e10), normal_log_below(z), rtol=1e-7)


BETWEEN = {tails: jax.jit(law(tails, 4.5).log_between) for tails in LAWS}


@BOTH
def test_a_narrow_interval_holds_its_width_times_the_density(tails):
    chosen = law(tails, 4.5)
    a = np.array([-30.0, -3.0, 0.0, 2.0, 30.0])
    for width in (1e-4, 1e-9):
        found = BETWEEN[tails](a - width / 2, a + width / 2)
        wanted = chosen.log_density(a) + np.log((a + width / 2) - (a - width / 2))
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-6)


@BOTH
def test_adjoining_intervals_add_up(tails):
    chosen = law(tails, 4.5)
    edges = np.concatenate([[-60.0], np.linspace(-8, 8, 81), [60.0]])
    parts = np.exp(BETWEEN[tails](edges[:-1], edges[1:]))
    for k in (10, 41, 70):
        np.testing.assert_allclose(
            parts[:k].sum(), chosen.below(edges[k]) - chosen.below(edges[0]), rtol=1e-12
        )


def test_slips_of_a_caller_are_refused_in_words():
    with pytest.raises(ValueError, match=r"-1, 0, 1 and 2, not \[3\]"):
        of_kind(3)
    with pytest.raises(ValueError, match="student with nu"):
        law("student")


def test_rows_seen_need_no_limit():
    np.testing.assert_array_equal(
        log_likelihood("additive", seen(Y)), log_likelihood("additive", of_kind(0, limit=np.nan))
    )
