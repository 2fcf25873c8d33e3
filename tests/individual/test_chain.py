"""Categories seen at visits: each transition against Kolmogorov's equations solved apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oral_trial import settings_of, table
from scipy.integrate import solve_ivp

from pkpd.compose import compose
from pkpd.errors import DataError
from pkpd.individual.build import individual_likelihood
from pkpd.library import load
from pkpd.settings_individual import Choice, Engine, Observation

MODEL = "pk_1cmt_iv+pd_markov_4"
CHAIN = Observation(output="p4", name="grade", outcome="markov", chain=("p1", "p2", "p3", "p4"))
SEEN = {1: [(0, 1), (14, 1), (28, 2), (56, 3), (84, 3)], 2: [(0, 0), (28, 0), (28.5, 1), (70, 0)]}
RATES = {"k12": 0.05, "k23": 0.04, "k34": 0.03, "k21": 0.02, "k32": 0.03, "k43": 0.04}
FIXED = {**RATES, "emax": 3.0, "ec50": 2.0, "v": 3.0}
CL = 0.2


def rows(seen):
    """Two doses, at days 0 and 28, and a category at each visit; a dose stands before its visit."""
    found = []
    for who, visits in seen.items():
        doses = [{"ID": who, "TIME": t, "AMT": 30.0, "EVID": 1} for t in (0, 28)]
        sights = [{"ID": who, "TIME": t, "AMT": 0.0, "EVID": 0, "DV": y} for t, y in visits]
        found += sorted((*doses, *sights), key=lambda row: (row["TIME"], row["EVID"] == 0))
    return found


def likelihood(seen=SEEN, observation=CHAIN):
    first, second = MODEL.split("+")
    model = compose(load(first), load(second))
    chosen = {name: Choice(fixed=value, between=0.0) for name, value in FIXED.items()}
    chosen["cl"] = Choice(median=CL, sd=0.3, between=0.3)
    settings = settings_of(
        MODEL, chosen, (observation,), engine=Engine(tolerance=1e-7)
    )  # the mesh must not be what is tested
    return individual_likelihood(settings, model, table(rows(seen)))


def transition(cl, start, end, last):
    """P(category at `end`), from `last` at `start`, by SciPy, the concentration in closed form."""

    def slope(t, p):
        level = sum(10.0 * np.exp(-cl / FIXED["v"] * (t - d)) for d in (0, 28) if t >= d)
        up = 1 + FIXED["emax"] * level / (FIXED["ec50"] + level)
        flow = [
            RATES[f"k{k}{k + 1}"] * up * p[k - 1] - RATES[f"k{k + 1}{k}"] * p[k] for k in (1, 2, 3)
        ]
        return [-flow[0], flow[0] - flow[1], flow[1] - flow[2], flow[2]]

    p = np.eye(4)[last]
    cuts = sorted({start, end, *(d for d in (0, 28) if start < d < end)})
    for a, b in zip(cuts[:-1], cuts[1:], strict=True):
        nudged = (a + 1e-12, b - 1e-12)  # a dose belongs to the interval after it
        p = solve_ivp(slope, nudged, p, rtol=1e-11, atol=1e-13, method="DOP853").y[:, -1]
    return p


def values(found, eta):
    given = {"cl": CL, "cl_between": 0.3, "cl_eta": jnp.asarray(eta)}
    return {name: jnp.asarray(given[name], float) for name in found.space.names}


def test_each_row_is_a_transition_from_the_category_seen_before():
    eta, found = [0.7, -0.4], likelihood()
    by_row = np.asarray(found.by_row(values(found, eta))[0])
    wanted = []
    for own, visits in zip(eta, SEEN.values(), strict=True):
        cl = CL * np.exp(0.3 * own)
        wanted.append(0.0)  # where a chain begins its category is given
        for (t0, last), (t1, now) in zip(visits[:-1], visits[1:], strict=True):
            wanted.append(np.log(transition(cl, t0, t1, last)[now]))
    np.testing.assert_allclose(by_row, wanted, rtol=0, atol=2e-6)


def test_the_mesh_of_the_sampler_gives_the_slope_that_differences_give():
    found = likelihood()
    own = values(found, [0.7, -0.4])

    def total(cl):
        return found.by_subject({**own, "cl": cl}).sum()

    slope, step = jax.grad(total)(jnp.asarray(CL)), 1e-5
    apart = (total(jnp.asarray(CL + step)) - total(jnp.asarray(CL - step))) / (2 * step)
    assert slope == pytest.approx(float(apart), rel=1e-5)


def test_what_is_seen_moves_the_chain_and_nothing_else():
    one = likelihood()
    other = likelihood({**SEEN, 1: [(0, 1), (14, 3), (28, 2), (56, 3), (84, 3)]})
    first, second = (each.fitted(values(each, [0.0, 0.0]))[0] for each in (one, other))
    np.testing.assert_allclose(first["concentration"], second["concentration"], rtol=1e-6)
    assert not np.isclose(first["p3"][2], second["p3"][2])  # from another category at day 14
    np.testing.assert_allclose(first["p3"][3:5], second["p3"][3:5], rtol=1e-6)  # seen at day 28


@pytest.mark.parametrize(
    ("seen", "observation", "told"),
    [
        ({1: [(0, 0), (7, 4), (9, 0.5)]}, CHAIN, ["DV is 4", "DV is 0.5"]),
        (SEEN, CHAIN.model_copy(update={"chain": ()}), ["needs a chain"]),
        (SEEN, CHAIN.model_copy(update={"chain": ("p1", "bad")}), ["no state and output 'bad'"]),
    ],
)
def test_what_no_chain_can_be_is_told(seen, observation, told):
    with pytest.raises(DataError) as caught:
        likelihood(seen, observation)
    said = [fault.found for fault in caught.value.faults]
    assert all(any(part in each for each in said) for part in told), said
