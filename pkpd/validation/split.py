"""A study's posted statistics split: what a forecaster knows, and what is asked of it.

What is asked is blank (NaN) here, so that no forecast can be made of it. The selection visit of a
re-randomised study is known, as the likelihood conditions on it: it precedes all that is forecast.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from pkpd.arm_level.summaries import Summaries
from pkpd.prediction.predictive import WORDS

Feature = tuple[str, str, float, str]
NOT_ASKED = ("ENTRY",)
"""Made of the sizes of later arms: no posted result."""

SCALES = {"change": "fraction", "level": "log", "count": "anscombe"}
ROWS = ("study", "arm", "week", "endpoint", "statistic", "estimand", "n", "scale", "given")


@dataclass(frozen=True)
class Split:
    """One study with its posted features either known or asked; `s.observed` has the known."""

    s: Summaries
    known: Bool[np.ndarray, "A F"]
    asked: Bool[np.ndarray, "A F"]

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Arm, visit and column of each feature asked for, in the order of the rows."""
        columns = len(self.s.columns)
        for a, f in np.argwhere(self.asked):
            yield int(a), int(f) // columns, int(f) % columns


def features(s: Summaries) -> list[list[Feature]]:
    """Study, arm, week and column of each feature, by arm."""
    return [
        [(s.study, arm, float(week), column) for week in s.weeks for column in s.columns]
        for arm in s.arms
    ]


def posted(studies: tuple[Summaries, ...]) -> set[Feature]:
    """Every feature that was posted."""
    return {
        name
        for s in studies
        for names, seen in zip(features(s), s.posted, strict=True)
        for name, is_posted in zip(names, seen, strict=True)
        if is_posted
    }


def split(whole: tuple[Summaries, ...], stays: tuple[Summaries, ...]) -> tuple[Split, ...]:
    """Each study of the whole data; known is what stays, and selection visits."""
    kept = posted(stays)
    return tuple(_split(s, kept) for s in whole)


def _split(s: Summaries, kept: set[Feature]) -> Split:
    names = features(s)
    stays = np.array([[name in kept for name in arm] for arm in names])
    first = np.arange(s.posted.shape[1]) < (len(s.columns) if s.entered else 0)
    known = s.posted & (stays | first)
    entry = np.tile(np.isin(np.array(s.columns), NOT_ASKED), len(s.weeks))
    asked = s.posted & ~known & ~entry
    blank = np.where(known, s.observed, np.nan)
    return Split(_unsized(replace(s, observed=blank), known), known, asked)


def _unsized(s: Summaries, known: np.ndarray) -> Summaries:
    """Shares behind means of visits not known: NaN, for a forecast must predict them too."""

    def kept(column: str, share: Float[np.ndarray, "A T"]) -> np.ndarray:
        if column not in s.columns:
            return share
        seen = known.reshape(s.shape)[..., s.columns.index(column)]
        return np.where(seen, share, np.nan)

    return replace(
        s,
        share_seen=kept("EASI_PCHG", s.share_seen),
        share_sampled=kept("CONC", s.share_sampled),
    )


def rows_of(splits: tuple[Split, ...]) -> pd.DataFrame:
    """A row a feature asked for: what it is, on which scale, and what of its arm was known.

    `scale`: fraction (a change of -80 % is -0.8), anscombe (asin sqrt((x + 3/8) / (n + 3/4)) of a
    count x of n), log (natural log of mg/L).
    """
    found = [_row(each, *place) for each in splits for place in each.places()]
    return pd.DataFrame(found, columns=list(ROWS))


def _row(each: Split, a: int, t: int, k: int) -> dict:
    s, column = each.s, each.s.columns[k]
    statistic, estimand = WORDS.get(column, ("percent", "NRI"))
    kind = next(kind for kind, holds in s.kinds().items() if holds[k])
    return {
        "study": s.study, "arm": s.arms[a], "week": float(s.weeks[t]), "endpoint": column,
        "statistic": statistic, "estimand": estimand, "n": int(s.n[a]), "scale": SCALES[kind],
        "given": _given(each, a),
    }  # fmt: skip


def _given(each: Split, a: int) -> str:
    """The weeks of the arm's own results that its forecast starts from."""
    seen = each.known[a].reshape(len(each.s.weeks), -1).any(axis=1)
    weeks = each.s.weeks[seen]
    if not weeks.size:
        return ""
    return f"week {weeks[0]:g}" if weeks.size == 1 else f"weeks {weeks[0]:g} to {weeks[-1]:g}"
