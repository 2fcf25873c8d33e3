"""The gradient in pieces against JAX's of the whole, and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from small_fit import quick_compile

from pkpd.arm_level.gradient import value_and_gradient


@pytest.fixture(scope="module")
def pieces(held):
    with quick_compile():
        return value_and_gradient(held)


@pytest.mark.parametrize("point", ["medians", "random"])
def test_in_pieces_it_is_jaxs_gradient_of_the_whole(pieces, compiled, held, points, point):
    value, gradient = pieces(points[point])
    posted = tuple(s.observed for s in held.studies)
    wanted, slope = compiled(points[point], posted, held.frozen)
    assert value == pytest.approx(float(wanted), rel=1e-9)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-9 * np.abs(slope).max())


def test_it_is_that_of_finite_differences(pieces, points):
    flat = points["random"]
    gradient, random = pieces(flat)[1], np.random.default_rng(3)
    for _ in range(3):
        way = random.normal(size=flat.size) * np.maximum(np.abs(flat), 0.1)
        step = 1e-4
        near = [pieces(flat + k * step * way)[0] for k in (1, -1, 2, -2)]
        slope = (8 * (near[0] - near[1]) - (near[2] - near[3])) / (12 * step)
        assert slope == pytest.approx(float(gradient @ way), rel=1e-5)


@pytest.mark.slow
def test_so_it_is_with_covariances_free(small, points):
    with quick_compile():
        free = value_and_gradient(small)
    flat = points["random"]
    way = np.random.default_rng(4).normal(size=flat.size) * np.maximum(np.abs(flat), 0.1)
    step = 1e-4
    near = [free(flat + k * step * way)[0] for k in (1, -1, 2, -2)]
    slope = (8 * (near[0] - near[1]) - (near[2] - near[3])) / (12 * step)
    assert slope == pytest.approx(float(free(flat)[1] @ way), rel=1e-5)
