"""Outcomes that are no plain number: against scipy's distributions, sums, draws and slopes."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.stats import bernoulli, chisquare, kstest, logistic, nbinom, norm, poisson

from pkpd.variation import outcome
from pkpd.variation.censored import Censoring
from pkpd.variation.outcome import Binary, Bounded, Continuous, Count, Event, Markov, Ordinal
from pkpd.variation.outcome_bounded import ends
from pkpd.variation.outcome_categories import generator, row, transition_matrix
from pkpd.variation.outcome_count import probabilities as count_probabilities
from pkpd.variation.outcome_event import Hazards, event_times
from pkpd.variation.residual import RESIDUALS

MANY = 20_000
EASI = Bounded(RESIDUALS["combined"], 0.0, 72.0)
IN_STEPS = Bounded(RESIDUALS["combined"], 0.0, 72.0, 0.1)
ERROR = {"additive": 1.5, "proportional": 0.2}
IGA = Ordinal(5)
CUTS = {"threshold_1": -2.0, "gap_2": 1.0, "gap_3": 1.5, "gap_4": 0.7, "slope": 0.8}
CHAIN = generator(np.array([[0, 0.3, 0.0], [0.1, 0, 0.2], [0.0, 0.4, 0]]))
KEY = jax.random.key(5)


def slope(function, x, h=1e-4):
    near, far = function(x + h) - function(x - h), function(x + 2 * h) - function(x - 2 * h)
    return (8 * near - far) / (12 * h)


def as_predicted(found, expected):
    """Whether counts agree with expected ones, in a test that one true case in 1,000 fails."""
    return chisquare(found, expected * found.sum() / expected.sum()).pvalue > 0.001


def drawn(spec, f, q):
    many = jax.tree.map(lambda x: jnp.broadcast_to(jnp.asarray(x), (MANY, *np.shape(x))), f)
    return np.asarray(outcome.draw(spec, KEY, many, q))


# bounded scores


def test_a_score_between_its_ends_is_normal_and_at_them_censored():
    y, f = np.array([0.0, 0.4, 15.0, 71.0, 72.0]), np.array([1.0, 1.0, 20.0, 60.0, 70.0])
    sd = np.sqrt(1.5**2 + (0.2 * f) ** 2)
    theirs = norm(f, sd)
    wanted = [theirs.logcdf(0)[0], *theirs.logpdf(y)[1:4], theirs.logsf(72)[4]]
    found = jax.jit(lambda f: outcome.log_density(EASI, y, f, ERROR))(f)
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_a_rounded_score_adds_up_to_one():
    y = np.arange(721) / 10
    log_density = jax.jit(lambda f: outcome.log_density(IN_STEPS, y, f, ERROR))
    for f in (0.0, 3.0, 40.0, 71.5):
        found = np.exp(log_density(f))
        np.testing.assert_allclose(found.sum(), 1, rtol=1e-12)
        at_ends = ends(IN_STEPS, jnp.asarray(f), ERROR)
        np.testing.assert_allclose(at_ends, [found[0], found[-1]], rtol=1e-9, atol=1e-15)
        steps = norm(f, np.hypot(1.5, 0.2 * f)).cdf(np.array([14.95, 15.05]))
        np.testing.assert_allclose(found[150], np.diff(steps)[0], rtol=1e-9, atol=1e-15)


def test_a_bounded_mean_is_that_of_its_distribution():
    for f in (0.0, 3.0, 40.0, 75.0):
        # E y = the integral of P(y > s) over the scale
        wanted = quad(norm(f, np.hypot(1.5, 0.2 * f)).sf, 0, 72, epsrel=1e-10, limit=200)[0]
        found = outcome.mean(EASI, jnp.asarray(f), ERROR)
        np.testing.assert_allclose(found, wanted, rtol=1e-8)


def test_bounded_draws_keep_to_the_scale_its_steps_and_its_distribution():
    y = drawn(IN_STEPS, 2.0, ERROR)
    np.testing.assert_allclose(y * 10, np.round(y * 10), atol=1e-9)
    assert y.min() == 0
    edges = np.array([0.05, 1.05, 2.05, 3.05, 4.05])
    found = np.bincount(np.searchsorted(edges, y), minlength=6)
    below = norm(2.0, np.hypot(1.5, 0.4)).cdf(np.concatenate([[-np.inf], edges, [np.inf]]))
    assert as_predicted(found, np.diff(below))
    assert drawn(EASI, 71.0, ERROR).max() == 72


def test_a_scale_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="no log-normal error"):
        Bounded(RESIDUALS["lognormal"], 0, 72)
    with pytest.raises(ValueError, match="no score lies on 3 to 3"):
        Bounded(RESIDUALS["additive"], 3, 3)


# categories


def test_ordinal_probabilities_are_differences_of_logistic_ones():
    f = np.array([-3.0, 0.0, 2.0, 8.0])
    cuts = np.array([-2.0, -1.0, 0.5, 1.2])
    below = logistic.cdf(cuts - 0.8 * f[:, None])
    wanted = np.diff(np.concatenate([np.zeros((4, 1)), below, np.ones((4, 1))], axis=1), axis=1)
    found = outcome.probabilities(IGA, f, CUTS)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-12)
    seen = outcome.log_density(IGA, np.array([0, 2, 3, 4]), f, CUTS)
    np.testing.assert_allclose(np.exp(seen), wanted[np.arange(4), [0, 2, 3, 4]], rtol=1e-9)
    np.testing.assert_allclose(outcome.mean(IGA, f, CUTS), wanted @ np.arange(5), rtol=1e-9)


def test_ordinal_numbers_are_named_and_may_differ_by_row():
    assert IGA.parameters == tuple(CUTS)
    f, y = np.array([0.0, 2.0]), np.array([1, 3])
    by_row = {name: np.full(2, value) for name, value in CUTS.items()}
    np.testing.assert_allclose(
        outcome.log_density(IGA, y, f, by_row), outcome.log_density(IGA, y, f, CUTS), rtol=1e-14
    )


@pytest.mark.parametrize("y", [0, 1])
def test_binary_is_scipys_bernoulli_by_either_link(y):
    share = np.array([0.02, 0.5, 0.9])
    rows, wanted = np.full(3, y), bernoulli(share).logpmf(y)
    logits = np.log(share / (1 - share))
    np.testing.assert_allclose(outcome.log_density(Binary(), rows, share, {}), wanted, rtol=1e-10)
    found = outcome.log_density(Binary("logit"), rows, logits, {})
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    np.testing.assert_allclose(outcome.mean(Binary("logit"), logits, {}), share, rtol=1e-12)


@pytest.mark.parametrize(
    ("spec", "f", "q"),
    [
        (IGA, 1.0, CUTS),
        (Binary(), 0.3, {}),
        (Binary("logit"), -0.4, {}),
        (Markov(), np.array([0.2, 0.5, 0.3]), {}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_categories_drawn_agree_with_their_probabilities(spec, f, q):
    wanted = np.asarray(outcome.probabilities(spec, jnp.asarray(f), q))
    assert as_predicted(np.bincount(drawn(spec, f, q), minlength=wanted.size), wanted)
    np.testing.assert_allclose(wanted.sum(), 1, rtol=1e-12)


# chains


def test_transition_matrices_are_scipys():
    dt = np.array([[0.0, 0.1], [3.0, 1e4]])
    found = transition_matrix(CHAIN, dt)
    assert found.shape == (2, 2, 3, 3)
    for place in np.ndindex(2, 2):
        np.testing.assert_allclose(found[place], expm(np.asarray(CHAIN) * dt[place]), atol=1e-10)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-9)


def test_two_states_cross_over_as_their_closed_form_says():
    a, b, t = 0.7, 0.2, 1.3
    pair = generator(np.array([[0, a, 0], [b, 0, 0], [0, 0, 0]]))
    found = transition_matrix(pair, np.full((2, 2), t))[0, 0]
    np.testing.assert_allclose(found[2], [0, 0, 1])
    np.testing.assert_allclose(found[0, 1], a / (a + b) * (1 - np.exp(-(a + b) * t)), rtol=1e-12)


def test_a_chain_has_the_probability_of_its_steps():
    seen = np.array([0, 1, 1, 2, 0])
    matrix = np.asarray(transition_matrix(CHAIN, np.ones((2, 2)))).reshape(4, 3, 3)
    found = outcome.log_density(Markov(), seen[1:], row(matrix, seen[:-1]), {})
    wanted = [matrix[0][k, j] for k, j in zip(seen[:-1], seen[1:], strict=True)]
    np.testing.assert_allclose(np.exp(found), wanted, rtol=1e-12)


def test_slopes_of_a_chain_in_its_rates_are_those_of_finite_differences():
    shape, dt = np.array([[0, 0.3, 0.0], [0.1, 0, 0.2], [0.0, 0.4, 0]]), np.array([0.5, 4.0])

    @jax.jit
    @jax.value_and_grad
    def both(rate):
        matrix = transition_matrix(generator(rate * shape), dt)
        return outcome.log_density(
            Markov(), np.array([1, 2]), row(matrix, np.array([0, 0])), {}
        ).sum()

    wanted = slope(lambda x: both(x)[0], 1.3)
    np.testing.assert_allclose(both(1.3)[1], wanted, rtol=1e-6)


# counts


@pytest.mark.parametrize("dispersion", [1e-5, 0.005, 0.02, 0.4, 3.0])
def test_dispersed_counts_are_scipys_negative_binomial(dispersion):
    y, f = np.array([0, 1, 3, 12, 150]), np.array([0.5, 2.0, 2.0, 9.0, 90.0])
    found = outcome.log_density(Count(dispersed=True), y, f, {"dispersion": dispersion})
    # by its definition, (1) (1 + a) .. (1 + a (y - 1)) f^y / y! (1 + a f)^-(y + 1 / a)
    rising = [np.log1p(dispersion * np.arange(each)).sum() for each in y]
    factorial = [np.log(np.arange(1, each + 1)).sum() for each in y]
    power = -(y + 1 / dispersion) * np.log1p(dispersion * f)
    np.testing.assert_allclose(
        found, rising - np.array(factorial) + y * np.log(f) + power, rtol=1e-9
    )
    theirs = nbinom(1 / dispersion, 1 / (1 + dispersion * f)).logpmf(y)
    np.testing.assert_allclose(found, theirs, rtol=1e-7)


def test_plain_counts_are_scipys_poisson_and_the_end_of_dispersed_ones():
    y, f = np.array([0, 1, 3, 12, 150]), np.array([0.5, 2.0, 2.0, 9.0, 90.0])
    wanted = poisson(f).logpmf(y)
    np.testing.assert_allclose(outcome.log_density(Count(), y, f, {}), wanted, rtol=1e-10)
    nearly = outcome.log_density(Count(dispersed=True), y, f, {"dispersion": 1e-10})
    np.testing.assert_allclose(nearly, wanted, rtol=1e-6)
    none = outcome.log_density(Count(), np.zeros(1), np.zeros(1), {})
    np.testing.assert_allclose(none, 0, atol=1e-11)


@pytest.mark.parametrize(("spec", "q"), [(Count(), {}), (Count(True), {"dispersion": 0.6})])
def test_counts_drawn_agree_with_their_probabilities(spec, q):
    share = np.asarray(count_probabilities(spec, jnp.asarray(2.0), q, most=9))
    share = np.append(share, 1 - share.sum())
    found = np.bincount(np.minimum(drawn(spec, 2.0, q), 10), minlength=11)
    assert as_predicted(found, share)
    assert outcome.mean(spec, 2.0, q) == 2.0


# events


def test_an_event_adds_hazard_survival_or_what_came_between_visits():
    f = Hazards(np.array([0.1, 0.2, 0.3]), np.array([0.5, 1.0, 2.0]), np.array([0.0, 0.0, 1.5]))
    found = outcome.log_density(Event(), np.array([0, 1, 2]), f, {})
    wanted = [-0.5, np.log(0.2) - 1.0, np.log(np.exp(-1.5) - np.exp(-2.0))]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    plain = outcome.log_density(Event(), np.array([0, 1]), (f.hazard[:2], f.cumulative[:2]), {})
    np.testing.assert_array_equal(plain, found[:2])
    with pytest.raises(ValueError, match="not 3"):
        outcome.log_density(Event(), np.array([3, 0, 0]), f, {})


def test_a_long_event_in_a_short_interval_is_hazard_times_its_length():
    f = Hazards(np.ones(1), np.array([700.0 + 1e-9]), np.array([700.0]))
    found = outcome.log_density(Event(), np.array([2]), f, {})
    np.testing.assert_allclose(found, -700 + np.log(f.cumulative[0] - 700.0), rtol=1e-12)


def test_times_of_events_have_the_survival_of_their_hazard():
    times = np.linspace(0, 10, 400)
    weibull = (times / 4) ** 1.5
    found = event_times(KEY, times, jnp.broadcast_to(weibull[:, None], (400, MANY)))
    late = np.isinf(found)
    wanted = np.exp(-weibull[-1])
    assert abs(late.mean() - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / MANY)
    conditional = -np.expm1(-((found[~late] / 4) ** 1.5)) / (1 - wanted)
    assert kstest(conditional, "uniform").pvalue > 0.001


def test_events_drawn_come_as_often_as_expected():
    f = (0.2, 0.9)
    share = float(outcome.mean(Event(), f, {}))
    assert share == pytest.approx(1 - np.exp(-0.9))
    assert as_predicted(np.bincount(drawn(Event(), f, {})), np.array([1 - share, share]))


# all of them


SLOPES = {
    "bounded": (EASI, np.array([0.0, 5.0, 72.0]), np.array([1.0, 6.0, 71.0]), ERROR),
    "in steps": (IN_STEPS, np.array([0.0, 5.0, 72.0]), np.array([1.0, 6.0, 71.0]), ERROR),
    "ordinal": (IGA, np.array([0, 2, 4]), np.array([-1.0, 0.5, 2.0]), CUTS),
    "binary": (Binary(), np.array([0, 1]), np.array([0.2, 0.7]), {}),
    "logit": (Binary("logit"), np.array([0, 1]), np.array([-2.0, 0.7]), {}),
    "poisson": (Count(), np.array([0, 4]), np.array([0.5, 3.0]), {}),
    "dispersed": (Count(True), np.array([0, 4]), np.array([0.5, 3.0]), {"dispersion": 0.4}),
    "nearly poisson": (Count(True), np.array([0, 4]), np.array([0.5, 3.0]), {"dispersion": 2e-3}),
    "markov": (Markov(), np.array([0, 1]), np.array([[0.2, 0.8], [0.5, 0.5]]), {}),
}


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_are_those_of_finite_differences(name):
    spec, y, f, q = SLOPES[name]

    @jax.jit
    @partial(jax.value_and_grad, argnums=(0, 1))
    def both(share, q):
        return outcome.log_density(spec, y, share * f, q).sum()

    def total(share, q):
        return both(share, q)[0]

    in_f, in_q = both(1.0, q)[1]
    np.testing.assert_allclose(in_f, slope(lambda x: total(x, q), 1.0), rtol=1e-6, atol=1e-9)
    for number, value in q.items():
        wanted = slope(lambda x, number=number: total(1.0, {**q, number: x}), value, 1e-3 * value)
        np.testing.assert_allclose(in_q[number], wanted, rtol=1e-6, atol=1e-8)


def test_slopes_of_events_are_those_of_finite_differences():
    y = np.array([0, 1, 2])

    def total(x):
        f = Hazards(x * np.array([0.1, 0.2, 0.3]), x * np.array([0.5, 1.0, 2.0]), x * 0.4)
        return outcome.log_density(Event(), y, f, {}).sum()

    np.testing.assert_allclose(jax.grad(total)(1.0), slope(total, 1.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("spec", "y", "f", "q"),
    [
        (IN_STEPS, [0, 0, 5, 5, 72, 72], [0, 1e6, 0, 1e6, 0, 1e6], ERROR),
        (EASI, [0, 0, 5, 5, 72, 72], [0, 1e6, 0, 1e6, 0, 1e6], ERROR),
        (IGA, [0, 0, 2, 2, 4, 4], [-1e6, 1e6, -1e6, 1e6, -1e6, 1e6], CUTS),
        (Binary(), [0, 0, 1, 1], [0, 1, 0, 1], {}),
        (Binary("logit"), [0, 0, 1, 1], [-1e6, 1e6, -1e6, 1e6], {}),
        (Count(), [0, 0, 7, 7], [0, 1e6, 0, 1e6], {}),
        (Count(True), [0, 0, 7, 7], [0, 1e6, 0, 1e6], {"dispersion": 1e-15}),
        (Count(True), [0, 0, 7, 7], [0, 1e6, 0, 1e6], {"dispersion": 1e3}),
        (Event(), [0, 1, 2, 2], (np.zeros(4), np.array([0.0, 1e6, 0.0, 1e6])), {}),
    ],
    ids=lambda value: str(value)[:12],
)
def test_values_and_slopes_are_finite_at_extremes(spec, y, f, q):
    total = partial(lambda f, q: outcome.log_density(spec, np.array(y), f, q).sum())
    f = jax.tree.map(np.asarray, f, is_leaf=lambda x: isinstance(x, list))
    f = jax.tree.map(lambda x: x.astype(float), f)
    for leaf in jax.tree.leaves(jax.jit(jax.value_and_grad(total, argnums=(0, 1)))(f, q)):
        assert np.isfinite(leaf).all()


def test_a_continuous_outcome_is_residual_error_with_its_censoring():
    y, f = np.array([1.0, 0.5]), np.array([1.5, 1.5])
    spec = Continuous(RESIDUALS["additive"])
    found = outcome.log_density(spec, y, f, ERROR, Censoring(np.array([0, 1]), np.zeros(2)))
    theirs = norm(1.5, 1.5)
    np.testing.assert_allclose(found, [theirs.logpdf(1.0), theirs.logcdf(0.5)], rtol=1e-10)
    student = Continuous(RESIDUALS["combined"], tails="student")
    assert student.parameters == ("additive", "proportional", "nu")
    np.testing.assert_array_equal(outcome.mean(spec, f, ERROR), f)
    with pytest.raises(ValueError, match="Binary rows know no censoring"):
        outcome.log_density(Binary(), y, f, {}, Censoring(np.ones(2, int), y))
