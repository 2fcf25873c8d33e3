"""Gradients of the log-density against central differences: through everything a dose may have.

And steady states in fits: what they bring is the closed form.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oral_trial import ADDITIVE, differences, point, settings_of, table
from scipy.integrate import solve_ivp

from pkpd.errors import DataError, ModelError
from pkpd.individual.build import individual_likelihood
from pkpd.library import load
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Choice
from pkpd.variation import standard

KA, CL, V = (Choice(median=m, sd=0.3, between=0.3) for m in (1.5, 3.0, 30.0))
LAG = Choice(median=0.5, sd=0.2, between=0.2)
SHARE = Choice(median=0.7, sd=0.3, between=0.3)
ALONE = Choice(median=0.5, sd=0.2)  # free, and the same for all subjects
ORAL = {"ka": KA, "cl": CL, "v": V}
IV = {"cl": CL, "v": V}

SATURABLE = Model(
    name="saturable",
    title="Saturable elimination after absorption",
    summary="For tests",
    parameters=tuple(
        Parameter(n, v, "1", n, reason="for tests")
        for n, v in {"ka": 1.5, "vmax": 40.0, "km": 4.0, "v": 30.0}.items()
    ),
    states=("depot", "central"),
    rates=lambda t, x, p, u: {
        "depot": -p["ka"] * x["depot"],
        "central": p["ka"] * x["depot"]
        - p["vmax"] * x["central"] / (p["km"] * p["v"] + x["central"]),
    },
    outputs=lambda x, p: {"concentration": x["central"] / p["v"]},
    units={"time": "h", "concentration": "mg/L"},
    doses_into=("depot", "central"),
)
EATEN = {"ka": KA, "vmax": Choice(median=40.0, sd=0.2, between=0.2),
         "km": Choice(median=4.0, sd=0.2), "v": V}  # fmt: skip
DEPOT, CENTRAL = {"CMT": "depot"}, {"CMT": "central"}


def built(model, parameters, *given):
    """A subject for each of `given`: one dose record, and times of observations."""
    rows = []
    for who, (dose, times) in enumerate(given, 1):
        rows.append({"ID": who, "TIME": 0.0, "EVID": 1, "AMT": 100.0, **dose})
        for k, t in enumerate(times):
            seen = {"AMT": 0.0, "EVID": 0, "DV": 1.0 + 0.4 * np.cos(k + who), "CMT": "central"}
            rows.append({"ID": who, "TIME": t, **seen})
    settings = settings_of(model if isinstance(model, str) else model.name, parameters, (ADDITIVE,))
    model = load(model) if isinstance(model, str) else model
    return individual_likelihood(settings, model, table(rows))


# `lag_depot` and the shares differ between subjects, `lag_central` (about 0.5) does not
FREE = {
    "lag_depot": LAG, "f_depot": SHARE, "lag_central": ALONE,
    "f_central": Choice(median=0.8, sd=0.3),
    "dur_central": Choice(median=1.0, sd=0.2, between=0.2),
    "rate_central": Choice(median=80.0, sd=0.2, between=0.2),
}  # fmt: skip
ONCE = (
    (DEPOT, (0.3, 0.7, 2.0, 6.0)),
    (CENTRAL, (0.001, 0.501, 2.0)),  # just after the dose, and just after it arrives
    ({**CENTRAL, "RATE": -2}, (0.7, 1.45, 3.0)),  # its duration is a parameter
    ({**CENTRAL, "RATE": -1}, (0.7, 1.0, 2.5)),  # its rate is
    ({**CENTRAL, "RATE": 50.0}, (0.8, 1.5, 3.0)),
    ({**DEPOT, "ADDL": 3, "II": 6.0}, (3.0, 6.7, 19.0, 25.0)),
)
FOR_EVER = (
    ({**DEPOT, "SS": 1, "II": 12.0}, (0.3, 2.0, 11.0)),
    ({**CENTRAL, "SS": 1, "II": 6.0, "RATE": 10.0}, (0.3, 2.0, 9.0)),  # infusions overlap
)
CONSTANT = (({**CENTRAL, "SS": 1, "AMT": 0.0, "RATE": 10.0}, (0.3, 2.0)),)


def holds(made):
    """The gradient at a point, which must be its difference."""
    space = made.space

    def density(u):
        q = space.unpack(standard.to_natural(space, u))
        return made.log_prior(q) + made.by_subject(q).sum()

    at = point(space, size=0.2)
    found = np.asarray(jax.jit(jax.grad(density))(at))
    expected = differences(density, at)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    return found


def test_gradients_run_through_all_that_a_dose_may_have():
    made = built("pk_1cmt_oral", {**ORAL, **FREE}, *ONCE)
    found = holds(made)
    # far from what the prior alone would give: a lag or a rate that nothing saw moves nothing
    for name in FREE:
        assert abs(float(found[made.space.places[name]][0])) > 0.05, name


def test_gradients_run_through_steady_states():
    steady = {n: FREE[n] for n in ("lag_depot", "f_depot", "lag_central", "f_central")}
    holds(built("pk_1cmt_oral", {**ORAL, **steady}, *FOR_EVER, *CONSTANT))


@pytest.mark.slow
def test_gradients_run_through_doses_of_equations_without_closed_form():
    holds(built(SATURABLE, {**EATEN, **FREE}, ONCE[0], ONCE[2], ONCE[3]))


@pytest.mark.slow
def test_gradients_run_through_steady_states_of_equations_without_closed_form():
    steady = {n: FREE[n] for n in ("lag_depot", "f_depot", "lag_central", "f_central")}
    holds(built(SATURABLE, {**EATEN, **steady}, *FOR_EVER))


def test_a_lag_that_is_free_and_the_same_for_all_keeps_timelines_free():
    assert built("pk_1cmt_iv", {**IV, "lag_central": ALONE}, ONCE[1]).solver.line is None
    assert built("pk_1cmt_iv", IV, ONCE[1]).solver.line is not None


def typical(made):
    """Natural values at the prior medians, effects none."""
    space = made.space
    values = space.unpack(space.medians())
    return {n: 0.0 * v if n.endswith("_eta") else v for n, v in values.items()}


def levels(made):
    """Concentrations of the first subject at its records, the dose record first."""
    own = made.own(typical(made))
    found = jax.jit(lambda own: made.solver.outputs(own)["concentration"])(own)
    return np.asarray(found)[:, 0]


def test_a_steady_state_of_doses_at_once_is_the_geometric_sum():
    times, k = np.array([0.5, 3.0, 11.0]), 3.0 / 30.0
    made = built("pk_1cmt_iv", IV, ({**CENTRAL, "SS": 1, "II": 12.0}, times))
    expected = 100 / 30 * np.exp(-k * times) / (1 - np.exp(-12 * k))
    np.testing.assert_allclose(levels(made)[1:4], expected, rtol=1e-10)


def test_a_steady_state_with_a_lag_is_read_before_the_dose_arrives():
    times, k = np.array([0.2, 0.8, 11.0]), 3.0 / 30.0
    lagged = {**IV, "lag_central": Choice(fixed=0.5)}
    made = built("pk_1cmt_iv", lagged, ({**CENTRAL, "SS": 1, "II": 12.0}, times))
    since = (times - 0.5) % 12.0
    expected = 100 / 30 * np.exp(-k * since) / (1 - np.exp(-12 * k))
    np.testing.assert_allclose(levels(made)[1:4], expected, rtol=1e-10)


def test_a_steady_state_of_overlapping_infusions_is_the_sum_of_those_before():
    times, k, rate, every = np.array([0.5, 3.0, 5.5]), 3.0 / 30.0, 10.0, 6.0
    dose = {**CENTRAL, "SS": 1, "II": every, "RATE": rate}
    made = built("pk_1cmt_iv", {**IV, "lag_central": Choice(fixed=1.0)}, (dose, times))
    begins = 1.0 - every * np.arange(400)  # each lasts 10 h; the last of them begins after 1 h
    since = np.maximum(times[:, None] - begins, 0.0)
    over = np.maximum(since - 10.0, 0.0)
    expected = rate / (k * 30) * (np.exp(-k * over) - np.exp(-k * since)).sum(axis=1)
    np.testing.assert_allclose(levels(made)[1:4], expected, rtol=1e-10)


@pytest.mark.slow
def test_a_steady_state_without_closed_form_comes_round_again():
    made = built(SATURABLE, EATEN, ({**DEPOT, "SS": 1, "II": 12.0}, (2.0, 12.0)))
    found = jax.jit(lambda own: made.solver.states(own)[0])(made.own(typical(made)))

    def rates(t, x):
        return [-1.5 * x[0], 1.5 * x[0] - 40.0 * x[1] / (4.0 * 30.0 + x[1])]

    begin, end = np.asarray(found)[0, :, 0], np.asarray(found)[2, :, 0]
    np.testing.assert_allclose(end, begin, rtol=1e-5, atol=1e-5)
    after = begin + [100.0, 0.0]  # a record is read before the dose it orders
    tight = solve_ivp(rates, (0, 12), after, method="DOP853", rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(tight.y[:, -1], begin, rtol=1e-5, atol=1e-5)


def test_what_has_no_steady_state_is_refused_with_the_reason():
    dose = {**CENTRAL, "SS": 1, "II": 12.0}
    with pytest.raises(DataError, match="the lag is 13, not below II"):
        built("pk_1cmt_iv", {**IV, "lag_central": Choice(fixed=13.0)}, (dose, (1.0,)))
    with pytest.raises(ModelError, match="whose rate or duration is a parameter"):
        modelled = {**IV, "dur_central": ALONE}
        built("pk_1cmt_iv", modelled, ({**dose, "RATE": -2}, (1.0,)))
    with pytest.raises(ModelError, match="no steady state at the prior medians"):
        much = {**DEPOT, "SS": 1, "II": 2.0}
        built(SATURABLE, {**EATEN, "vmax": Choice(fixed=10.0)}, (much, (1.0,)))
    with pytest.raises(DataError, match="nothing gives its rate"):
        built("pk_1cmt_iv", IV, ({**CENTRAL, "RATE": -1}, (1.0,)))


def test_a_lag_drawn_above_the_interval_has_no_density():
    dose = {**CENTRAL, "SS": 1, "II": 12.0}
    made = built("pk_1cmt_iv", {**IV, "lag_central": ALONE}, (dose, (1.0,)))
    assert np.isfinite(made.log_density(typical(made)))
    assert np.isnan(made.log_density({**typical(made), "lag_central": jnp.asarray(12.5)}))
