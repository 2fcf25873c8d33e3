"""Conditional modes and Laplace's approximation: against the exact normal, and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oral_trial import differences, likelihood, point, settings_of, table
from scipy.stats import multivariate_normal

from pkpd.individual.build import individual_likelihood
from pkpd.individual.modes import effects_of
from pkpd.individual.problem import population_space
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Block, Choice, Observation
from pkpd.variation import standard

# y = a + b t, effects on a and b normal and correlated, a further one on a by occasion
LINE = Model(
    name="line",
    title="A straight line",
    summary="For tests",
    parameters=(
        Parameter("a", 5.0, "1", "level", scale="identity", reason="for tests"),
        Parameter("b", -0.5, "1", "slope", scale="identity", reason="for tests"),
    ),
    states=("depot",),
    rates=lambda t, x, p, u: {"depot": -x["depot"]},
    outputs=lambda x, p: {"y": p["a"] + p["b"] * x["t"]},
    units={"time": "d", "y": "1"},
    linear=True,
)
# occasions by subject: three, one and two of them
OCCASIONS = ((1, 1, 2, 2, 3, 3), (1, 1, 1), (1, 2, 2, 2))
POPULATION = {
    "a": 4.7, "b": -0.4, "a_between": 0.8, "b_between": 0.3, "a_occasion": 0.5,
    "a_b_partial": -0.6, "y_additive": 0.35,
}  # fmt: skip


def line_rows():
    chance, rows = np.random.default_rng(5), []
    for who, occasions in enumerate(OCCASIONS, 1):
        rows.append({"ID": who, "TIME": 0.0, "AMT": 1.0, "EVID": 1, "OCC": 1})
        for k, occasion in enumerate(occasions):
            seen = {"DV": 4.0 - 0.5 * k + chance.normal(), "OCC": occasion}
            rows.append({"ID": who, "TIME": 0.7 * k, "AMT": 0.0, "EVID": 0, **seen})
    return rows


@pytest.fixture(scope="module")
def line():
    chosen = {
        "a": Choice(median=5.0, sd=2.0, between=1.0, occasion=1.0),
        "b": Choice(median=-0.5, sd=1.0, between=1.0),
    }
    seen = Observation(output="y", error="additive", priors={"additive": 1.0})
    settings = settings_of("line", chosen, (seen,), blocks=(Block(parameters=("a", "b")),))
    return effects_of(individual_likelihood(settings, LINE, table(line_rows())))


def exact(q):
    """log p(y_i): multivariate normal, the effects integrated out by hand."""
    found = []
    for who, occasions in enumerate(OCCASIONS, 1):
        own = [row for row in line_rows() if row["ID"] == who and row["EVID"] == 0]
        y, t = (np.array([row[name] for row in own]) for name in ("DV", "TIME"))
        shared = q["a_between"] * q["b_between"] * q["a_b_partial"]
        omega = np.array([[q["a_between"] ** 2, shared], [shared, q["b_between"] ** 2]])
        z = np.stack([np.ones_like(t), t], axis=1)
        same = np.equal.outer(occasions, occasions)
        covariance = z @ omega @ z.T + q["a_occasion"] ** 2 * same
        covariance += q["y_additive"] ** 2 * np.eye(t.size)
        found.append(multivariate_normal.logpdf(y, q["a"] + q["b"] * t, covariance))
    return np.array(found)


def test_laplace_is_the_exact_normal_where_the_model_is_linear(line):
    q = {name: jnp.asarray(value) for name, value in POPULATION.items()}
    marginal, _ = jax.jit(line.laplace)(q, jnp.zeros((line.rows, 3)))
    np.testing.assert_allclose(marginal, exact(POPULATION), rtol=1e-8)


def test_its_gradient_is_that_of_the_exact_normal(line):
    names = list(POPULATION)
    weights = np.array([1.0, -0.5, 2.0])  # subjects are told apart

    def total(x):
        q = dict(zip(names, x, strict=True))
        return (weights * line.laplace(q, jnp.zeros((line.rows, 3)))[0]).sum()

    at = np.array(list(POPULATION.values()))
    expected = []
    for k in range(at.size):
        ends = [
            weights @ exact(dict(zip(names, at + s * 1e-5 * np.eye(at.size)[k], strict=True)))
            for s in (-1, 1)
        ]
        expected.append((ends[1] - ends[0]) / 2e-5)
    found = jax.jit(jax.grad(total))(jnp.asarray(at))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


@pytest.fixture(scope="module")
def bolus():
    """One state, so that programs compile fast; not linear in its effects for all that."""
    made = likelihood(model="pk_1cmt_iv", block=True, occasion=0.3)
    effects, space = effects_of(made), population_space(made)
    return effects, space, space.unpack(standard.to_natural(space, point(space)))


def test_occasions_fill_the_matrix_by_subject(bolus):
    effects, _, _ = bolus
    matrix = jnp.arange(effects.rows * 6.0).reshape(effects.rows, 6)
    values = effects.values(matrix)
    assert effects.rows == 4  # two effects and two occasions
    np.testing.assert_array_equal(values["cl_eta"], matrix[effects.names.index("cl_eta")])
    np.testing.assert_array_equal(values["cl_occasion_eta"], matrix[2:].T.ravel())


def test_the_bend_is_the_difference_of_slopes(bolus):
    effects, _, q = bolus
    at = 0.5 * jnp.asarray(np.random.default_rng(1).normal(size=(effects.rows, 6)))
    slope = jax.jit(lambda z: effects.slope(q, z))
    found = jax.jit(lambda z: effects.bend(q, z))(at)
    for k, unit in enumerate(np.eye(effects.rows)):
        step = 1e-5 * unit[:, None]
        expected = -(slope(at + step) - slope(at - step)) / 2e-5
        np.testing.assert_allclose(found[:, :, k].T, expected, rtol=1e-6, atol=1e-6)


def test_modes_are_stationary_and_maxima(bolus):
    effects, _, q = bolus
    find, look = jax.jit(effects.find), jax.jit(effects.point)
    for begin in (0.0, 1.5):  # wherever the search begins
        modes = find(q, jnp.full((effects.rows, 6), begin))
        there = look(q, modes.at)
        np.testing.assert_allclose(there.slope, 0.0, atol=1e-5)
        np.testing.assert_allclose(there.height, modes.height, rtol=1e-12)
        assert (np.linalg.eigvalsh(there.curvature) > 0).all()
        for unit in np.eye(effects.rows):
            assert (look(q, modes.at + 0.01 * unit[:, None]).height < modes.height).all()


def test_laplaces_gradient_is_its_difference_where_the_model_is_not_linear(bolus):
    effects, space, _ = bolus
    begin = jnp.zeros((effects.rows, 6))

    def total(z):
        q = space.unpack(standard.to_natural(space, z))
        return effects.laplace(q, begin)[0].sum()

    at = point(space)
    found = jax.jit(jax.grad(total))(at)
    np.testing.assert_allclose(found, differences(total, at, 1e-3), rtol=1e-6, atol=1e-6)
