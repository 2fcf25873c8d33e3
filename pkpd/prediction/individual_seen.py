"""Individuals held against their fit: the tables gof.csv and vpc.csv of a likelihood and draws.

Draws are of the individual level's numbers, by name; level, seeds, replicates and bins are those of
the likelihood's own settings.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from pkpd.diagnosis.individual import goodness, place
from pkpd.diagnosis.vpc import vpc
from pkpd.errors import FitError
from pkpd.individual.problem import IndividualLikelihood
from pkpd.prediction.replicates import Seen, again, finite, typical_rows

MOST_LOST = 0.1
"""Share of replicates that may be no numbers, and are left out: an extreme new subject in each."""

Draws = dict[str, np.ndarray]
Heard = Callable[[float], None]


def goodness_table(likelihood: IndividualLikelihood, draws: Draws, heard: Heard) -> pd.DataFrame:
    """gof.csv: every observed row beside its fit; new observations of the same subjects."""
    asked = likelihood.settings.predictions
    seen = again(likelihood, draws, seed=asked.seed, progress=heard)
    typical = typical_rows(likelihood, draws)
    tables = [
        goodness(likelihood, stream, mean, new, pred, level=asked.level, seed=asked.seed)
        for stream, mean, new, pred in zip(
            likelihood.solver.design.streams, seen.expected, seen.simulated, typical, strict=True
        )
    ]
    return pd.concat(tables, ignore_index=True)


def visual_table(
    likelihood: IndividualLikelihood, draws: Draws, gof: pd.DataFrame, heard: Heard
) -> pd.DataFrame:
    """vpc.csv of new subjects, a replicate a draw: plain and, where it can be, corrected.

    `gof` is `goodness_table`'s, whose typical predictions correct. Replicates that are no numbers
    somewhere are left out, `attrs["lost"]` of them.
    """
    asked = likelihood.settings.predictions
    seen = again(likelihood, draws, seed=asked.seed + 1, new_subjects=True, progress=heard)
    seen, lost = finite(seen)
    if lost > MOST_LOST * (lost + len(seen.expected[0])):
        raise FitError(
            f"{lost} of {lost + len(seen.expected[0])} data sets of new subjects are no numbers "
            "somewhere: the mesh does not hold for subjects as unlike as the posterior allows. "
            "Lower engine.tolerance, or set engine.method = 'rosenbrock'."
        )
    observed, replicates, drawn = _drawn(likelihood, seen)
    tables = [plain_table(likelihood, seen)]
    pred = gof["pred"].to_numpy(float)[drawn]
    plain = (observed["outcome"] == "continuous").to_numpy() & (pred > 0)
    if plain.any():
        some, copies = observed[plain].reset_index(drop=True), replicates[:, plain]
        corrected = vpc(
            some, copies, bins=asked.bins, level=asked.level, corrected=True, pred=pred[plain]
        )
        tables.append(corrected)
    table = pd.concat(tables, ignore_index=True)
    table.attrs["lost"] = lost
    return table


def plain_table(likelihood: IndividualLikelihood, seen: Seen) -> pd.DataFrame:
    """Quantiles of the data among those of simulated data sets, by bin."""
    asked = likelihood.settings.predictions
    observed, replicates, _ = _drawn(likelihood, seen)
    return vpc(observed, replicates, bins=asked.bins, level=asked.level)


def _drawn(
    likelihood: IndividualLikelihood, seen: Seen
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Observed rows, their replicates, and which of all rows these are: all but events'."""
    streams = likelihood.solver.design.streams
    observed = pd.concat([place(likelihood, stream) for stream in streams], ignore_index=True)
    drawn = (observed["outcome"] != "event").to_numpy()  # an event's times are not drawn by bins
    replicates = np.concatenate(seen.simulated, axis=1)[:, drawn]
    return observed[drawn].reset_index(drop=True), replicates, drawn
