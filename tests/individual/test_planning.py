"""Meshes planned against SciPy's tight solvers, and meshes that are too coarse found out."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_trial
from oral_trial import ADDITIVE, settings_of, table
from scipy.integrate import solve_ivp

from pkpd.diagnosis.individual import prove_mesh
from pkpd.errors import FitError
from pkpd.individual import planning
from pkpd.individual.build import individual_likelihood
from pkpd.mechanism.lanes import parts
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Choice, Engine
from pkpd.variation.standard import prior_draws

TIMES = (0.1, 1.0, 5.0, 20.0)
FAST = 500.0

# binding a thousand times as fast as elimination: explicit steps must be tiny, implicit need not
STIFF = Model(
    name="stiff",
    title="Fast binding, saturable elimination",
    summary="For tests",
    parameters=(Parameter("vmax", 2.0, "1", "vmax", reason="for tests"),),
    states=("central", "bound"),
    rates=lambda t, x, p, u: {
        "central": -FAST * x["central"] * (10 - x["bound"]) / 10 + FAST * x["bound"]
        - p["vmax"] * x["central"] / (5 + x["central"]),
        "bound": FAST * x["central"] * (10 - x["bound"]) / 10 - FAST * x["bound"],
    },
    outputs=lambda x, p: {"concentration": x["central"]},
    units={"time": "d", "concentration": "1"},
    doses_into=("central",),
)  # fmt: skip


def stiff(method, tolerance=1e-5):
    rows = [{"ID": 1, "TIME": 0.0, "AMT": 20.0, "EVID": 1}]
    rows += [{"ID": 1, "TIME": t, "AMT": 0.0, "EVID": 0, "DV": 1.0} for t in TIMES]
    settings = settings_of(
        "stiff", {"vmax": Choice(median=2.0, sd=0.3, between=0.3)}, (ADDITIVE,),
        engine=Engine(method=method, tolerance=tolerance),
    )  # fmt: skip
    return individual_likelihood(settings, STIFF, table(rows))


def test_a_stiff_model_gets_an_implicit_method_that_is_within_tolerance():
    made = stiff("auto")
    assert made.solver.method == "rosenbrock"
    own = {"vmax": np.full((1, 1), 2.0)}
    found = jax.jit(lambda: made.solver.outputs(own)["concentration"])()[1:5, 0]

    def rates(t, x):
        named = STIFF.rates(t, {"central": x[0], "bound": x[1]}, {"vmax": 2.0}, {})
        return [named["central"], named["bound"]]

    tight = solve_ivp(rates, (0, 20), [20.0, 0.0], "Radau", TIMES, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found, tight.y[0], rtol=1e-4)


def test_an_explicit_method_that_cannot_hold_a_stiff_model_is_refused():
    with pytest.raises(FitError, match="No mesh solves stiff to 1e-05"):
        stiff("rk4")


@pytest.fixture(scope="module")
def small():
    return small_trial.likelihood()


def test_a_planned_mesh_is_within_its_tolerance_of_scipy(small):
    assert small.solver.method == "rk4"
    draws = prior_draws(small.space, 1, seed=0)  # planned at medians with such effects
    medians = small.space.unpack(small.space.medians())
    values = {n: draws[n][0] if n.endswith("_eta") else v for n, v in medians.items()}
    found = [jax.jit(small.fitted)(values)[k][o]
             for k, o in enumerate(("concentration", "effect"))]  # fmt: skip
    expected = small_trial.predictions(values)
    for dvid, output in zip(("pk", "pd"), found, strict=True):
        np.testing.assert_allclose(output, expected[dvid], rtol=1e-4, atol=1e-4)


def test_a_mesh_that_is_too_coarse_is_told_by_its_proof(small):
    draws = prior_draws(small.space, 60, seed=1)
    spread = {name: np.asarray(small.space.unpack(small.space.medians())[name])
              * np.ones_like(value) for name, value in draws.items()}  # fmt: skip
    near = {n: spread[n] + 0.1 * (draws[n] - spread[n]) for n in draws}
    steps = int(small.solver.cut.step.max()) + 1
    coarse = replace(small, solver=replace(
        small.solver, cut=parts(np.full(steps, 2), np.zeros(steps, bool))))  # fmt: skip
    good = prove_mesh(small, small.tightened(), near, lambda share: None)
    bad = prove_mesh(coarse, small, near, lambda share: None)
    assert good.shift < 0.05 and good.pareto_k < 0.7
    assert bad.shift > 100 * good.shift
    assert bad.shift > 1.0 or bad.pareto_k > 0.7


def test_one_number_lost_among_many_is_an_infinite_error():
    """XLA's maximum over so many passes over what is not a number (seen on CPU, JAX 0.11)."""
    after = np.ones((60, 9, 270))
    trial = planning.Trial(np.zeros((60, 4)), after, np.ones((9, 270)), None, None, {})
    lost = after.copy()
    lost[7, 3, 150] = np.nan
    assert planning._missed(lambda *_: jnp.asarray(lost), trial) == np.inf
    assert planning._missed(lambda *_: jnp.asarray(after + 1e-3), trial) == pytest.approx(
        1e-3 / (1 + planning.FLOOR)
    )
