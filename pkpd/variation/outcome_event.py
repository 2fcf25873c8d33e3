"""The time of an event from its hazard h and cumulative hazard H = int h dt.

    y = 0, none by then                   -H
    y = 1, at that time                   log h - H
    y = 2, since the visit before, when
           the cumulative hazard was B    log(exp(-B) - exp(-H)) = -B + log(1 - exp(-(H - B)))

One row a subject: h, H and B are those at the subject's last time seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.variation.censored import Rows, by_rows
from pkpd.variation.residual import Numbers, held

LEAST = 1e-100
"""Least hazard, and least growth of it between visits, of which a logarithm is taken."""


class Hazards(NamedTuple):
    """Hazard and cumulative hazard at the time, and cumulative hazard at the visit before."""

    hazard: Array
    cumulative: Array
    before: Array | float = 0.0


@dataclass(frozen=True)
class Event:
    """An event that may come once; f is a `Hazards`, or a plain (hazard, cumulative)."""

    parameters: tuple[str, ...] = ()


def _hazards(f: Hazards | tuple[Array, Array]) -> Hazards:
    return f if isinstance(f, Hazards) else Hazards(f[0], f[1])


def log_density(spec: Event, y: np.ndarray, f: Hazards | tuple[Array, Array], q: Numbers) -> Array:
    """Log-likelihood of each time: y is 0, 1 or 2 as above, and data."""
    hazards = _hazards(f)

    def of_kind(kind: int, at: Rows) -> Array:
        hazard, cumulative, before = (at.each(each) for each in hazards)
        match kind:
            case 0:
                return -cumulative
            case 1:
                return jnp.log(held(hazard, LEAST)) - cumulative
            case 2:
                grown = held(cumulative - before, LEAST)
                return jnp.log(-jnp.expm1(-grown)) - before
        raise ValueError(
            f"an event is 0 (none), 1 (then) or 2 (since the visit before), not {kind}"
        )

    return by_rows(np.asarray(y).astype(int), of_kind)


def mean(spec: Event, f: Hazards | tuple[Array, Array], q: Numbers) -> Array:
    """P(event by the time) = 1 - exp(-H)."""
    return -jnp.expm1(-_hazards(f).cumulative)


def draw(spec: Event, key: Array, f: Hazards | tuple[Array, Array], q: Numbers) -> Array:
    """1 where the event has come by the time, else 0."""
    share = mean(spec, f, q)
    return jax.random.bernoulli(key, share).astype(int)


def event_times(
    key: Array, times: Float[np.ndarray, " T"], cumulative: Float[Array, "T N"]
) -> Float[Array, " N"]:
    """One time of event for each of N subjects from H at T times; infinite if later than these.

    H(time) = E, E standard exponential; H is taken as straight between the times.
    """
    size = cumulative.shape[1]
    wanted = jax.random.exponential(key, (size,))
    found = jax.vmap(lambda e, line: jnp.interp(e, line, times))(wanted, cumulative.T)
    return jnp.where(wanted <= cumulative[-1], found, jnp.inf)
