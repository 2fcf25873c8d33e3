"""Subjects whose level drifts by the cube of a number that all share: its marginal is known.

y_ij = mu_i + b^3 t_j + e_ij, mu_i normal, so y_i is normal with a mean that bends in b. The times
are short, so b is weakly known, and lies on a ridge with the subjects' mean.
"""

import numpy as np
from oral_trial import settings_of, table
from scipy.stats import multivariate_normal

from pkpd.individual.build import individual_likelihood
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Choice, IndividualSampler, Observation

MU, MU_SD, B, B_SD, TAU, SIGMA = 8.0, 4.0, 1.0, 0.5, 2.0, 1.0
SUBJECTS, TIMES = 40, np.array([0.0, 0.2, 0.4, 0.6])

MODEL = Model(
    name="drifting",
    title="A level that drifts",
    summary="For tests",
    parameters=(
        Parameter("mu", MU, "1", "mu", scale="identity", reason="for tests"),
        Parameter("b", B, "1", "b", scale="identity", reason="for tests"),
    ),
    states=("drift",),
    rates=lambda t, x, p, u: {"drift": p["b"] ** 3 + 0.0 * x["drift"]},
    outputs=lambda x, p: {"level": x["drift"] + p["mu"]},
    units={"time": "d", "level": "1"},
    initial=lambda p: {"drift": 0.0 * p["mu"]},
    kind="pk",
    doses_into=("drift",),
)


def data():
    """The observations, shape (subjects, times)."""
    chance = np.random.default_rng(11)
    level = 10 + TAU * chance.normal(size=(SUBJECTS, 1))
    return level + 1.1**3 * TIMES + SIGMA * chance.normal(size=(SUBJECTS, TIMES.size))


def likelihood():
    """The package's likelihood; mu and b are free, SDs as the data were drawn."""
    rows = [
        {"ID": i + 1, "TIME": time, "AMT": 0.0, "EVID": 0, "DV": value}
        for i, own in enumerate(data())
        for time, value in zip(TIMES, own, strict=True)
    ]
    settings = settings_of(
        "drifting",
        {
            "mu": Choice(median=MU, sd=MU_SD, between_fixed=TAU),
            "b": Choice(median=B, sd=B_SD, between=0.0),
        },
        (Observation(output="level", error="additive", fixed={"additive": SIGMA}),),
        sampler=IndividualSampler(effects="integrated", points=512, tune=200, draws=1500, seed=3),
    )
    return individual_likelihood(settings, MODEL, table(rows))


def log_density(z):
    """The log marginal posterior of z = (mu, b), standardised, but for a constant."""
    mean = MU + MU_SD * z[0] + (B + B_SD * z[1]) ** 3 * TIMES
    covariance = TAU**2 + SIGMA**2 * np.eye(TIMES.size)
    return multivariate_normal(mean, covariance).logpdf(data()).sum() - (z**2).sum() / 2
