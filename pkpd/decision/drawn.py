"""A plan followed for many draws, side by side: shares kept by draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from pkpd.arm_level.problem import Likelihood
from pkpd.decision.forked import Frame, Moving, followed, fork
from pkpd.decision.shares import responding, shares
from pkpd.model import Model
from pkpd.prediction.estimands import POLICY, Outcome
from pkpd.prediction.plan import Plan
from pkpd.prediction.simulated import Draws
from pkpd.threads import side_by_side

Asked = Mapping[Outcome, Float[np.ndarray, "groups patients"]]


@dataclass(frozen=True)
class Kept:
    """By draw, of one outcome: the share of the selected who respond, and the share selected.

    `share` is of shape (draws, groups, regimens, visits), `selected` (draws, groups).
    """

    share: Float[np.ndarray, "draws groups regimens visits"]
    selected: Float[np.ndarray, "draws groups"]

    def among(self, rest: Kept, own: Bool[np.ndarray, " draws"]) -> Kept:
        """These draws where `own` is true and those of `rest` elsewhere, each in its order."""
        order = np.argsort(np.argsort(~own, kind="stable"))
        return Kept(
            np.concatenate([self.share, rest.share])[order],
            np.concatenate([self.selected, rest.selected])[order],
        )


def kept_by_draw(
    likelihood: Likelihood,
    plan: Plan,
    draws: Draws,
    asked: Asked,
) -> dict[Outcome, Kept]:
    """Follow a plan's patients under every draw, in the order of the draws.

    `asked` has, for each outcome, what the patients of each of its groups weigh.
    """
    one = program(likelihood, plan, asked)
    count = len(next(iter(draws.values())))
    names = likelihood.space.names

    def found(k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        told = one({name: np.asarray(draws[name][k]) for name in names})
        return [(np.asarray(share), np.asarray(selected)) for share, selected in told]

    results = zip(*_in_turn(found, count), strict=True)
    return {
        outcome: Kept(*(np.stack(parts) for parts in zip(*each, strict=True)))
        for outcome, each in zip(asked, results, strict=True)
    }


def kept_beside(
    likelihood: Likelihood, plan: Plan, draws: Draws, full: Asked, brief: Asked, few: int
) -> dict[Outcome, Kept]:
    """Outcomes `full` under every draw, `brief` under every `few`-th, each draw solved once.

    What the estimands need beyond the hypothetical one costs as much again and more.
    """
    chosen = np.arange(len(next(iter(draws.values())))) % few == 0
    found = kept_by_draw(likelihood, plan, _some(draws, chosen), {**full, **brief})
    if chosen.all():
        return found
    rest = kept_by_draw(likelihood, plan, _some(draws, ~chosen), full)
    return {**found, **{each: found[each].among(rest[each], chosen) for each in full}}


def _some(draws: Draws, chosen: np.ndarray) -> Draws:
    return {name: np.asarray(value)[chosen] for name, value in draws.items()}


def _in_turn(found: Callable, count: int) -> Iterator:
    """Each draw's answer, in order; the first alone, since it may compile."""
    yield found(0)
    yield from side_by_side(found, range(1, count))


def program(
    likelihood: Likelihood, plan: Plan, asked: Asked
) -> Callable[[Mapping], list[tuple[Array, Array]]]:
    """Compiled: one draw's values -> an outcome's shares and share selected, as `shares` has them.

    Patients are solved once for all outcomes.
    """
    cut = fork(plan, leaving=any(outcome.estimand == POLICY for outcome in asked))
    groups = tuple(jnp.asarray(each) for each in asked.values())
    fixed: dict[str, Any] = {
        "disease": likelihood.disease,
        "frame": cut.frame,
        "weeks": tuple(plan.weeks.tolist()),
        "outcomes": tuple(asked),
    }
    moving = cut.moving
    return lambda values: _one(values, moving, groups, **fixed)


@partial(jax.jit, static_argnames=("disease", "frame", "weeks", "outcomes"))
def _one(
    values: Mapping[str, Array],
    moving: Moving,
    groups: tuple[Array, ...],
    *,
    disease: Model,
    frame: Frame,
    weeks: tuple[float, ...],
    outcomes: tuple[Outcome, ...],
) -> list[tuple[Array, Array]]:
    """One program for all questions of a frame: drugs, doses and patients are handed in."""
    cut, when = frame.fork.holding(moving), np.asarray(weeks)
    staying = any(outcome.estimand != "hypothetical" for outcome in outcomes)
    seen = followed(disease, values, cut, staying=staying)
    both = {
        each: responding(values, seen, when, endpoint=each, trial=cut.late.trial[0])
        for each in dict.fromkeys(outcome.endpoint for outcome in outcomes)
    }
    return [
        shares(values["missed"], seen.stay, both[outcome.endpoint], weigh, outcome.estimand)
        for outcome, weigh in zip(outcomes, groups, strict=True)
    ]
