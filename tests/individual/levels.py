"""Subjects that each stay at a level of their own: a model whose marginal posterior is known.

y_ij = mu + eta_i + e_ij, normal throughout: y_i is normal with covariance tau^2 + sigma^2 I, so the
likelihood with the effects integrated is closed, and with tau and sigma given so is the posterior.
"""

import numpy as np
from oral_trial import settings_of, table
from scipy.stats import halfnorm, norm

from pkpd.individual.build import individual_likelihood
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Choice, IndividualSampler, Observation

MEAN, SD, TAU, SIGMA = 8.0, 4.0, 2.0, 1.0
"""Prior of mu; the SDs that the data are drawn with."""

TAU_SD, SIGMA_SD = 3.0, 2.0
"""Half-normal priors of the SDs, where these are free."""

SUBJECTS, ROWS = 9, 4

MODEL = Model(
    name="levels",
    title="A level",
    summary="For tests",
    parameters=(Parameter("mu", MEAN, "1", "mu", scale="identity", reason="for tests"),),
    states=("held",),
    rates=lambda t, x, p, u: {"held": 0.0 * x["held"]},
    outputs=lambda x, p: {"level": x["held"] + p["mu"]},
    units={"time": "d", "level": "1"},
    initial=lambda p: {"held": 0.0 * p["mu"]},
    kind="pk",
    doses_into=("held",),
)


def data():
    """The observations, shape (subjects, rows)."""
    chance = np.random.default_rng(7)
    return 10 + TAU * chance.normal(size=(SUBJECTS, 1)) + SIGMA * chance.normal(
        size=(SUBJECTS, ROWS)
    )  # fmt: skip


def likelihood(*, free):
    """The package's likelihood, with the SDs `free` or as the data were drawn."""
    rows = [
        {"ID": i + 1, "TIME": float(j), "AMT": 0.0, "EVID": 0, "DV": value}
        for i, own in enumerate(data())
        for j, value in enumerate(own)
    ]
    between = {"between": TAU_SD} if free else {"between_fixed": TAU}
    sigma = {"priors": {"additive": SIGMA_SD}} if free else {"fixed": {"additive": SIGMA}}
    settings = settings_of(
        "levels",
        {"mu": Choice(median=MEAN, sd=SD, **between)},
        (Observation(output="level", error="additive", **sigma),),
        sampler=IndividualSampler(chains=2, tune=300, draws=1500, seed=2),
    )
    return individual_likelihood(settings, MODEL, table(rows))


def posterior():
    """Mean and SD of mu where the SDs are known."""
    own = data()
    precision = 1 / SD**2 + SUBJECTS / (TAU**2 + SIGMA**2 / ROWS)
    total = MEAN / SD**2 + own.mean(axis=1).sum() / (TAU**2 + SIGMA**2 / ROWS)
    return total / precision, precision**-0.5


def negative(z):
    """Minus the log marginal posterior of z = (mu, tau, sigma), last axis, standardised.

    mu = 8 + 4 z_0; an SD with a half-normal(s) prior is s exp(z - 1/2), whose Jacobian is itself.
    """
    z = np.asarray(z)
    mu = MEAN + SD * z[..., 0]
    tau, sigma = TAU_SD * np.exp(z[..., 1] - 0.5), SIGMA_SD * np.exp(z[..., 2] - 0.5)
    own = data()
    within = ((own - own.mean(axis=1, keepdims=True)) ** 2).sum()
    means = own.mean(axis=1)
    found = sum(norm.logpdf(mean, mu, np.sqrt(tau**2 + sigma**2 / ROWS)) for mean in means)
    found = found - within / (2 * sigma**2) - SUBJECTS * (ROWS - 1) * np.log(sigma)
    found = found + norm.logpdf(mu, MEAN, SD) + np.log(tau) + np.log(sigma)
    return -(found + halfnorm.logpdf(tau, scale=TAU_SD) + halfnorm.logpdf(sigma, scale=SIGMA_SD))
