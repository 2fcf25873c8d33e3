"""Individuals held against their fit: gof.csv, vpc.csv and npde.csv of a likelihood and draws.

Draws are of the individual level's numbers, by name; level, seeds, replicates and bins are those of
the likelihood's own settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.diagnosis.individual import goodness, place
from pkpd.diagnosis.npde import npde
from pkpd.diagnosis.vpc import vpc
from pkpd.errors import FitError
from pkpd.individual.problem import IndividualLikelihood
from pkpd.prediction.replicates import Seen, again, finite, typical_rows

MOST_LOST = 0.1
"""Share of replicates that may be no numbers, and are left out: an extreme new subject in each."""

NUMBERS = ("continuous", "bounded")
"""Outcomes whose rows have prediction errors: numbers that replicates may lie above or below."""

ERRORS = ("subject", "arm", "time", "output", "observed", "censored", "pred", "npde")
"""Columns of npde.csv."""

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


@dataclass(frozen=True)
class Fresh:
    """Data sets of new subjects, a draw each; `lost` more were no numbers and are left out."""

    seen: Seen
    lost: int


def fresh(likelihood: IndividualLikelihood, draws: Draws, heard: Heard) -> Fresh:
    """New subjects with the doses, times and covariates of the data; refused if many are lost."""
    seed = likelihood.settings.predictions.seed + 1
    seen = again(likelihood, draws, seed=seed, new_subjects=True, progress=heard)
    seen, lost = finite(seen)
    if lost > MOST_LOST * (lost + len(seen.expected[0])):
        raise FitError(
            f"{lost} of {lost + len(seen.expected[0])} data sets of new subjects are no numbers "
            "somewhere: the mesh does not hold for subjects as unlike as the posterior allows. "
            "Lower engine.tolerance, or set engine.method = 'rosenbrock'."
        )
    return Fresh(seen, lost)


def error_table(likelihood: IndividualLikelihood, new: Fresh, gof: pd.DataFrame) -> pd.DataFrame:
    """npde.csv: prediction errors of each row of a continuous or bounded outcome.

    Errors are decorrelated within subject and output; `gof` is `goodness_table`'s. NaN where a
    subject has too many rows for the data sets there are, or where these do not vary.
    """
    seed, tables = likelihood.settings.predictions.seed + 2, []
    for stream, copies in zip(likelihood.solver.design.streams, new.seen.simulated, strict=True):
        observed = place(likelihood, stream)
        own = gof[gof["output"] == stream.observation.label]
        if stream.observation.outcome in NUMBERS:
            errors = npde(observed, copies, seed=seed, refuse=False)
            tables.append(own[list(ERRORS[:-1])].assign(npde=errors))
    blank = pd.DataFrame(columns=list(ERRORS))
    return pd.concat(tables, ignore_index=True) if tables else blank


def visual_table(likelihood: IndividualLikelihood, new: Fresh, gof: pd.DataFrame) -> pd.DataFrame:
    """vpc.csv of new subjects, a replicate a draw: plain and, where it can be, corrected.

    `gof` is `goodness_table`'s, whose typical predictions correct.
    """
    asked, seen = likelihood.settings.predictions, new.seen
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
    return pd.concat(tables, ignore_index=True)


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
