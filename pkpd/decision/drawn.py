"""A plan followed for many draws: shares kept by draw, two draws at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level.problem import Likelihood
from pkpd.decision.forked import followed, fork
from pkpd.decision.shares import shares
from pkpd.prediction.plan import Plan
from pkpd.prediction.simulated import Draws

THREADS = 2
"""Draws solved side by side: each solve keeps one core busy."""


@dataclass(frozen=True)
class Outcome:
    """What is followed: responders of an endpoint, under an estimand."""

    endpoint: str
    estimand: str


@dataclass(frozen=True)
class Kept:
    """By draw: the share of the selected who respond, and the share who are selected.

    `share` is of shape (draws, groups, regimens, visits), `selected` (draws, groups).
    """

    share: Float[np.ndarray, "draws groups regimens visits"]
    selected: Float[np.ndarray, "draws groups"]


def kept_by_draw(
    likelihood: Likelihood,
    plan: Plan,
    draws: Draws,
    groups: Float[np.ndarray, "groups patients"],
    outcome: Outcome,
) -> Kept:
    """Follow a plan's patients under every draw, in the order of the draws."""
    one = program(likelihood, plan, groups, outcome)
    count = len(next(iter(draws.values())))
    names = likelihood.space.names

    def found(k: int) -> tuple[np.ndarray, np.ndarray]:
        share, selected = one({name: np.asarray(draws[name][k]) for name in names})
        return np.asarray(share), np.asarray(selected)

    results = list(_in_turn(found, count))
    return Kept(np.stack([share for share, _ in results]), np.stack([s for _, s in results]))


def _in_turn(found: Callable, count: int) -> Iterator:
    """Each draw's answer, in order; the first alone, since it compiles."""
    yield found(0)
    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(found, range(1, count))


def program(
    likelihood: Likelihood, plan: Plan, groups: np.ndarray, outcome: Outcome
) -> Callable[[Mapping], tuple[Array, Array]]:
    """Compiled: one draw's values -> shares and share selected, as `shares` gives them."""
    cut, trial = fork(plan), int(plan.lanes.trial[0])
    staying = outcome.estimand != "hypothetical"

    @jax.jit
    def one(values: Mapping[str, Array], levels: tuple[Array, Array]) -> tuple[Array, Array]:
        seen = followed(likelihood.disease, values, cut.holding(levels), staying=staying)
        return shares(
            values,
            seen,
            plan.weeks,
            groups,
            endpoint=outcome.endpoint,
            estimand=outcome.estimand,
            trial=trial,
        )

    levels = cut.levels
    return lambda values: one(values, levels)
