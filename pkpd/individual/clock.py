"""Subjects' steps set side by side by time, so that one part of the mesh serves all of them.

Subjects are advanced in lockstep: step k of all, then step k + 1. Where arms have doses or visits
at different times, step k of one subject is far in time from step k of another, and the parts that
one of them needs are run for all: a trial of 56 weeks with two dosing intervals costs as much as
one of 150. Here steps are cut at times that many subjects share, the clock, and those that end in
the same window of the clock stand in the same places; who has fewer waits there, in steps of no
length.
"""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from pkpd.mechanism.timeline import Timeline

SHARES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
"""A time is on the clock when at least this share of subjects has a step that ends there."""

OVERHEAD = 1 / 200
"""What a step costs beside its length, as a share of the whole time."""


def aligned(line: Timeline) -> Timeline:
    """The same timelines, (N, T), on the clock whose steps are cheapest to run; maybe as they were.

    States at records are the same: only steps are cut, steps of no length put between, and what
    comes after a subject's last record (doses that it did not live to get) left out.
    """
    line = _ended(line)
    since = np.asarray(line.start) - np.asarray(line.start)[:, :1]
    until = np.asarray(line.end) - np.asarray(line.start)[:, :1]
    span = float(until.max(initial=0.0))
    best, cost = None, _cost(until - since, span)
    for clock in _clocks(until, since, span):
        cuts = [_cut(a, b, clock) for a, b in zip(since, until, strict=True)]
        place, size = _places(cuts, clock)
        long = np.zeros((len(cuts), size))
        for lane, at, (_, start, end) in zip(long, place, cuts, strict=True):
            lane[at] = end - start
        if _cost(long, span) < cost:
            best, cost = (cuts, place, size), _cost(long, span)
    return line if best is None else _laid_out(line, *best)


def _ended(line: Timeline) -> Timeline:
    """Nothing happens after the last step that is read."""
    last = np.asarray(line.read).max(axis=1)[:, None]
    later = np.arange(np.shape(line.start)[1]) > last
    stop = jnp.take_along_axis(line.end, jnp.asarray(last), axis=1)
    return replace(
        line,
        start=jnp.where(later, stop, line.start),
        end=jnp.where(later, stop, line.end),
        keep=jnp.where(later, 1.0, line.keep),
        given=jnp.where(later[..., None], 0.0, line.given),
    )


def _cost(long: Float[np.ndarray, "N T"], span: float) -> float:
    """Time run through in lockstep, with what steps cost beside it."""
    most = long.max(axis=0)
    return float(most.sum() + OVERHEAD * span * (most > 0).sum())


def _clocks(until: np.ndarray, since: np.ndarray, span: float) -> list[Float[np.ndarray, " C"]]:
    """Clocks to try, none twice; the first and the last time of all are on each."""
    moved = until > since
    exact = np.round(until, 9)
    by_subject = [np.unique(row[some]) for row, some in zip(exact, moved, strict=True)]
    times, count = np.unique(np.concatenate(by_subject), return_counts=True)
    found = []
    for share in SHARES:
        clock = np.union1d(times[count >= share * len(until)], [0.0, np.round(span, 9)])
        if not found or clock.size > found[-1].size:
            found.append(clock)
    return found if times.size else []


Cuts = tuple[Int[np.ndarray, " K"], Float[np.ndarray, " K"], Float[np.ndarray, " K"]]
"""Pieces of one subject's steps in order: whose step each is, when it begins and ends."""


def _cut(since: Float[np.ndarray, " T"], until: Float[np.ndarray, " T"], clock: np.ndarray) -> Cuts:
    """One subject's steps cut at the times of the clock that lie inside them."""
    near = 1e-9 * (1 + np.abs(clock))
    first = np.searchsorted(clock - near, since, side="right")
    last = np.maximum(np.searchsorted(clock + near, until, side="left"), first)
    step = np.repeat(np.arange(since.size), last - first + 1)
    number = np.arange(step.size) - np.repeat(np.cumsum(last - first + 1), last - first + 1)
    number = number + (last - first + 1)[step]
    at = first[step] + number
    begin = np.where(number == 0, since[step], clock[np.minimum(at, clock.size) - 1])
    end = np.where(
        number == (last - first)[step], until[step], clock[np.minimum(at, clock.size - 1)]
    )
    return step, begin, end


def _places(cuts: list[Cuts], clock: np.ndarray) -> tuple[list[Int[np.ndarray, " K"]], int]:
    """Where each piece stands among the steps of all, and how many these are."""
    near = 1e-9 * (1 + np.abs(clock))
    windows = [np.searchsorted(clock + near, end, side="left") for _, _, end in cuts]
    windows = [np.minimum(np.maximum.accumulate(each), clock.size - 1) for each in windows]
    counts = np.array([np.bincount(each, minlength=clock.size) for each in windows])
    begins = np.concatenate([[0], np.cumsum(counts.max(axis=0))])
    return [
        begins[each] + np.arange(each.size) - np.searchsorted(each, each) for each in windows
    ], int(begins[-1])


def _laid_out(
    line: Timeline, cuts: list[Cuts], place: list[Int[np.ndarray, " K"]], size: int
) -> Timeline:
    """The timelines with their pieces in place."""
    count, told = len(cuts), np.asarray(line.read)
    whose = np.zeros((count, size), int)
    ends = np.zeros((count, size), bool)  # pieces that end their step, where its jump comes
    first = np.asarray(line.start)[:, 0]
    start, end = np.repeat(first[:, None], size, 1), np.repeat(first[:, None], size, 1)
    read = np.empty(told.shape, int)
    for n, ((step, begin, until), at) in enumerate(zip(cuts, place, strict=True)):
        closing = np.flatnonzero(np.diff(step, append=step[-1] + 1))
        waits = np.maximum(np.searchsorted(at, np.arange(size), side="right") - 1, 0)
        whose[n], end[n] = step[waits], first[n] + until[waits]
        start[n] = end[n]
        start[n, at] = first[n] + begin
        before = np.arange(size) < at[0]
        start[n, before] = end[n, before] = first[n]
        ends[n, at[closing]] = True
        read[n] = at[closing][told[n]]
    rows = np.arange(count)[:, None]
    return replace(
        line,
        start=jnp.asarray(start),
        end=jnp.asarray(end),
        origin=jnp.asarray(np.asarray(line.origin)[rows, whose]),
        flow=jnp.asarray(np.asarray(line.flow)[rows, whose]),
        keep=jnp.asarray(np.where(ends, np.asarray(line.keep)[rows, whose], 1.0)),
        given=jnp.asarray(np.where(ends[..., None], np.asarray(line.given)[rows, whose], 0.0)),
        governs=jnp.asarray(np.asarray(line.governs)[rows, whose]),
        read=jnp.asarray(read),
    )
