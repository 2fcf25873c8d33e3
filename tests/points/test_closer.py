"""Rounds of more points: they end where many points have the mode."""

from dataclasses import replace

import numpy as np

from pkpd.points.rounds import closer, highest
from pkpd.points.solving import Counts, in_parts, solved
from pkpd.points.standing import STAYS


def test_rounds_of_more_points_end_near_the_mode_of_many(standing):
    heights, now = standing
    away = replace(now, centre=now.centre + 0.15)
    near = closer(heights, away, in_parts(heights, now, (512, 512), 30), 40)
    many = solved(heights, near, Counts(1024, 144), 2, exact=True)
    mode = highest(many, near.centre, 7 * near.sd)
    assert near.settled
    assert np.abs((away.centre - mode) / near.sd).max() > STAYS
    assert np.abs((near.centre - mode) / near.sd).max() < 1.0
