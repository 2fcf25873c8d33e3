"""Expected loss: what a year of a patient costs on each interval, by a stated table.

    loss = kept R + lost (1 - R) + injection n

per patient-year, R the share of the selected who respond, averaged over the time from selection
to a week (trapezium rule over visits), n the injections a year that the interval asks for.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from pkpd.settings import Loss

WEEKS_A_YEAR = 365.25 / 7


def injections(intervals: tuple[float, ...]) -> Float[np.ndarray, " regimens"]:
    """Injections a year on each interval; none where dosing has stopped."""
    return WEEKS_A_YEAR / np.asarray(intervals, float)


def loss_by_draw(
    share: Float[np.ndarray, "... regimens visits"],
    weeks: Float[np.ndarray, " visits"],
    intervals: tuple[float, ...],
    table: Loss,
) -> Float[np.ndarray, "... regimens"]:
    """Loss per patient-year from the first visit to the last of `weeks`."""
    time = weeks[-1] - weeks[0]
    responding = np.trapezoid(share, weeks, axis=-1) / time
    burden = table.injection * injections(intervals)
    return table.kept * responding + table.lost * (1 - responding) + burden
