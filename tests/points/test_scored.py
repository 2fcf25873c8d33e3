"""The slope at the centre from many points that are not kept."""

import numpy as np
import pytest

from pkpd.points.error import quadrature_error
from pkpd.points.gathering import FITTED
from pkpd.points.rounds import covariance
from pkpd.points.scored import Scored, one_set
from pkpd.points.solving import Counts, in_parts, solved


@pytest.fixture(scope="module")
def found(standing):
    """Few points of each subject, many that only say the slope, and very many of another seed."""
    heights, now = standing
    parts = in_parts(heights, now, FITTED, 30)
    few = solved(heights, now, Counts(128, 72), 31, by=parts, exact=True)
    many = solved(heights, now, Counts(16_384), 32, by=parts)
    sets = [one_set(heights, now, parts, 40 + k) for k in range(4)]
    return few, many, Scored(*(np.stack(part) for part in zip(*sets, strict=True)))


def of_the_law(cloud, values):
    """Those along the numbers that make the law alone."""
    return np.delete(values, cloud.split.others)


def test_the_slope_becomes_that_of_many_points(found):
    few, many, scored = found
    at = few.centre
    off, left = (
        of_the_law(few, each.log_likelihood(at)[1] - many.log_likelihood(at)[1])
        for each in (few, scored.tilting(few))
    )
    assert np.linalg.norm(left) < np.linalg.norm(off) / 3


def test_other_slopes_and_the_value_at_the_centre_stay(found):
    few, _, scored = found
    tilted = scored.tilting(few)
    assert tilted.density(few.centre)[0] == few.density(few.centre)[0]
    assert not tilted.tilt[few.split.others].any()


def test_the_tilt_is_the_gradient_of_what_it_adds(found):
    few, _, scored = found
    tilted = scored.tilting(few)
    away = np.linspace(-0.02, 0.03, len(few.centre))
    more = tilted.density(few.centre + away)[0] - few.density(few.centre + away)[0]
    assert more == pytest.approx(tilted.tilt @ away, rel=1e-6)


def test_the_error_told_is_that_of_more_points(found):
    few, _, scored = found
    spread = covariance(few, few.centre)
    bare = quadrature_error(few, few.centre, spread)
    told = quadrature_error(scored.tilting(few), few.centre, spread, scored)
    law = np.setdiff1d(np.arange(len(bare)), few.split.others)
    assert np.median(told[law] / bare[law]) < 0.5


def test_sets_that_agree_leave_no_error_at_the_centre(found):
    few, _, scored = found
    same = Scored(np.repeat(scored.log[:1], 2, axis=0), np.repeat(scored.means[:1], 2, axis=0))
    found = same.halves(few)
    assert np.abs(found.apart).max() < 1e-9
    assert np.abs(found.bias).max() < 1e-9
    assert of_the_law(few, same.share(few)) == pytest.approx(1.0)
