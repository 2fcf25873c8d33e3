"""How much of an observation an interval holds: right laws give the level, wrong ones do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pkpd.diagnosis.individual import covered

ROWS, DRAWS, LEVEL = 4000, 300, 0.9
LAWS = {
    "normal": (stats.norm(2.0, 1.0), stats.norm(2.0, 1.5)),
    "counts": (stats.poisson(1.3), stats.nbinom(1.3, 0.5)),
    "scores": (stats.binom(4, 0.2), stats.binom(4, 0.4)),
}


def seen(law, seed, *, floor=-np.inf):
    random = np.random.default_rng(seed)
    y = np.maximum(law.rvs(ROWS, random_state=random), floor)
    return y, np.maximum(law.rvs((DRAWS, ROWS), random_state=random), floor)


def share(y, simulated, below=None):
    kind = np.zeros(y.size, int) if below is None else below
    return covered(y, kind, simulated, LEVEL).mean()


@pytest.mark.parametrize("name", LAWS)
def test_a_right_law_holds_as_much_as_it_says_steps_or_not(name):
    """Binomial standard error over rows 0.005; the finite draws add 1 / DRAWS at most."""
    y, simulated = seen(LAWS[name][0], 1)
    assert share(y, simulated) == pytest.approx(LEVEL, abs=0.015)


def test_plain_intervals_of_a_right_law_with_steps_hold_more():
    y, simulated = seen(LAWS["scores"][0], 1)
    lower, upper = np.quantile(simulated, [0.05, 0.95], axis=0)
    assert ((lower <= y) & (y <= upper)).mean() > 0.96


@pytest.mark.parametrize("name", LAWS)
def test_a_wrong_law_does_not(name):
    right, wrong = LAWS[name]
    y, _ = seen(right, 2)
    _, simulated = seen(wrong, 3)
    assert abs(share(y, simulated) - LEVEL) > 0.03


def test_zeros_at_a_floor_count_by_their_share():
    y, simulated = seen(stats.norm(0.5, 1.0), 4, floor=0.0)
    assert share(y, simulated) == pytest.approx(LEVEL, abs=0.015)


@pytest.mark.parametrize("side", [1, -1])
def test_values_known_only_to_a_limit_count_by_what_lies_beyond_it(side):
    random, limit = np.random.default_rng(5), 0.8
    y, simulated = random.normal(size=ROWS), random.normal(size=(DRAWS, ROWS))
    beyond = y < limit if side == 1 else y > limit
    below = np.where(beyond, side, 0)
    assert share(np.where(beyond, limit, y), simulated, below) == pytest.approx(LEVEL, abs=0.015)


def test_written_out_for_one_score():
    """Below: 2 of 100, the same 10, within 0.05 and 0.95: (0.12 - 0.05) of 0.10."""
    simulated = np.array([0.0] * 2 + [1.0] * 10 + [2.0] * 88)[:, None]
    assert covered(np.array([1.0]), np.array([0]), simulated, LEVEL) == pytest.approx(0.7)
