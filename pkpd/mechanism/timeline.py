"""A schedule met with parameters: steps to advance over, under constant infusions.

In jax throughout, so that a lag, a share, a rate or a duration may be estimated: the order of
events is found anew for each value, gradients run through their times and amounts.

At equal times records keep their own order; further doses, and doses delayed by a lag, come before
any record at the same time (PREDPP). A record's own parameters govern the interval that ends at
it; the share, lag, rate and duration of a dose are those of the record that orders it, for its
further doses too. A share acts on the duration of an infusion of given rate, on the rate of one of
given duration.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from pkpd.mechanism.schedule import Schedule

RATE_MODELLED, DURATION_MODELLED = -1.0, -2.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Dosing:
    """What becomes of a dose, by record: share that arrives, lag, modelled rate and duration."""

    share: Float[Array, " R"]
    lag: Float[Array, " R"]
    rate: Float[Array, " R"]
    duration: Float[Array, " R"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Timeline:
    """Steps (T): over [start, end] under `flow`; then the state times `keep`, plus `given`.

    `governs` is the record whose parameters hold over the step, `read` the step after which each
    record's state stands, `origin` the model's time zero. `renew`, if any, is the category that a
    chain is known to be in after the step, -1 where nothing was seen.
    """

    start: Float[Array, " T"]
    end: Float[Array, " T"]
    origin: Float[Array, " T"]
    flow: Float[Array, "T states"]
    keep: Float[Array, " T"]
    given: Float[Array, "T states"]
    governs: Int[Array, " T"]
    read: Int[Array, " R"]
    renew: Int[Array, " T"] | None = None


@dataclass(frozen=True)
class Infusions:
    """Arrival, end, rate into the body, and amount at once, of every dose."""

    begin: Float[Array, " D"]
    stop: Float[Array, " D"]
    rate: Float[Array, " D"]
    amount: Float[Array, " D"]


def arrivals(s: Schedule, d: Dosing) -> Infusions:
    """When doses arrive and how; those cancelled before they arrive bring nothing."""
    share, lag = d.share[s.record], d.lag[s.record]
    rate, lasts = flow_of(
        jnp.asarray(s.amount) * share, jnp.asarray(s.rate), d.rate[s.record], d.duration[s.record]
    )
    due = jnp.asarray(s.time[s.record] + s.number * s.interval)
    when = _snapped(due + lag, jnp.asarray(s.time))
    stop = _snapped(when + lasts, jnp.asarray(s.time))
    alive = when <= s.cancel  # at its very time the dose comes first: records between see it
    infused = (s.rate != 0) & alive & (s.amount > 0)
    at_once = (s.rate == 0) & alive
    return Infusions(
        begin=jnp.maximum(when, s.time[s.record]),
        stop=jnp.where(infused, jnp.minimum(stop, s.cancel), when),
        rate=jnp.where(infused, rate, 0.0),
        amount=jnp.where(at_once, s.amount * share, 0.0),
    )


def flow_of(amount: Array, told: Array, rate: Array, duration: Array) -> tuple[Array, Array]:
    """Rate and duration of an infusion of `amount`, RATE `told` (above zero, -1 or -2)."""
    timed = told == DURATION_MODELLED
    given = jnp.where(told == RATE_MODELLED, rate, jnp.where(told > 0, told, 1.0))
    lasts = jnp.where(timed, duration, amount / given)
    return jnp.where(timed, amount / jnp.where(timed, duration, 1.0), given), lasts


def timeline(s: Schedule, d: Dosing, states: int) -> Timeline:
    """The steps of one subject: one for each record, dose and end of an infusion."""
    records, came = jnp.arange(s.time.size), arrivals(s, d)
    at_record = (s.number == 0) & (came.begin == s.time[s.record])
    ends = jnp.where(s.infused < 0, s.time[-1], came.stop[s.infused])
    time = jnp.concatenate([jnp.asarray(s.time), came.begin, ends])
    place = jnp.concatenate(
        [records, jnp.where(at_record, s.record + 0.5, -1.0), jnp.full(ends.size, -1.0)]
    )
    last = s.time[-1]
    place = jnp.where(time > last, jnp.inf, place)
    time = jnp.minimum(time, last)
    order = jnp.lexsort((place, time))
    end = time[order]
    start = jnp.concatenate([end[:1], end[:-1]])
    is_record = order < s.time.size
    governs = jnp.minimum(jnp.cumsum(is_record) - is_record, s.time.size - 1)
    one_hot = jnp.eye(states)[s.state]
    given = jnp.zeros((time.size, states))
    given = given.at[s.time.size : s.time.size + came.begin.size].set(
        one_hot * came.amount[:, None]
    )
    keep = jnp.concatenate([jnp.asarray(s.keep), jnp.ones(time.size - s.time.size)])
    return Timeline(
        start=start,
        end=end,
        origin=jnp.asarray(s.origin)[governs],
        flow=_running(came, (start + end) / 2) @ one_hot,
        keep=keep[order],
        given=given[order],
        governs=governs,
        read=jnp.argsort(order)[: s.time.size],
    )


def _running(came: Infusions, middle: Float[Array, " T"]) -> Float[Array, "T D"]:
    """The rate of every infusion over every step; overlapping ones add."""
    running = (came.begin <= middle[:, None]) & (middle[:, None] < came.stop)
    return running * came.rate


def _snapped(times: Float[Array, " D"], records: Float[Array, " R"]) -> Float[Array, " D"]:
    """Times a rounding away from a record moved onto it: 3 x 0.1 is 0.3."""
    near = records[jnp.argmin(jnp.abs(times[:, None] - records), axis=1)]
    off = jax.lax.stop_gradient(near - times)
    finite = jnp.isfinite(times)
    close = finite & (jnp.abs(off) <= 1e-9 * (1 + jnp.abs(jnp.where(finite, times, 0.0))))
    return times + jnp.where(close, off, 0.0)
