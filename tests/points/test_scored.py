"""The slope at a population from many points that are not kept."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from pkpd.points.error import quadrature_error
from pkpd.points.fewer import some_of
from pkpd.points.gathering import FITTED
from pkpd.points.halves import halves, jackknife
from pkpd.points.heights import Heights
from pkpd.points.rounds import covariance
from pkpd.points.scored import Asked, Scored, of_some, one_set, slopes_of
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
    return few, many, told_at(few.centre, few, heights, parts)


def told_at(at, cloud, heights, parts):
    """Four sets at a population."""
    asked = Asked(at, cloud.centre, np.asarray(cloud.drift), parts)
    return Scored.of(cloud, at, [one_set(heights, asked, 40 + k) for k in range(4)])


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
        both = own, replace(scored, slopes=slopes_of(own, own.centre)).tilting(own)
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
    found = same.apart(few)
    assert np.abs(found.apart).max() < 1e-9
    assert np.abs(found.bias).max() < 1e-9
    assert of_the_law(few, same.share(few)) == pytest.approx(1.0)


def test_one_set_left_out_of_two_says_what_halves_say():
    rng = np.random.default_rng(1)
    each, share = rng.normal(size=(2, 5, 3)), np.array([[0.5] * 5, [0.5] * 5])
    found, half = jackknife(each, share), halves(each.mean(axis=0), *each)
    assert found.apart.T @ found.apart == pytest.approx(half.apart.T @ half.apart)
    assert found.bias == pytest.approx(half.bias)


def test_sets_left_out_in_turn_tell_the_variance_of_their_mean():
    """Subjects with 4 and with 12 sets, scores of variance 1 and 9: (1 / 4 + 9 / 12) a subject."""
    rng, log = np.random.default_rng(2), np.zeros((12, 2, 1))
    log[4:, 0] = -np.inf
    found = []
    for _ in range(400):
        each = rng.normal(size=(12, 2, 1)) * np.array([1.0, 3.0])[:, None]
        found.append(jackknife(each, softmax(log, axis=0)[..., 0]).variance[0])
    assert np.mean(found) == pytest.approx(1 / 4 + 9 / 12, rel=0.05)


def test_a_bias_of_ratios_is_told():
    """A mean weighed by noisy shares that go with it is off; leaving sets out says how far."""
    rng, off, told = np.random.default_rng(3), [], []
    for _ in range(300):
        noise = 0.6 * rng.normal(size=(8, 40))
        share = softmax(noise, axis=0)
        found = jackknife(noise[..., None], share)
        off.append((share * noise).sum() - 40 * 0.36)  # E[x exp(x)] / E[exp(x)] is its variance
        told.append(found.bias[0])
    assert np.mean(told) == pytest.approx(np.mean(off), rel=0.2)


def test_the_neediest_are_those_whose_sets_differ(found, standing):
    few, _, scored = found
    spread = covariance(few, few.centre)
    means = scored.means.copy()
    means[::2, [7, 31]] += 3.0
    wild = replace(scored, means=means)
    assert wild.neediest(few, spread, 2).tolist() == [7, 31]
    assert len(scored.neediest(few, spread, 9)) == 9


def test_sets_of_some_subjects_leave_the_others_as_they_are(found, standing, parts):
    """And those of their own likelihood are the sets that all of them would have."""
    heights, (few, _, scored) = standing[0], found
    places = np.array([3, 11, 40])
    part = Heights(some_of(heights.likelihood, places))
    asked = Asked(few.centre, few.centre, np.asarray(few.drift), parts).only(places)
    more = [one_set(part, asked, 90 + k) for k in range(2)]
    sets = list(zip(scored.log, scored.means, strict=True))
    both = Scored.of(
        few, few.centre, sets + [of_some(each, places, len(scored.log[0])) for each in more]
    )
    rest = np.setdiff1d(np.arange(len(few.points)), places)
    assert both.scores(few)[rest] == pytest.approx(scored.scores(few)[rest], abs=1e-9)
    assert both.scores(few)[places] == pytest.approx(scored.scores(few)[places], abs=0.2)
    assert not np.array_equal(both.scores(few)[places], scored.scores(few)[places])
    for each in more:
        assert each[0] == pytest.approx(scored.log[0][places], abs=0.2)
    assert both.apart(few).variance.sum() < 1.05 * scored.apart(few).variance.sum()
