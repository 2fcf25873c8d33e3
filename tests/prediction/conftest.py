"""A small likelihood of the real data, and draws without a sampler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from pkpd import library
from pkpd.arm_level.problem import likelihood as build
from pkpd.data.arms import read_arms
from pkpd.settings import Predictions, Question, read_settings
from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal

ROOT = Path(__file__).parents[2]
QUESTION = Question(drug="rocatinlimab", induction="300 mg every 4 weeks", dose=300)


def prior_draws(space, count: int, seed: int, *, share: float = 1.0) -> dict[str, np.ndarray]:
    """Draws of the prior, its spread (not that of trial effects) shrunk to `share`."""
    random, draws = np.random.default_rng(seed), {}
    for variable in space.variables:
        shape = (count, variable.size) if variable.dim else (count,)
        z = random.standard_normal(shape)
        match variable.prior:
            case Normal(mean, sd):
                value = mean + sd * z * (1.0 if variable.name.endswith("_trial") else share)
            case LogNormal(median, sd):
                value = median * np.exp(share * sd * z)
            case LogitNormal(median, sd):
                value = expit(logit(median) + share * sd * z)
            case HalfNormal(sd):
                value = sd * np.abs(0.67 + share * (np.abs(z) - 0.67))
        draws[variable.name] = value
    return draws


@pytest.fixture(scope="session")
def likelihood():
    settings = read_settings(ROOT / "fits/ox40_extension/fit.toml")
    settings = settings.model_copy(
        update={
            "discrepancy": 0.0,  # what is simulated patient by patient meets the formulas
            "patients": settings.patients.model_copy(update={"count": 64}),
            "predictions": Predictions(
                questions=(QUESTION,), weeks=(24, 28, 36, 52, 104), intervals=(4, 12), patients=64
            ),
        }
    )
    pk = {drug: library.load(name) for drug, name in settings.drugs.items()}
    data = read_arms(ROOT / "fits/data/ox40_trials")
    return build(settings, data, library.load(settings.model), pk, 7.0)


@pytest.fixture(scope="session")
def question():
    return QUESTION


@pytest.fixture(scope="session")
def draws(likelihood):
    return prior_draws(likelihood.space, 6, 1, share=0.3)


@pytest.fixture(scope="session")
def asking():
    """Give back a function that changes the predictions asked for."""

    def ask(likelihood, **asked):
        predictions = likelihood.settings.predictions.model_copy(update=asked)
        settings = likelihood.settings.model_copy(update={"predictions": predictions})
        return replace(likelihood, settings=settings)

    return ask
