"""Points for a quick look at an individual-level fit: the mode of the density that they make.

Subjects' effects are summed over points (`points.tilted`), not taken for normal as Laplace's
approximation does. The search is that of a run with integrated effects, which takes up what a look
has found; then 264 points of each subject are solved about its end. Of 1,000 subjects or more it is
132, without what outcomes' numbers do far along the equations.
The Gaussian about the mode is told as `quick_looks` tells Laplace's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from pkpd.checkpoint import Checkpoint
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.points.error import quadrature_error
from pkpd.points.heights import Heights
from pkpd.points.rounds import LATER, covariance, drawn_in
from pkpd.points.solving import Counts, in_parts, solved
from pkpd.points.standing import Standing
from pkpd.points.tilted import Tilted
from pkpd.points_search import labels, mode_of, searched
from pkpd.quick_mode import Mode

Progress = Callable[[str, float], None]

FITTED = {False: (1024, 1024), True: (512,)}
"""Points of each subject that its proposal's parts are fitted to, one set after another; of many
subjects fewer."""

COUNTS = {False: LATER, True: Counts(128, 36, coupled=0)}
"""Points that are solved."""


def points_mode(
    likelihood: IndividualLikelihood, kept: Checkpoint, progress: Progress
) -> tuple[Mode, str]:
    """The mode, and what its points' number leaves uncertain; `FitError` where there is none."""
    seed = likelihood.settings.sampler.seed + 1001
    cloud, at = _about(likelihood, searched(likelihood, kept, progress), progress)
    spread = covariance(cloud, at)
    error = quadrature_error(cloud, at, spread)
    worst, names = int(error.argmax()), labels(population_space(likelihood))
    told = (
        f"{cloud.points.shape[1]} points of each subject, seed {seed}: their number leaves "
        f"estimates uncertain by up to {error[worst]:.2f} posterior SDs ({names[worst]}; median of "
        f"all {np.median(error):.2f}). "
    )
    return Mode(at, spread, float(cloud.density(at)[0])), told


def _about(
    likelihood: IndividualLikelihood, now: Standing, progress: Progress
) -> tuple[Tilted, Float[np.ndarray, " P"]]:
    """The density of points about where the search ended, and its mode."""
    heights, seed = Heights(likelihood), likelihood.settings.sampler.seed + 1000
    progress("solving points", 0.0)
    if not now.of_many:
        now, _ = drawn_in(heights, now, LATER, seed)
    parts = in_parts(heights, now, FITTED[now.of_many], seed + 2)
    cloud = solved(heights, now, COUNTS[now.of_many], seed + 1, by=parts, exact=True)
    progress("solving points", 1.0)
    return cloud, mode_of(cloud, now)
