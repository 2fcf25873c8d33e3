"""EM begins where Laplace's approximation does, without its third derivatives."""

from dataclasses import replace

import numpy as np
import oral_trial
import pytest

from pkpd.individual import em
from pkpd.individual.start import find_start
from pkpd.mechanism.lanes import parts


def silent(stage, share):
    pass


@pytest.fixture(scope="module")
def both():
    made = oral_trial.likelihood(effects=("cl", "v"))
    return em.find_start_em(made, silent), find_start(made, silent)


def test_em_ends_at_the_mode_of_the_marginal_posterior(both):
    by_em, by_laplace = both
    sd = np.sqrt(np.diag(by_laplace.covariance))
    away = (by_em.population - by_laplace.population) / sd
    assert np.abs(away).max() < 0.3  # of a posterior SD; from the prior medians it is
    assert np.abs(by_laplace.population / sd).max() > 1  # further
    assert by_em.marginal == pytest.approx(by_laplace.marginal, abs=0.1)
    np.testing.assert_allclose(by_em.effects, by_laplace.effects, atol=0.15)


def test_the_movement_of_modes_is_that_of_differences(both):
    by_em, by_laplace = both
    assert np.abs(by_laplace.drift).max() > 0.5
    np.testing.assert_allclose(by_em.drift, by_laplace.drift, atol=0.12)


def test_the_covariance_is_of_the_size_of_the_hessian_s(both):
    """Scores of six subjects tell it roughly."""
    ratio = np.diag(both[0].covariance) / np.diag(both[1].covariance)
    assert ((ratio > 1 / 30) & (ratio < 30)).all()


def test_em_serves_large_stepped_fits(monkeypatch):
    made = oral_trial.likelihood()
    asked = []
    monkeypatch.setattr(em, "find_start_em", lambda *_: asked.append("em"))
    monkeypatch.setattr(em, "find_start", lambda *_: asked.append("laplace"))
    em.begin(made, silent)
    stepped = replace(made, solver=replace(made.solver, cut=parts(np.ones(3, int), np.zeros(3))))
    em.begin(stepped, silent)
    monkeypatch.setattr(em, "MANY", 10)
    em.begin(stepped, silent)
    em.begin(made, silent)
    assert asked == ["laplace", "laplace", "em", "laplace"]
