"""One subject's records made a schedule: what is fixed before any parameter is known.

The rules are those of NONMEM's PREDPP (see `mechanism.timeline` for those that need parameters).
A reset (EVID 3 or 4) or a steady state that replaces (SS=1) cancels infusions and further doses of
earlier records. Time may go back at a reset: the clock of a schedule runs on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

KEPT, RESET = 1.0, 0.0


@dataclass(frozen=True)
class Records:
    """One subject's records, arrays of one length; `state` is the compartment of a dose."""

    time: Float[np.ndarray, " records"]
    kind: Int[np.ndarray, " records"]
    amount: Float[np.ndarray, " records"]
    state: Int[np.ndarray, " records"]
    rate: Float[np.ndarray, " records"]
    further: Int[np.ndarray, " records"]
    interval: Float[np.ndarray, " records"]
    steady: Int[np.ndarray, " records"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Schedule:
    """Records (R) on a clock that never goes back, and their doses (D), further ones written out.

    `origin` is the clock time of the first dose since the last reset, `keep` 0 where a record
    clears what was there, `fresh` 1 where it sets the initial state (SS=1 replaces that). `number`
    counts a record's doses from 0; those below are implied by its steady state and may still be
    running. `cancel` is when a dose is cancelled. `infused` (I) and `steady` (S) are the places of
    infusions among the doses and of steady states among the records, -1 for none.
    """

    time: Float[np.ndarray, " R"]
    origin: Float[np.ndarray, " R"]
    keep: Float[np.ndarray, " R"]
    fresh: Float[np.ndarray, " R"]
    record: Int[np.ndarray, " D"]
    number: Float[np.ndarray, " D"]
    interval: Float[np.ndarray, " D"]
    amount: Float[np.ndarray, " D"]
    state: Int[np.ndarray, " D"]
    rate: Float[np.ndarray, " D"]
    cancel: Float[np.ndarray, " D"]
    infused: Int[np.ndarray, " I"]
    steady: Int[np.ndarray, " S"]


def schedule(records: Records, overlap: int) -> Schedule:
    """The schedule of one subject; `overlap` implied doses may run into a steady state."""
    doses = np.isin(records.kind, (1, 4))
    resets = np.isin(records.kind, (3, 4))
    clears = resets | (doses & (records.steady == 1))
    time = _clock(records.time, resets)
    record, number = _written_out(records, doses, overlap)
    return Schedule(
        time=time,
        origin=_origins(time, doses & (records.amount > 0), resets),
        keep=np.where(clears, RESET, KEPT),
        fresh=(resets & (records.steady != 1)).astype(float),
        record=record,
        number=number,
        interval=records.interval[record],
        amount=records.amount[record],
        state=records.state[record],
        rate=records.rate[record],
        cancel=_next(time, clears)[record],
        infused=np.flatnonzero(records.rate[record] != 0),
        steady=np.flatnonzero(doses & (records.steady > 0)),
    )


def stacked(schedules: Sequence[Schedule]) -> list[Schedule]:
    """The same, all of the same shapes: padded with records and doses that do nothing."""
    sizes = {
        name: _rounded(max(getattr(each, name).size for each in schedules))
        for name in ("time", "record", "infused", "steady")
    }
    return [_padded(each, sizes) for each in schedules]


def _rounded(size: int) -> int:
    """Few lengths, so that few programs are compiled."""
    return 0 if size == 0 else max(8, 1 << (size - 1).bit_length())


def _padded(s: Schedule, sizes: dict[str, int]) -> Schedule:
    neutral = {"keep": KEPT, "fresh": 0.0, "amount": 0.0, "rate": 0.0, "cancel": -np.inf}
    like = dict.fromkeys(("time", "origin", "keep", "fresh"), "time")
    like |= {"infused": "infused", "steady": "steady"}
    longer = {}
    for part in fields(s):
        value = getattr(s, part.name)
        more = sizes[like.get(part.name, "record")] - value.size
        last = value[-1] if value.size else 0
        if part.name in ("infused", "steady"):
            last = -1
        tail = np.full(more, neutral.get(part.name, last), value.dtype)
        longer[part.name] = np.concatenate([value, tail])
    return replace(s, **longer)


def _clock(time: np.ndarray, resets: np.ndarray) -> np.ndarray:
    """Time that goes on where a reset sets it back."""
    back = np.where(resets, np.maximum(-np.diff(time, prepend=time[:1]), 0.0), 0.0)
    return time + np.cumsum(back)


def _origins(time: np.ndarray, given: np.ndarray, resets: np.ndarray) -> np.ndarray:
    """The first dose since the last reset, for every record; its first record if there is none."""
    span = np.cumsum(resets)
    found = np.empty(time.size)
    for part in np.unique(span):
        own = np.flatnonzero(span == part)
        dosed = own[given[own]]
        found[own] = time[dosed[0]] if dosed.size else time[own[0]]
    return found


def _next(time: np.ndarray, clears: np.ndarray) -> np.ndarray:
    """When the next record that clears comes, for every record; never is infinity."""
    found, coming = np.full(time.size, np.inf), np.inf
    for k in range(time.size - 1, -1, -1):
        found[k] = coming
        if clears[k]:
            coming = time[k]
    return found


def _written_out(
    records: Records, doses: Bool[np.ndarray, " R"], overlap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each dose's record and number."""
    record, number = [np.zeros(0, int)], [np.zeros(0)]
    for r in np.flatnonzero(doses):
        implied = overlap if records.steady[r] and records.rate[r] != 0 else 0
        own = np.arange(-implied, records.further[r] + 1.0)
        record.append(np.full(own.size, r))
        number.append(own)
    return np.concatenate(record), np.concatenate(number)
