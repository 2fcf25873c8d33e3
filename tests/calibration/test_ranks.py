"""Ranks and their uniformity, on a posterior known exactly: a normal mean under a normal prior."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from pkpd.diagnosis.calibration import (
    bands,
    calibration_table,
    ecdf,
    holm,
    inside,
    p_chi_square,
    p_uniform,
    ranks,
    thinned,
)

SIMS, MOST = 300, 99


def normal_ranks(width=1.0, shift=0.0, seed=1):
    """mu ~ N(0, 1), y ~ N(mu, 1): mu | y ~ N(y / 2, 1 / 2), drawn wider or shifted if asked."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=SIMS)
    y = truth + random.normal(size=SIMS)
    sd = np.sqrt(0.5)
    draws = y[:, None] / 2 + sd * (shift + width * random.normal(size=(SIMS, MOST)))
    return ranks(truth, draws)


def test_an_exact_posterior_has_uniform_ranks():
    p = [p_uniform(normal_ranks(seed=seed), MOST, seed=1) for seed in range(40)]
    assert min(p) > 0.001
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.15)
    assert inside(normal_ranks(), MOST, level=0.9) == pytest.approx(0.9, abs=0.06)


@pytest.mark.parametrize("wrong", [{"width": 0.7}, {"width": 1.5}, {"shift": 0.35}])
def test_a_posterior_too_narrow_too_wide_or_shifted_is_told(wrong):
    found = normal_ranks(**wrong)
    assert p_uniform(found, MOST, seed=1) < 0.005
    assert p_chi_square(found, MOST, bins=10) < 0.05


def test_the_bands_hold_uniform_ranks_as_often_as_they_say():
    """Fresh uniform ranks, not those that the bands were made of."""
    limits = bands(SIMS, MOST, level=0.95, seed=1)
    made = np.random.default_rng(2).integers(0, MOST + 1, (4000, SIMS))
    held = []
    for each in made:
        line = ecdf(each, MOST)
        held.append(((line >= limits.lower) & (line <= limits.upper)).all())
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_bands_of_one_threshold_are_binomial_limits():
    """With L = 1 there is one threshold, and the simultaneous band is the pointwise one."""
    limits = bands(100, 1, level=0.9, seed=1)
    assert limits.lower[0] * 100 == pytest.approx(binom.ppf(0.05, 100, 0.5), abs=1)
    assert limits.upper[0] * 100 == pytest.approx(binom.ppf(0.95, 100, 0.5), abs=1)


def test_ranks_count_draws_below_the_truth():
    found = ranks(np.array([0.5, 9.0, -1.0]), np.tile([0.0, 1.0, 2.0], (3, 1)))
    assert found.tolist() == [1, 3, 0]


def test_thinning_takes_both_ends_and_even_distances():
    assert thinned(np.arange(9), 5).tolist() == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="3 draws cannot be thinned to 5"):
        thinned(np.arange(3), 5)


def test_holm_multiplies_by_the_hypotheses_still_open():
    """Holm 1979, Scand J Stat 6:65-70: 0.01 x 3, then 0.02 x 2, then 0.5, in order."""
    assert holm(np.array([0.5, 0.01, 0.02])) == pytest.approx([0.5, 0.03, 0.04])
    assert holm(np.array([0.03, 0.02, 0.9])).tolist() == pytest.approx([0.06, 0.06, 0.9])


def test_the_table_names_the_narrow_one():
    both = pd.DataFrame({"right": normal_ranks(), "narrow": normal_ranks(width=0.6)})
    table = calibration_table(both, MOST, bins=10, level=0.9, seed=1).set_index("variable")
    assert table.loc["right", "p_holm"] > 0.05 > table.loc["narrow", "p_holm"]
    assert table.loc["narrow", "inside"] < 0.8 < table.loc["right", "inside"]
