"""A small trial after oral doses, like theophylline: simulated here, fitted by the package."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from pkpd.data.events import read_events
from pkpd.individual.build import individual_likelihood
from pkpd.library import load
from pkpd.settings_individual import (
    Block,
    Choice,
    IndividualSampler,
    IndividualSettings,
    Observation,
)

TRUTH = {"ka": 1.5, "cl": 3.0, "v": 30.0}
TIMES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0)
SPREAD, NOISE, DOSE = 0.3, 0.4, 320.0


def records(subjects=6, seed=1):
    """One oral dose each and eight samples, with additive errors; no two subjects alike."""
    chance, rows = np.random.default_rng(seed), []
    for who in range(1, subjects + 1):
        ka, cl, v = (value * np.exp(SPREAD * chance.normal()) for value in TRUTH.values())
        rows.append({"ID": who, "TIME": 0.0, "AMT": DOSE, "EVID": 1, "DV": 0.0, "OCC": 1})
        for time in TIMES:
            level = DOSE * ka / (v * ka - cl) * (np.exp(-cl / v * time) - np.exp(-ka * time))
            seen = {"DV": level + NOISE * chance.normal(), "OCC": 1 + (time > 3)}
            rows.append({"ID": who, "TIME": time, "AMT": 0.0, "EVID": 0, **seen})
    return rows


def table(rows, numbers=()):
    """The checked table of rows given as mappings; `numbers` are further columns of numbers."""
    names = dict.fromkeys(name for row in rows for name in row)
    found = read_events({n: [row.get(n, ".") for row in rows] for n in names}).table
    return found.assign(**{name: pd.to_numeric(found[name]).to_numpy(float) for name in numbers})


def settings_of(model, parameters, observations, **more):
    """Settings of a fit that stands in no folder."""
    return IndividualSettings(
        name="test", title="test", model=model, data="test",
        parameters=parameters, observations=observations, **more,
    )  # fmt: skip


ADDITIVE = Observation(output="concentration", error="additive", priors={"additive": 1.0})


def likelihood(*, model="pk_1cmt_oral", block=False, occasion=0.0, effects=tuple(TRUTH)):
    """The likelihood of the trial under a model whose parameters are among `TRUTH`."""
    names = [p.name for p in load(model).parameters]
    chosen = {
        name: Choice(median=TRUTH[name], sd=0.5, between=0.5 if name in effects else 0.0)
        for name in names
    }
    chosen["cl"] = chosen["cl"].model_copy(update={"occasion": occasion})
    settings = settings_of(
        model,
        chosen,
        (ADDITIVE,),
        blocks=(Block(parameters=tuple(names)),) if block else (),
        sampler=IndividualSampler(chains=2, tune=150, draws=150, seed=2),
    )
    return individual_likelihood(settings, load(model), table(records()))


def point(space, seed=0, size=0.5):
    """Flat standardised coordinates near the prior medians."""
    return jnp.asarray(size * np.random.default_rng(seed).normal(size=space.size))


def differences(function, at, step=1e-4):
    """The gradient by central differences of order four."""
    function = jax.jit(function)
    found = []
    for unit in np.eye(at.size):
        ends = [float(function(at + k * step * unit)) for k in (-2, -1, 1, 2)]
        found.append((ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step))
    return np.array(found)
