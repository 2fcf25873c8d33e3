"""The likelihood of some subjects alone: every tenth, with whom the search begins, or any."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from pkpd.errors import DataError
from pkpd.individual.build import solved, unsolved
from pkpd.individual.problem import IndividualLikelihood

MANY, SHARE = 1000, 10
"""Subjects from which on a part of them leads the way, and one in how many does.

Every tenth as they stand in the data, which are mostly sorted by arm: so each arm has its tenth.
"""


def fewer(likelihood: IndividualLikelihood) -> IndividualLikelihood | None:
    """The likelihood of every tenth subject on a mesh of its own; None where none is to be had.

    There is none of few subjects, of states that begin anew at records (a Markov outcome's), nor
    where a tenth has nothing of some observation.
    """
    whole = likelihood.solver.design
    return None if whole.count < MANY else some_of(likelihood, np.arange(0, whole.count, SHARE))


def some_of(
    likelihood: IndividualLikelihood, places: Int[np.ndarray, " n"]
) -> IndividualLikelihood | None:
    """The likelihood of the subjects at `places`, in order, on a mesh of its own; None as above."""
    whole = likelihood.solver.design
    if whole.renew is not None:
        return None
    some = whole.table["ID"].isin(whole.table["ID"].unique()[places])
    table = whole.table[some].reset_index(drop=True)
    try:
        return solved(unsolved(likelihood.settings, likelihood.model, table, "fit.toml"))
    except DataError:
        return None
