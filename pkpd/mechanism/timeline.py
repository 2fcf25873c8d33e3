"""One subject's records as steps: advance to a time, under constant infusions, then add doses.

The order of things at equal times is that of NONMEM's PREDPP: records in their own order;
doses from ADDL, and doses delayed by a lag, before any record at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Records:
    """One subject's records, arrays of one length.

    `share` and `lag` are the bioavailability and the delay of each record's compartment.
    """

    time: Float[np.ndarray, " records"]
    dose: Bool[np.ndarray, " records"]
    amount: Float[np.ndarray, " records"]
    state: Int[np.ndarray, " records"]
    rate: Float[np.ndarray, " records"]
    further: Int[np.ndarray, " records"]
    interval: Float[np.ndarray, " records"]
    share: Float[np.ndarray, " records"]
    lag: Float[np.ndarray, " records"]


@dataclass(frozen=True)
class Timeline:
    """Steps: over [start, end] under `infusion`, then `bolus` is added.

    `governs` is the record whose parameters hold over the step, `read` the step after which
    each record's state stands, `origin` the time of the first dose.
    """

    start: Float[np.ndarray, " steps"]
    end: Float[np.ndarray, " steps"]
    infusion: Float[np.ndarray, "steps states"]
    bolus: Float[np.ndarray, "steps states"]
    governs: Int[np.ndarray, " steps"]
    read: Int[np.ndarray, " records"]
    origin: float


@dataclass(frozen=True)
class _Doses:
    """Every single dose, further ones written out; `record` is the one that orders it."""

    when: Float[np.ndarray, " doses"]
    stop: Float[np.ndarray, " doses"]
    amount: Float[np.ndarray, " doses"]
    record: Int[np.ndarray, " doses"]
    at_record: Bool[np.ndarray, " doses"]
    infused: Bool[np.ndarray, " doses"]


def timeline(records: Records, states: int) -> Timeline:
    """The steps of one subject, padded to one of few lengths.

    A record's own parameters govern the interval that ends at it. A delay and a share are those
    of the record that orders the dose, for its further doses too. A share acts on the duration
    of an infusion, not on its rate.
    """
    doses = _doses(records)
    count = len(records.time)
    apart, at_once = ~doses.at_record, ~doses.infused
    time = np.concatenate([records.time, doses.when[apart], doses.stop[doses.infused]])
    order = np.where(np.arange(len(time)) < count, np.arange(len(time)), -1)
    keep = np.flatnonzero(time <= records.time[-1])
    keep = keep[np.lexsort((order[keep], time[keep]))]

    item = doses.record.copy()
    item[apart] = count + np.arange(apart.sum())
    bolus = np.zeros((len(time), states))
    bolus[item[at_once], records.state[doses.record[at_once]]] = doses.amount[at_once]

    end = time[keep]
    start = np.concatenate([records.time[:1], end[:-1]])
    read = np.flatnonzero(keep < count)
    taken = records.dose & (records.amount > 0)
    return Timeline(
        start=start,
        end=end,
        infusion=_flow(records, doses, (start + end) / 2, states),
        bolus=bolus[keep],
        governs=np.searchsorted(read, np.arange(len(keep))),
        read=read,
        origin=float(records.time[taken][0] if taken.any() else records.time[0]),
    )


def common_length(lines: Iterable[Timeline]) -> int:
    """A power of two no line is longer than, 16 at least: subjects so share one program."""
    return max(16, 1 << (max(len(line.end) for line in lines) - 1).bit_length())


def padded(steps: Timeline, length: int) -> Timeline:
    """The same with steps of no time at its end, `length` in all."""
    more = length - len(steps.end)
    last = {
        "start": steps.end[-1],
        "end": steps.end[-1],
        "infusion": 0.0,
        "bolus": 0.0,
        "governs": steps.governs[-1],
    }
    longer = {}
    for name, value in last.items():
        array = getattr(steps, name)
        tail = np.full((more, *array.shape[1:]), value, array.dtype)
        longer[name] = np.concatenate([array, tail])
    return replace(steps, **longer)


def _doses(records: Records) -> _Doses:
    ordered = np.flatnonzero(records.dose)
    record = np.repeat(ordered, 1 + records.further[ordered])
    first = np.concatenate([[True], np.diff(record) > 0])[: len(record)]
    number = np.arange(len(record)) - np.maximum.accumulate(
        np.where(first, np.arange(len(record)), 0)
    )
    when = records.time[record] + number * records.interval[record] + records.lag[record]
    amount = records.amount[record] * records.share[record]
    infused = records.rate[record] > 0
    lasts = np.where(infused, amount / np.where(infused, records.rate[record], 1.0), 0.0)
    return _Doses(
        when=_snapped(when, records.time),
        stop=_snapped(when + lasts, records.time),
        amount=amount,
        record=record,
        at_record=(number == 0) & (records.lag[record] == 0),
        infused=infused,
    )


def _flow(
    records: Records, doses: _Doses, middle: Float[np.ndarray, " steps"], states: int
) -> Float[np.ndarray, "steps states"]:
    """The infusion rate into each state over each step; overlapping infusions add."""
    running = (doses.when <= middle[:, None]) & (middle[:, None] < doses.stop) & doses.infused
    into = np.eye(states)[records.state[doses.record]] * records.rate[doses.record][:, None]
    return running @ into


def _snapped(times: np.ndarray, records: np.ndarray) -> np.ndarray:
    """Times a rounding away from a record moved onto it: 3 x 0.1 is 0.3."""
    place = (
        np.clip(np.searchsorted(records, times), 1, len(records) - 1)
        if len(records) > 1
        else np.zeros(len(times), int)
    )
    below, above = records[np.maximum(place - 1, 0)], records[place]
    near = np.where(times - below < above - times, below, above)
    return np.where(np.abs(near - times) <= 1e-9 * (1 + np.abs(times)), near, times)
