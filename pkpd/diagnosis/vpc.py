"""Visual predictive checks: quantiles of what was seen among those of simulated replicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from pkpd.errors import DataError, Fault

COLUMNS = (
    "output", "arm", "bin", "time", "time_from", "time_to", "n", "quantile", "observed", "lower",
    "median", "upper", "level", "kind", "corrected",
)  # fmt: skip
CATEGORICAL = ("ordinal", "binary", "markov")
Bins = Literal["time"] | int | Sequence[float]


@dataclass(frozen=True)
class Bin:
    """Rows of one output and arm whose times lie in [`start`, `end`), the last bin's in its end."""

    number: int
    start: float
    end: float
    rows: np.ndarray


def vpc(
    observed: pd.DataFrame,
    replicates: Float[np.ndarray, "rep row"],
    *,
    bins: Bins,
    level: float,
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    corrected: bool = False,
    pred: Float[np.ndarray, " row"] | None = None,
) -> pd.DataFrame:
    """One row an output, arm, bin and quantile: observed, and its interval over replicates.

    `observed` has output, arm, time, value, censored (1 known to be below its limit, -1 above it)
    and limit (NaN where none; uncensored rows state theirs too, for their replicates may fall
    below it). Rows whose column outcome, if any, is of categories give the share of each
    category instead of quantiles. A censored value counts as beyond every uncensored one, a
    quantile among the censored is NaN, and quantile "blq" is the share below the limit.

    `bins` are edges, "time" for one a distinct time, or how many with equal counts by output and
    arm; they are given back in time_from and time_to. Intervals are equal-tailed at `level`.
    `corrected` multiplies values and replicates by median(pred in bin) / pred (Bergstrand 2011,
    AAPS J 13:143-151); a pred that is 0, or of another sign than its bin's, is refused.
    """
    copies = np.asarray(replicates, float)
    checked(observed, copies)
    seen, copies = ranked(observed, copies)
    ratio = _correction(observed, pred, bins) if corrected else np.ones(len(observed))
    shares, limited = categorical(observed), _limited(observed)
    some: list[tuple[Any, ...]]
    rows: list[dict] = []
    for label, one in strata(observed, bins):
        at = one.rows
        first = label | _place(observed, one)
        if not shares[at[0]]:
            own, others = seen[at] * ratio[at], copies[:, at] * ratio[at]
            some = [(f"{q:g}", quantile(own, q), quantile(others, q)) for q in quantiles]
            some += _below_row(own, others) if limited[at].any() else []
        else:
            some = [] if corrected else _category_rows(seen[at], copies[:, at])
        rows += [first | _row(*each, level=level) | {"corrected": corrected} for each in some]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def checked(observed: pd.DataFrame, replicates: np.ndarray) -> None:
    """Nothing, if every observed row has a value or a limit, and replicates that are numbers."""
    if replicates.ndim != 2 or replicates.shape[1] != len(observed):
        raise ValueError(f"replicates {replicates.shape} are not (rep, {len(observed)} rows)")
    bound = limits(observed)
    lost = ~np.isfinite(np.where(observed["censored"] == 0, observed["value"], bound))
    wild = ~np.isfinite(replicates).all(axis=0)
    faults = [
        Fault(f"row {observed.index[int(row)]}", found, remedy)
        for bad, found, remedy in (
            (lost, "neither a value nor a limit", "Leave out what was not observed"),
            (wild, "a replicate is not a number", "See how the model fails for this row"),
        )
        for row in np.flatnonzero(bad)
    ]
    if faults:
        raise DataError(faults)


def limits(observed: pd.DataFrame) -> Float[np.ndarray, " row"]:
    """The limit of each row, NaN where its output knows none.

    A censored row's bound may stand in limit or in value: the wider counts. An uncensored row
    that states no limit takes the median of the lower limits its output's rows state.
    """
    given, value = observed["limit"].to_numpy(float), observed["value"].to_numpy(float)
    kind = observed["censored"].to_numpy()
    found = np.where(kind == 1, np.fmax(given, value), given)
    found = np.where(kind == -1, np.fmin(given, value), found)
    for _, rows in groups(observed, "output"):
        known = found[rows][np.isfinite(found[rows]) & (kind[rows] != -1)]
        if (kind[rows] == 1).any() and known.size:
            found[rows] = np.where(np.isnan(found[rows]), np.median(known), found[rows])
    return found


def groups(observed: pd.DataFrame, by: str | list[str]) -> list[tuple[Any, np.ndarray]]:
    """Each value of `by`, in order, and the places of its rows."""
    found = observed.groupby(by, sort=True, dropna=False).indices
    return [(key, np.asarray(rows)) for key, rows in found.items()]


def ranked(
    observed: pd.DataFrame, replicates: np.ndarray
) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, "rep row"]]:
    """Values and replicates with what is censored moved to -inf, or to inf above a limit."""
    kind, limit = observed["censored"].to_numpy(), limits(observed)
    seen = np.where(kind == 1, -np.inf, observed["value"].to_numpy(float))
    seen = np.where(kind == -1, np.inf, seen)
    copies = np.where((kind != -1) & (replicates < limit), -np.inf, replicates)
    return seen, np.where((kind == -1) & (replicates > limit), np.inf, copies)


def categorical(observed: pd.DataFrame) -> Bool[np.ndarray, " row"]:
    """Which rows are checked by the share of each category."""
    if "outcome" not in observed.columns:
        return np.zeros(len(observed), bool)
    return observed["outcome"].isin(CATEGORICAL).to_numpy()


def _limited(observed: pd.DataFrame) -> Bool[np.ndarray, " row"]:
    """Which rows have a limit that they may lie below."""
    return np.isfinite(limits(observed)) & (observed["censored"].to_numpy() != -1)


def strata(observed: pd.DataFrame, bins: Bins) -> Iterator[tuple[dict, Bin]]:
    """Every bin that holds rows, by output and arm in the order of their names."""
    time = observed["time"].to_numpy(float)
    for (output, arm), rows in groups(observed, ["output", "arm"]):
        for number, (start, end, inside) in enumerate(_binned(observed, time[rows], bins), 1):
            if inside.any():
                yield {"output": output, "arm": arm}, Bin(number, start, end, rows[inside])


def _binned(
    observed: pd.DataFrame, time: np.ndarray, bins: Bins
) -> list[tuple[float, float, np.ndarray]]:
    """Start, end and membership of each bin."""
    if isinstance(bins, str):
        return [(at, at, time == at) for at in np.unique(time)]
    if isinstance(bins, int):
        edges = np.unique(np.quantile(time, np.linspace(0, 1, bins + 1)))
    else:
        edges = np.asarray(bins, float)
        _check_edges(observed, edges)
    if edges.size == 1:
        return [(edges[0], edges[0], time == edges[0])]
    last = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, edges.size - 2)
    return [(edges[k], edges[k + 1], last == k) for k in range(edges.size - 1)]


def _check_edges(observed: pd.DataFrame, edges: np.ndarray) -> None:
    if edges.size < 2 or (np.diff(edges) <= 0).any():
        raise ValueError("edges of bins must ascend, two at least")
    lost = observed[~observed["time"].between(edges[0], edges[-1])]
    if len(lost):
        remedy = f"Bins span {edges[0]:g} to {edges[-1]:g}: widen them"
        raise DataError(
            Fault(f"row {row}", f"time {time:g} lies in no bin", remedy)
            for row, time in lost["time"].items()
        )


def _correction(
    observed: pd.DataFrame, pred: np.ndarray | None, bins: Bins
) -> Float[np.ndarray, " row"]:
    """median(pred in bin) / pred, row by row; 1 for categories."""
    if pred is None:
        raise ValueError("a prediction-corrected check needs pred, one value a row")
    pred, ratio, faults = np.asarray(pred, float), np.ones(len(observed)), []
    shares = categorical(observed)
    for _, one in strata(observed, bins):
        if shares[one.rows[0]]:
            continue
        own = pred[one.rows]
        middle = np.median(own)
        wrong = ~(own * middle > 0)
        faults += [
            Fault(
                f"row {observed.index[row]}",
                f"pred {pred[row]:g} cannot correct (median of its bin {middle:g})",
                "Leave the row out of the corrected check, or do not correct",
            )
            for row in one.rows[wrong]
        ]
        ratio[one.rows] = middle / np.where(wrong, 1.0, own)
    if faults:
        raise DataError(faults)
    return ratio


def quantile(values: np.ndarray, q: float) -> np.ndarray:
    """The quantile along the last axis by linear interpolation, infinite values at either end.

    Between an infinite value and its neighbour it is the infinite one.
    """
    ordered = np.sort(values, axis=-1)
    place = q * (ordered.shape[-1] - 1)
    low, high = ordered[..., int(np.floor(place))], ordered[..., int(np.ceil(place))]
    ends = np.where(np.isinf(low) | (place == int(place)), low, high)
    plain = np.isfinite(low) & np.isfinite(high)
    steps = np.subtract(high, low, out=np.zeros_like(ends), where=plain)
    return np.where(plain, np.where(plain, low, 0.0) + (place % 1) * steps, ends)


def _below_row(seen: np.ndarray, copies: np.ndarray) -> list[tuple]:
    """The share below the limit in the bin."""
    return [("blq", (seen == -np.inf).mean(), (copies == -np.inf).mean(axis=1))]


def _category_rows(seen: np.ndarray, copies: np.ndarray) -> list[tuple]:
    """The share of each category that was seen or simulated in the bin."""
    return [
        (f"category {k:g}", (seen == k).mean(), (copies == k).mean(axis=1))
        for k in np.union1d(seen, copies)
    ]


def _place(observed: pd.DataFrame, one: Bin) -> dict:
    time = float(np.median(observed["time"].to_numpy(float)[one.rows]))
    edges = {"time_from": float(one.start), "time_to": float(one.end)}
    return {"bin": one.number, "time": time, **edges, "n": one.rows.size}


def _row(name: str, seen: np.ndarray, copies: np.ndarray, *, level: float) -> dict:
    """One quantile's row: infinite numbers, those among the censored, are NaN."""
    tail = (1 - level) / 2
    found = {
        "observed": seen,
        "lower": quantile(copies, tail),
        "median": quantile(copies, 0.5),
        "upper": quantile(copies, 1 - tail),
    }
    numbers = {key: float(x) if np.isfinite(x) else np.nan for key, x in found.items()}
    return {"quantile": name, **numbers, "level": level, "kind": "eti"}
