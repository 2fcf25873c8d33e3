"""Where a joint start is sought: from the arms' mode, or nearer to the medians where it must."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pkpd.errors import FitError
from pkpd.joint import start
from pkpd.joint.marginal import Marginal, individuals_part
from pkpd.variation.standard import Frame


def hill(reach):
    """A normal log-density that is no number further than `reach` from the medians."""

    def part(c):
        if np.linalg.norm(c) > reach:
            return np.nan, np.full(c.size, np.nan)
        return -0.5 * c @ c, -c

    return part


@pytest.mark.parametrize(("reach", "share"), [(9.0, 1.0), (3.5, 0.75), (2.5, 0.5), (1.5, 0.25)])
def test_the_search_begins_as_near_to_the_arms_mode_as_individuals_allow(reach, share):
    mode = np.array([4.0, 0.0])
    np.testing.assert_allclose(start._begin(hill(reach), mode), share * mode)


def test_a_finite_value_with_a_slope_that_is_none_is_no_place_to_begin():
    def part(c):
        return 0.0, np.full(c.size, np.nan if c[0] > 1 else 0.0)

    np.testing.assert_allclose(start._begin(part, np.array([4.0])), [1.0])


def test_the_search_finds_the_mode_from_beyond_where_individuals_are_a_number():
    around = Frame(np.array([4.0, 3.0]), np.eye(2))

    def arms(c):
        return -0.5 * (c - 1) @ (c - 1), 1 - c

    np.testing.assert_allclose(start._mode(arms, hill(2.0), around, 60), [0.5, 0.5], atol=1e-4)


def test_individuals_that_are_no_number_at_the_medians_are_refused_in_words():
    with pytest.raises(FitError, match=r"no number at the prior medians.*\[individual"):
        start._begin(lambda c: (np.inf, np.zeros(c.size)), np.array([4.0]))


def test_modes_are_sought_anew_where_the_last_ones_lead_nowhere():
    """A subject with two modes may be left on the saddle between them."""
    blank = np.zeros((1, 1))

    def laplace(q, begin):
        value = np.nan if begin.any() else -0.5 * float(q @ q)
        return (value, SimpleNamespace(at=np.ones((1, 1)))), value * np.ones(q.size)

    part = individuals_part(Marginal(lambda c: c, lambda c, slope: slope, laplace, blank))
    for place in (1.0, 2.0, 3.0):  # from the second on, the modes found last come first
        value, slope = part(np.array([place]))
        assert value == -0.5 * place**2 and np.isfinite(slope).all()


def test_curvature_is_none_along_what_is_no_number_beside_the_mode():
    def part(c):
        return -c @ c, np.where(np.array([c[0] > 0.01] * 2), np.nan, -2 * c)

    np.testing.assert_allclose(start.hessian(part, np.zeros(2)), [[0.0, 0.0], [0.0, 2.0]])


def test_a_search_that_meets_no_number_is_refused_in_words():
    def arms(c):
        return np.nan, np.full(c.size, np.nan)

    with pytest.raises(FitError, match="No point of the search"):
        start._mode(arms, hill(9.0), Frame(np.ones(2), np.eye(2)), 20)
