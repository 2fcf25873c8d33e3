"""Simulation-based calibration: ranks of true values among posterior draws, and their uniformity.

Truths drawn from the prior and data simulated there: the rank of a truth among L independent draws
of its posterior is uniform on 0 .. L, whatever the model (Talts 2018, arXiv:1804.06788). Uniformity
is tested over the whole distribution at once (Sailynoja, Buerkner and Vehtari 2022, Stat Comput
32:32): with R(i) the number of N ranks below i and z = i / (L + 1), R(i) is Binomial(N, z), and

    gamma = min over i of 2 min(P(B <= R(i)), P(B >= R(i)))

is compared with what uniform ranks give, simulated. Too narrow posteriors heap ranks at both ends,
too wide ones in the middle, shifted ones at one side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.stats import binom, chisquare

SETS = 20_000
"""Sets of uniform ranks simulated: p-values to about 0.002 at 0.05."""


@dataclass(frozen=True)
class Bands:
    """Limits that the ECDF of uniform ranks stays within at all z together, with probability."""

    z: Float[np.ndarray, " L"]
    lower: Float[np.ndarray, " L"]
    upper: Float[np.ndarray, " L"]
    level: float


def ranks(
    truth: Float[np.ndarray, " sims"], draws: Float[np.ndarray, "sims draws"]
) -> Int[np.ndarray, " sims"]:
    """How many draws lie below the truth, simulation by simulation; draws independent."""
    return (np.asarray(draws) < np.asarray(truth)[:, None]).sum(axis=1)


def thinned(draws: Float[np.ndarray, "draws ..."], keep: int) -> Float[np.ndarray, "keep ..."]:
    """So many of the draws at even distances; `ValueError` where there are fewer."""
    if len(draws) < keep:
        raise ValueError(f"{len(draws)} draws cannot be thinned to {keep}")
    return draws[np.linspace(0, len(draws) - 1, keep).round().astype(int)]


def bands(count: int, most: int, *, level: float, seed: int) -> Bands:
    """Simultaneous limits for the ECDF of `count` uniform ranks on 0 .. `most`."""
    z = _places(most)
    # Gamma takes few values: without the margin rounding would cut off its own quantile.
    tail = float(np.quantile(_simulated(count, most, seed), 1 - level)) / 2 * (1 - 1e-9)
    lower = np.asarray(binom.ppf(tail, count, z))
    upper = count - np.asarray(binom.ppf(tail, count, 1 - z))
    return Bands(z, lower / count, upper / count, level)


def p_uniform(found: Int[np.ndarray, " sims"], most: int, *, seed: int) -> float:
    """P(uniform ranks lie at least as far off as these), by the simultaneous test above."""
    gamma = _gamma(np.asarray(found)[None], most)[0]
    return float((_simulated(len(found), most, seed) <= gamma * (1 + 1e-9)).mean())


def p_chi_square(found: Int[np.ndarray, " sims"], most: int, *, bins: int) -> float:
    """P of Pearson's chi-square over so many bins of equal width; `most` + 1 a multiple of them."""
    if (most + 1) % bins:
        raise ValueError(f"{most + 1} ranks do not fall into {bins} equal bins")
    seen = np.bincount(np.asarray(found) // ((most + 1) // bins), minlength=bins)
    return float(chisquare(seen).pvalue)


def ecdf(found: Int[np.ndarray, " sims"], most: int) -> Float[np.ndarray, " L"]:
    """The share of ranks below i, i = 1 .. L: what `Bands` holds limits for, at z."""
    return _below(np.asarray(found)[None], most)[0] / len(found)


def calibration_table(
    found: pd.DataFrame, most: int, *, bins: int, level: float, seed: int
) -> pd.DataFrame:
    """One row a column of ranks: how uniform they are, and how often intervals hold the truth.

    Columns: variable, simulations, mean_rank (over L, 0.5 expected), inside (share of truths in the
    equal-tailed interval of probability `level`), p_ecdf, p_chi_square, and p_holm: p_ecdf times
    the number of hypotheses still open (Holm 1979), for all rows together.
    """
    rows = [
        {
            "variable": name,
            "simulations": len(found),
            "mean_rank": float(column.mean()) / most,
            "inside": inside(column.to_numpy(), most, level=level),
            "p_ecdf": p_uniform(column.to_numpy(), most, seed=seed),
            "p_chi_square": p_chi_square(column.to_numpy(), most, bins=bins),
        }
        for name, column in found.items()
    ]
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p_ecdf"].to_numpy()))


def inside(found: Int[np.ndarray, " sims"], most: int, *, level: float) -> float:
    """Share of truths within the equal-tailed interval of that probability."""
    middle = (np.asarray(found) + 0.5) / (most + 1)
    return float((np.abs(middle - 0.5) < level / 2).mean())


def holm(p: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """P-values for k hypotheses together: max over smaller ones of (k - place) p, at most 1."""
    order = np.argsort(p)
    grown = np.maximum.accumulate((p.size - np.arange(p.size)) * p[order])
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(grown, 1.0)
    return adjusted


def _places(most: int) -> Float[np.ndarray, " L"]:
    return np.arange(1, most + 1) / (most + 1)


def _below(found: Int[np.ndarray, "sets sims"], most: int) -> Int[np.ndarray, "sets L"]:
    """R(i) of each set."""
    sets = len(found)
    flat = found + (most + 1) * np.arange(sets)[:, None]
    counts = np.bincount(flat.ravel(), minlength=sets * (most + 1)).reshape(sets, most + 1)
    return np.cumsum(counts, axis=1)[:, :-1]


def _gamma(found: Int[np.ndarray, "sets sims"], most: int) -> Float[np.ndarray, " sets"]:
    count = found.shape[1]
    n, z = np.arange(count + 1)[:, None], _places(most)
    tails = 2 * np.minimum(binom.cdf(n, count, z), binom.sf(n - 1, count, z))
    return tails[_below(found, most), np.arange(most)].min(axis=1)


@cache
def _simulated(count: int, most: int, seed: int) -> Float[np.ndarray, " sets"]:
    """Gamma of sets of uniform ranks."""
    made = np.random.default_rng(seed).integers(0, most + 1, (SETS, count))
    return _gamma(made, most)
