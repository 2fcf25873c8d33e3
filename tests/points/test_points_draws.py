"""Draws with effects integrated: subjects' points, the error told, what a kill leaves."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import ValidationError

from pkpd import points_scoring, points_search
from pkpd.checkpoint import Checkpoint
from pkpd.errors import FitError
from pkpd.points import standing as standing_module
from pkpd.points.error import quadrature_error
from pkpd.points.gathering import Gathered
from pkpd.points.heights import Heights
from pkpd.points.picked import picked, with_effects
from pkpd.points.proposal import normalised
from pkpd.points.rounds import covariance, highest
from pkpd.points.solving import Counts, in_parts, solved
from pkpd.points_sampling import draw
from pkpd.points_search import FAR, mode_of
from pkpd.settings_individual import IndividualSampler


def test_points_are_picked_as_often_as_they_weigh():
    weights = jnp.asarray([[0.1, 0.0, 0.6, 0.3]] * 40_000)
    chance = jnp.asarray(np.random.default_rng(1).random(40_000))
    share = np.bincount(np.asarray(jax.vmap(picked)(weights, chance)), minlength=4) / 40_000
    assert share == pytest.approx([0.1, 0.0, 0.6, 0.3], abs=0.01)


@pytest.mark.parametrize("count", [50, 64, 1_000])
def test_a_point_is_picked_where_sums_of_weights_reach_the_chance(count):
    """Many blocks, the last not full, points of no weight among them and at the end."""
    rng = np.random.default_rng(count)
    weights = rng.integers(0, 4, (2_000, count)).astype(float)
    weights[:, -20:] = 0.0
    chance = np.append(rng.random(1_998), [0.0, 1.0])
    wanted = [
        np.searchsorted(np.cumsum(w), c * w.sum()) for w, c in zip(weights, chance, strict=True)
    ]
    found = jax.vmap(picked)(jnp.asarray(weights), jnp.asarray(chance))
    assert np.array_equal(np.asarray(found), wanted)


def test_effects_of_draws_are_those_of_the_weighted_points(neonates, cloud):
    _, centre = neonates
    z = np.tile(centre + 0.02, (400, 1))
    found, _ = with_effects(cloud, z, seed=3)
    weights = normalised(cloud.log_weights(z[0]))
    m, a = (np.asarray(part) for part in cloud.split.law(jnp.asarray(z[0])))
    own = (cloud.points - m[:, None]) @ np.linalg.inv(a).T
    mean = np.einsum("nk,nke->en", weights, own)
    assert np.abs(found.mean(axis=0) - mean).max() < 5 / np.sqrt(400)


def test_the_walked_log_likelihood_is_the_solved_one(neonates, cloud):
    """At the centre nothing is expanded: what was walked is what the equations give."""
    likelihood, centre = neonates
    found, walked = with_effects(cloud, centre[None], seed=4)
    effects = cloud.split.effects.values(jnp.asarray(found[0]))
    values = {**cloud.split.values(jnp.asarray(centre)), **effects}
    assert walked[0] == pytest.approx(float(likelihood.by_subject(values).sum()), abs=1e-3)


def test_the_error_told_is_that_seen(standing):
    """Modes of sixteen sets of few points scatter about as widely as each set says of itself."""
    heights, now = standing
    sets = [solved(heights, now, Counts(128, 64), seed, exact=True) for seed in range(16)]
    modes = np.array([highest(each, now.centre, 1.0) for each in sets])
    spread = covariance(sets[0], modes[0])
    told = np.array([quadrature_error(each, now.centre, spread) for each in sets])
    seen = modes.std(axis=0, ddof=1) / np.sqrt(np.diag(spread))
    law = np.setdiff1d(
        np.arange(len(seen)), heights.split.others
    )  # slopes have errors of their own
    ratio = np.sqrt((told**2).mean(axis=0))[law] / seen[law]
    assert (ratio > 0.5).all()
    assert (ratio < 4).all()


@pytest.fixture(scope="module")
def parts_of(standing):
    """A density of few points, and the parts that they are of."""
    parts = in_parts(*standing, (256,), 30)
    return solved(*standing, Counts(128, 72), 31, by=parts, exact=True), parts


def _quick(likelihood, score_points=4096):
    sampler = IndividualSampler(
        effects="integrated", points=256, score_points=score_points, tune=100, draws=150, seed=5
    )
    settings = likelihood.settings.model_copy(update={"sampler": sampler})
    return replace(likelihood, settings=settings)


class Killed(Exception):
    """The run ends here."""


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_ends_the_same(neonates, tmp_path):
    likelihood, told = _quick(neonates[0]), []

    def killing(at, share):
        def heard(stage, done):
            told.append(stage)
            if stage == at and done >= share:
                raise Killed

        return heard

    whole = draw(likelihood, Checkpoint(tmp_path, "one"), killing("never", 0))
    for stage, share in (
        ("finding a start", 0.15), ("solving points", 1.0), ("scoring points", 0.5)
    ):  # fmt: skip
        with pytest.raises(Killed):
            draw(likelihood, Checkpoint(tmp_path, "two"), killing(stage, share))
    told.clear()
    again = draw(likelihood, Checkpoint(tmp_path, "two"), killing("never", 0))
    assert "solving points" not in told
    assert told.count("scoring points") == 2  # of two sets one was left to solve, then the end
    for name in ("cl", "v_between", "cl_eta"):
        one, two = (each.tree["posterior"][name].values for each in (whole, again))
        assert np.array_equal(one, two)


@pytest.mark.slow
def test_of_many_subjects_the_neediest_have_more_score_points(
    standing, parts_of, tmp_path, monkeypatch
):
    """Of 59 taken for many: two sets of all, then 14 of eight; a kill among these loses one."""
    monkeypatch.setattr(standing_module, "MANY", 50)
    monkeypatch.setattr(points_scoring, "NEEDIEST", 8)
    heights, now = standing
    likelihood = _quick(heights.likelihood, score_points=8192)
    found = Gathered(parts_of[0], now, parts_of[1])
    told = []

    def killing(stage, done):
        told.append(done)
        if done > 0.8:
            raise Killed

    def scored(folder, progress):
        kept = Checkpoint(tmp_path / folder, "one")
        kept.folder.mkdir(exist_ok=True)
        return points_scoring.scored_by(Heights(likelihood), found, kept, progress)

    whole = scored("whole", lambda *_: None)
    assert whole.log.shape[0] == 2 + 14
    assert sorted(set(np.isfinite(whole.log).sum(axis=0))) == [2, 16]
    with pytest.raises(Killed):
        scored("killed", killing)
    begun = len(told)
    again = scored("killed", lambda stage, done: told.append(done))
    assert len(told) - begun == 6  # nine of 14 were kept
    assert np.array_equal(whole.log, again.log)
    assert np.array_equal(whole.means, again.means)


def test_sets_told_at_another_population_are_not_taken_up(tmp_path):
    path, at = tmp_path / "scores.npz", np.array([0.1, 0.2])
    sets = {"log": np.zeros((2, 3)), "means": np.zeros((2, 3, 5))}
    points_search.remember(path, sets)  # as versions before wrote them
    assert points_scoring._known_at(path) is None and points_scoring._sets(path, at) == []
    points_search.remember(path, {"at": at, **sets})
    assert np.array_equal(points_scoring._known_at(path), at)
    assert len(points_scoring._sets(path, at)) == 2
    assert points_scoring._sets(path, at + 1e-3) == []


def test_a_search_that_never_settles_ends_with_a_word(neonates, tmp_path, monkeypatch):
    monkeypatch.setattr(points_search, "MOST", 1)
    with pytest.raises(FitError, match="still moves"):
        draw(_quick(neonates[0]), Checkpoint(tmp_path, "one"), lambda stage, share: None)


def test_a_mode_far_from_the_points_is_refused_by_name(standing, cloud):
    _, now = standing
    near = mode_of(cloud, now)
    assert np.abs((near - now.centre) / now.sd).max() < FAR
    rising = replace(cloud, bend=np.full_like(cloud.bend, 1e6))  # the density climbs without end
    with pytest.raises(FitError, match=r"lead to a mode . SDs .* along `concentration_"):
        mode_of(rising, now)


def test_a_pilot_run_is_refused_where_there_is_none():
    with pytest.raises(ValidationError, match="leave `pilot` out"):
        IndividualSampler(effects="integrated", pilot=100)


def test_points_are_asked_for_by_powers_of_two():
    with pytest.raises(ValidationError, match="take a power of two, 1024 or 2048"):
        IndividualSampler(points=1152)


def test_score_points_are_none_or_halves_of_sets():
    for wrong in (2048, 5000, 6144):
        with pytest.raises(ValidationError, match="give 0, or a multiple of 4,096"):
            IndividualSampler(score_points=wrong)
    for right in (0, 4096, 24_576):
        assert IndividualSampler(score_points=right).score_points == right
