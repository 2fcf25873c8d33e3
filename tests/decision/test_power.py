"""Assurance and size: enumeration, simulation, and the textbook's sample size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom, norm

from pkpd.decision.power import ALL, ANY, Design, in_the_limit, success
from pkpd.decision.score_test import statistic
from pkpd.decision.sizing import Planned, assurance, estimate, size_for

ARMS = ("Q4W", "Q8W", "Q12W")
DESIGN = Design(margin=0.2, level=0.05)


def test_success_is_the_sum_over_all_tables():
    size, share = 9, np.array([[0.7, 0.65, 0.5], [0.5, 0.6, 0.55]])
    found = success(share, ARMS, size, DESIGN)
    for draw, (reference, new, _) in enumerate(share):
        total = sum(
            binom.pmf(x1, size, new) * binom.pmf(x2, size, reference)
            for x1 in range(size + 1)
            for x2 in range(size + 1)
            if statistic((np.array(x1), np.array(x2)), (size, size), 0.2) >= ndtri(0.95)
        )
        assert found["Q8W"][draw] == pytest.approx(total, abs=1e-12)


def test_simulated_trials_succeed_as_often():
    random, size, trials = np.random.default_rng(1), 60, 20_000
    truth = np.array([0.7, 0.66, 0.6])
    counts = random.binomial(size, truth, (trials, 3))
    z = statistic((counts[:, 1:], counts[:, :1]), (size, size), 0.2)
    won = z >= ndtri(0.95)
    found = success(truth[None], ARMS, size, DESIGN)
    for label, seen in (
        ("Q8W", won[:, 0]),
        ("Q12W", won[:, 1]),
        (ALL, won.all(1)),
        (ANY, won.any(1)),
    ):
        error = np.sqrt(seen.mean() * (1 - seen.mean()) / trials)
        assert found[label].item() == pytest.approx(seen.mean(), abs=4 * error)


def test_at_the_margin_the_test_keeps_its_level():
    share = np.array([[0.8, 0.6], [0.5, 0.3], [0.95, 0.75]])
    found = success(share, ARMS[:2], 200, DESIGN)["Q8W"]
    assert found == pytest.approx(0.05, abs=0.01)


def test_large_arms_tend_to_the_limit():
    share = np.array([[0.7, 0.6, 0.45], [0.7, 0.45, 0.65]])
    limit = in_the_limit(share, ARMS, DESIGN)
    assert limit["Q8W"].tolist() == [1, 0] and limit["Q12W"].tolist() == [0, 1]
    assert limit[ALL].tolist() == [0, 0] and limit[ANY].tolist() == [1, 1]
    found = success(share, ARMS, 4000, DESIGN)
    for label, values in limit.items():
        assert found[label] == pytest.approx(values, abs=1e-3)


def test_the_size_is_that_of_the_textbook():
    """n = (z_0.975 + z_0.9)^2 2 p (1 - p) / margin^2 an arm for equal shares (Blackwelder 1982)."""
    share = np.full((1, 4, 2), 0.6)
    found = size_for(0.9, (Planned(share),), ARMS[:2], "Q8W", Design(margin=0.1, level=0.025))
    textbook = (norm.ppf(0.975) + norm.ppf(0.9)) ** 2 * 2 * 0.6 * 0.4 / 0.1**2
    assert found.patients == pytest.approx(textbook, rel=0.02)
    assert found.least == found.greatest == found.patients  # draws all alike: no error


def test_no_size_reaches_more_than_the_limit():
    share = np.array([[0.7, 0.69], [0.7, 0.69], [0.7, 0.3], [0.7, 0.69]])[None]
    models = (Planned(share),)
    assert assurance(models, ARMS[:2], None, DESIGN)["Q8W"].value == 0.75
    assert size_for(0.8, models, ARMS[:2], "Q8W", DESIGN).patients is None
    assert size_for(0.7, models, ARMS[:2], "Q8W", DESIGN).patients is not None


def test_the_error_is_that_of_a_mean_of_draws():
    random = np.random.default_rng(2)
    means = [estimate(random.random((2, 400))) for _ in range(200)]
    realised = np.std([each.value for each in means])
    assert np.mean([each.error for each in means]) == pytest.approx(realised, rel=0.15)


def test_stacked_models_mix_their_assurances():
    sure, never = np.full((1, 4, 2), 0.6), np.tile([0.9, 0.1], (1, 4, 1))
    models = (Planned(sure, 0.75), Planned(never, 0.25))
    alone = assurance((Planned(sure),), ARMS[:2], 100, DESIGN)["Q8W"].value
    assert assurance(models, ARMS[:2], 100, DESIGN)["Q8W"].value == pytest.approx(0.75 * alone)
