"""Meshes hold what they must and are no wider than they may be."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from pkpd.mechanism import mesh

DAYS = some.lists(some.integers(0, 400).map(lambda day: day / 2), max_size=12)
WIDTHS = some.sampled_from([0.875, 1.75, 3.5, 7.0])


@settings(max_examples=40, deadline=None)
@given(DAYS, DAYS, WIDTHS)
def test_a_graded_mesh_holds_every_required_day_within_its_width(required, onsets, widest):
    found = mesh.graded(200.0, required, onsets, widest)
    assert found[0] == 0.0 and found[-1] == 200.0
    assert set(required) | set(onsets) <= set(found)
    assert (np.diff(found) > 0).all() and np.diff(found).max() <= widest + 1e-9


def test_steps_are_short_after_an_onset_only():
    found = mesh.graded(56.0, [], [28.0], 3.5)
    assert np.isin(28.0 + np.array(mesh.ONSET), found).all()
    widths = np.diff(found)[np.searchsorted(found, 28.0) :]
    assert widths[0] == mesh.ONSET[0] and (widths[len(mesh.ONSET) :] > 3.0).all()


def test_late_steps_may_be_twice_as_wide():
    found = np.diff(mesh.graded(56.0, [28.0], [], 3.5, 28.0))
    np.testing.assert_allclose(found, [3.5] * 8 + [7.0] * 4)


def test_a_finer_mesh_is_finer_after_an_onset_too():
    first = [np.diff(mesh.graded(28.0, [], [0.0], width))[0] for width in (3.5, 1.75)]
    assert first == [0.125, 0.0625]


def test_refining_cuts_every_step_into_equal_parts():
    coarse = np.array([0.0, 1.0, 4.0])
    np.testing.assert_allclose(mesh.refined(coarse, 4), [0, 0.25, 0.5, 0.75, 1, 1.75, 2.5, 3.25, 4])
    assert np.isin(coarse, mesh.refined(coarse, 8)).all()


def test_nodes_are_starts_and_middles_and_the_end():
    np.testing.assert_allclose(mesh.nodes(np.array([0.0, 2.0, 3.0])), [0, 1, 2, 2.5, 3])
