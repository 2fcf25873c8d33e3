"""Normalised prediction distribution errors: standard normal where the model holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import linalg, stats

from pkpd.diagnosis.vpc import checked, groups, limits
from pkpd.errors import DataError, Fault

FEWEST = 2
"""Replicates for each row of a subject, at least: fewer give no covariance worth its inverse."""


def npde(
    observed: pd.DataFrame,
    replicates: Float[np.ndarray, "rep row"],
    *,
    seed: int,
    refuse: bool = True,
) -> Float[np.ndarray, " row"]:
    """Errors decorrelated within each subject (Brendel 2006, Comets 2008): independent N(0, 1).

    With mean m and covariance L L' of a subject's replicates, value and replicates become
    L^-1 (y - m), and the error is Phi^-1 of the value's rank among its replicates. `observed` has
    subject, output, value, censored and limit as in `vpc`; rows of a subject stand in order of
    time. What is censored is drawn from the replicates beyond its limit, and these replicates are
    redrawn likewise (Nguyen 2012). NaN where replicates do not vary. A subject whose replicates
    have no regular covariance is refused; without `refuse` its rows are NaN.
    """
    made = np.asarray(replicates, float)
    checked(observed, made)
    generator = np.random.default_rng(seed)
    seen, copies = _imputed(observed, made, generator)
    whitened, whites = np.full(seen.shape, np.nan), np.full(copies.shape, np.nan)
    faults: list[Fault] = []
    for who, rows in groups(observed, "subject"):
        at = rows[np.ptp(copies[:, rows], axis=0) > 0]
        if not at.size:
            continue
        root = _root(copies[:, at])
        if root is None:
            faults.append(_singular(who, at.size, len(copies)))
            continue
        middle = copies[:, at].mean(axis=0)
        whitened[at] = linalg.solve_triangular(root, seen[at] - middle, lower=True)
        whites[:, at] = linalg.solve_triangular(root, (copies[:, at] - middle).T, lower=True).T
    if faults and refuse:
        raise DataError(faults)
    return _normal(whitened, whites, generator)


def npd(
    observed: pd.DataFrame, replicates: Float[np.ndarray, "rep row"], *, seed: int
) -> Float[np.ndarray, " row"]:
    """Errors row by row, correlated within a subject: Phi^-1 of the rank among replicates.

    A censored value's rank is uniform among those beyond its limit. NaN where replicates do not
    vary. `observed` as in `npde`.
    """
    copies = np.asarray(replicates, float)
    checked(observed, copies)
    generator = np.random.default_rng(seed)
    kind = observed["censored"].to_numpy()
    share = _beyond(observed, copies).sum(axis=0) + 1
    rank = generator.uniform(size=share.size) * share / (len(copies) + 1)
    errors = stats.norm.ppf(np.where(kind == 1, rank, 1 - rank))
    free = _normal(observed["value"].to_numpy(float), copies, generator)
    return np.where(np.ptp(copies, axis=0) > 0, np.where(kind == 0, free, errors), np.nan)


def _beyond(observed: pd.DataFrame, copies: np.ndarray) -> Bool[np.ndarray, "rep row"]:
    """Which replicates would have been censored."""
    limit = limits(observed)
    over = observed["censored"].to_numpy() == -1
    return np.where(over, copies > limit, copies < limit)


def _imputed(
    observed: pd.DataFrame, copies: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Values and replicates, each censored one drawn anew among the row's replicates out there.

    A row without such replicates has its limit for its value.
    """
    kind, limit = observed["censored"].to_numpy(), limits(observed)
    seen = np.where(kind == 0, observed["value"].to_numpy(float), limit)
    made, beyond = copies.copy(), _beyond(observed, copies)
    for row in np.flatnonzero(beyond.any(axis=0)):
        out = beyond[:, row]
        # Redrawn too: the value's draw knows nothing of the subject's other rows, nor may theirs.
        made[out, row] = generator.permutation(copies[out, row])
        if kind[row]:
            seen[row] = generator.choice(copies[out, row])
    return seen, made


def _root(copies: np.ndarray) -> np.ndarray | None:
    """The lower Cholesky factor of the covariance of replicates, or None where it has none."""
    if len(copies) < FEWEST * copies.shape[1] + 1:
        return None
    root, failed = linalg.lapack.dpotrf(np.atleast_2d(np.cov(copies, rowvar=False)), lower=True)
    spread = copies.std(axis=0)
    return None if failed or (np.diag(root) < 1e-6 * spread).any() else np.tril(root)


def _singular(who: object, rows: int, count: int) -> Fault:
    found = f"{count} replicates of {rows} rows have no regular covariance"
    remedy = f"Simulate {FEWEST * rows + 1} replicates at least; leave out rows that copy others"
    return Fault(f"subject {who}", found, remedy)


def _normal(
    seen: np.ndarray, copies: np.ndarray, generator: np.random.Generator
) -> Float[np.ndarray, " row"]:
    """Phi^-1((r + u) / (K + 1)), r replicates of K below; u uniform, over ties too: exact."""
    below, equal = (copies < seen).sum(axis=0), (copies == seen).sum(axis=0)
    rank = below + generator.uniform(size=seen.size) * (equal + 1)
    return np.where(np.isnan(seen), np.nan, stats.norm.ppf(rank / (len(copies) + 1)))
