"""The independence chain: its law is the weights', its steps what they say."""

import numpy as np
import pytest

from pkpd.averaged.chain import tail_of, walked


def test_a_chain_stands_on_each_draw_as_often_as_it_weighs():
    """Of four values proposed alike the chain visits each by its weight."""
    rng, heights = np.random.default_rng(1), np.log([0.1, 0.2, 0.3, 0.4])
    drawn = rng.integers(0, 4, 200_000)
    on, _ = walked(heights[drawn], rng)
    share = np.bincount(drawn[on], minlength=4) / drawn.size
    assert share == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.01)


def test_a_noisy_weight_without_bias_leaves_the_law_as_it_is():
    """The noise of each estimate, log-normal of mean one, falls out (Andrieu and Roberts 2009)."""
    rng, heights = np.random.default_rng(2), np.log([0.1, 0.2, 0.3, 0.4])
    drawn, noise = rng.integers(0, 4, 400_000), rng.normal(size=400_000)
    on, _ = walked(heights[drawn] + noise - 0.5, rng)
    share = np.bincount(drawn[on], minlength=4) / drawn.size
    assert share == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.02)


def test_steps_stood_are_counted_from_the_cloud_taken():
    log_weights = np.array([0.0, 500.0, -500.0, -500.0, 600.0, -np.inf])
    on, stood = walked(log_weights, np.random.default_rng(3))
    assert on.tolist() == [0, 1, 1, 1, 4, 4]
    assert stood.tolist() == [0, 0, 1, 2, 0, 1]


def test_a_first_draw_without_weight_is_left_at_once():
    on, _ = walked(np.array([-np.inf, -np.inf, 1.0]), np.random.default_rng(4))
    assert on.tolist() == [0, 1, 2]


def test_heavy_weights_are_told_from_light_ones():
    rng = np.random.default_rng(5)
    light, heavy = rng.normal(size=4000) * 0.3, rng.exponential(size=4000)  # Pareto of k = 1
    assert tail_of(light) < 0.4
    assert tail_of(np.append(light, -np.inf)) == pytest.approx(tail_of(light))
    assert 0.7 < tail_of(heavy) < 1.3
