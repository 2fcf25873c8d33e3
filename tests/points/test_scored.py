"""The slope at the centre from many points that are not kept."""

from dataclasses import replace

import numpy as np
import pytest

from pkpd.points.error import quadrature_error
from pkpd.points.gathering import FITTED
from pkpd.points.rounds import covariance
from pkpd.points.scored import Scored, one_set, slopes_of
from pkpd.points.solving import Counts, in_parts, solved


@pytest.fixture(scope="module")
def parts(standing):
    return in_parts(*standing, FITTED, 30)


@pytest.fixture(scope="module")
def found(standing, parts):
    """Few points of each subject, many that only say the slope, and very many of another seed."""
    heights, now = standing
    few = solved(heights, now, Counts(128, 72), 31, by=parts, exact=True)
    many = solved(heights, now, Counts(16_384, 144), 32, by=parts, exact=True)
    sets = [one_set(heights, now, parts, 40 + k) for k in range(4)]
    return few, many, Scored.of(few, sets)


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


def test_slopes_along_the_outcomes_numbers_come_closer(found, standing, parts):
    """By what slopes are regressed to; six sets of few points, for one may be right by chance."""
    (heights, now), (few, many, scored) = standing, found
    wanted = many.log_likelihood(few.centre)[1][few.split.others]
    off = []
    for seed in range(6):
        own = solved(heights, now, Counts(128, 72), 200 + seed, by=parts, exact=True)
        both = own, replace(scored, slopes=slopes_of(own)).tilting(own)
        off.append([e.log_likelihood(few.centre)[1][few.split.others] - wanted for e in both])
    bare, told = np.sqrt(np.mean(np.square(off), axis=0))
    assert (told < bare / 2).all()


def test_the_value_at_the_centre_stays(found):
    few, _, scored = found
    assert scored.tilting(few).density(few.centre)[0] == few.density(few.centre)[0]


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
    same = replace(
        scored,
        log=np.repeat(scored.log[:1], 2, axis=0),
        means=np.repeat(scored.means[:1], 2, axis=0),
    )
    found = same.halves(few)
    assert np.abs(found.apart).max() < 1e-9
    assert np.abs(found.bias).max() < 1e-9
    assert of_the_law(few, same.share(few)) == pytest.approx(1.0)
