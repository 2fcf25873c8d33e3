"""Explicit patients show what the formulas of the likelihood say."""

from __future__ import annotations

import numpy as np
import pytest

from pkpd.prediction.patients import luck, wandering
from pkpd.variation import fluctuation

WEEKS = np.array([1.0, 2.0, 8.0, 24.0, 52.0])
VALUES = {"visit_sd": 0.3, "visit_memory": 2.0, "flare_sd": 0.5, "flare_memory": 15.0}


@pytest.fixture(scope="module")
def drift():
    values = {name: np.asarray(value) for name, value in VALUES.items()}
    chance = luck(np.random.default_rng(1), len(WEEKS), (40_000,))
    return wandering(values, chance, WEEKS)


def test_paths_have_the_covariance_of_fluctuation(drift):
    expected = np.asarray(fluctuation.covariance(VALUES, WEEKS))
    assert np.cov(drift) == pytest.approx(expected, abs=0.012)


def test_visits_are_right_on_average(drift):
    assert np.exp(drift).mean(axis=1) == pytest.approx(np.ones(len(WEEKS)), abs=0.015)


def test_one_value_a_replicate_gives_what_each_value_gives_alone():
    chance = luck(np.random.default_rng(1), len(WEEKS), (2, 7))
    memory = np.array([1.0, 9.0])
    values = {name: np.full(2, value) for name, value in VALUES.items()} | {"visit_memory": memory}
    together = wandering(values, chance, WEEKS)
    for k in range(2):
        own = {name: value[k] for name, value in values.items()}
        alone = wandering(own, chance, WEEKS)[k]
        assert together[k] == pytest.approx(alone, abs=1e-12)
