"""A planned trial followed under every draw, in a trial not yet seen, and its assurance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pkpd.decision.answering import Contender
from pkpd.decision.drawn import kept_by_draw
from pkpd.decision.sizing import Planned, Size, assurance, size_for
from pkpd.decision.sources import STACKED
from pkpd.decision.trial_asked import TrialAsked
from pkpd.prediction.estimands import POLICY, Outcome
from pkpd.prediction.plan import Plan, plan
from pkpd.prediction.seen import flag, seen
from pkpd.prediction.simulated import random_of, with_new_trial
from pkpd.prediction.summarise import KIND
from pkpd.settings import Question

COLUMNS = (
    "drug", "induction", "endpoint", "estimand", "week", "reference", "arm", "n", "margin",
    "one_sided_level", "test", "model", "assurance", "mcse", "limit", "wanted", "n_least",
    "n_greatest", "enrolled", "enrolled_lower", "enrolled_upper", "level", "kind", "flag",
    "status",
)  # fmt: skip


@dataclass(frozen=True)
class Followed:
    """By draw, the share responding in each arm, and the share selected at the end of induction."""

    share: Float[np.ndarray, "draws arms"]
    selected: Float[np.ndarray, " draws"]


def trial_rows(
    question: Question,
    contenders: Sequence[Contender],
    weights: Mapping[str, float],
    asked: TrialAsked,
    chains: int,
    status: str,
) -> list[dict]:
    """Rows of assurance.csv for one question."""
    made, found = _followed(question, contenders, asked)
    models = _models(found, weights, chains)
    flags = _flags(contenders[0], made, asked)
    first = {
        "drug": question.drug,
        "induction": question.induction,
        "endpoint": asked.endpoint,
        "estimand": asked.estimand,
        "week": asked.week,
        "reference": asked.arms[0],
        "margin": asked.margin,
        "one_sided_level": asked.one_sided_level,
        "test": asked.test,
        "level": asked.level,
        "kind": KIND,
        "status": status,
    }
    chosen = {name: each.selected for name, each in found.items()}
    chosen[STACKED] = np.array([np.nan])
    return [
        {
            **first,
            "model": name,
            "flag": flags.get(row["arm"], ""),
            **row,
            **_enrolled(row, chosen[name], asked),
        }
        for name, parts in models.items()
        for row in _answers(parts, asked)
    ]


def _followed(
    question: Question, contenders: Sequence[Contender], asked: TrialAsked
) -> tuple[Plan, dict[str, Followed]]:
    """The plan, and every model's arms in the order asked for, in a trial of its own effects."""
    scored = sum((random_of(each.likelihood.disease) for each in contenders), ())
    own = contenders[0].likelihood
    predictions = asked.predictions(own.settings.predictions)
    own = replace(own, settings=own.settings.model_copy(update={"predictions": predictions}))
    leaving = asked.estimand == POLICY
    made = plan(own, question, new_trial=True, scored=tuple(dict.fromkeys(scored)), leaving=leaving)
    places = [made.intervals.index(interval) for interval in asked.intervals]
    everybody = np.ones((1, made.lanes.easi.shape[1]))
    found = {}
    for each in contenders:
        draws = with_new_trial(each.likelihood, each.draws, asked.seed)
        outcome = Outcome(asked.endpoint, asked.estimand)
        kept = kept_by_draw(each.likelihood, made, draws, {outcome: everybody})[outcome]
        found[each.name] = Followed(kept.share[:, 0, places, -1], kept.selected[:, 0])
    return made, found


def _models(
    found: Mapping[str, Followed], weights: Mapping[str, float], chains: int
) -> dict[str, tuple[Planned, ...]]:
    """Each model's draws by chain, and all of them stacked where there are weights."""
    each = {name: _by_chain(one.share, chains) for name, one in found.items()}
    models: dict[str, tuple[Planned, ...]] = {n: (Planned(share),) for n, share in each.items()}
    if weights:
        models[STACKED] = tuple(Planned(share, weights[name]) for name, share in each.items())
    return models


def _by_chain(share: np.ndarray, chains: int) -> np.ndarray:
    """Shares (chains, draws, arms); one chain where the draws do not part evenly."""
    parts = chains if len(share) % chains == 0 and len(share) // chains >= 4 else 1
    return share.reshape(parts, -1, share.shape[-1])


def _answers(models: tuple[Planned, ...], asked: TrialAsked) -> list[dict]:
    """For each size asked for, and the size searched, a row an arm."""
    arms, design = asked.arms, asked.design
    limits = assurance(models, arms, None, design)
    found = []
    for size in asked.sizes:
        for arm, said in assurance(models, arms, int(size), design).items():
            found.append(_row(arm, int(size), said.value, said.error, limits[arm].value))
    for arm in limits if asked.wanted is not None else ():
        size = size_for(asked.wanted or 0.0, models, arms, arm, design)
        value, error = np.nan, np.nan
        if size.patients is not None:
            said = assurance(models, arms, size.patients, design)[arm]
            value, error = said.value, said.error
        row = _row(arm, size.patients, value, error, limits[arm].value)
        found.append(row | {"wanted": asked.wanted, **_between(size)})
    return found


def _row(arm: str, size: int | None, value: float, error: float, limit: float) -> dict:
    n = np.nan if size is None else size
    return {"arm": arm, "n": n, "assurance": value, "mcse": error, "limit": limit}


def _between(size: Size) -> dict[str, float]:
    return {
        "n_least": np.nan if size.least is None else size.least,
        "n_greatest": np.nan if size.greatest is None else size.greatest,
    }


def _enrolled(row: dict, selected: np.ndarray, asked: TrialAsked) -> dict[str, float]:
    """Patients to start induction so that all arms are filled: median and interval over draws."""
    total = row["n"] * len(asked.arms) / selected
    if np.isnan(total).all():
        return {}
    low, middle, high = np.quantile(total, ((1 - asked.level) / 2, 0.5, (1 + asked.level) / 2))
    return {"enrolled": middle, "enrolled_lower": low, "enrolled_upper": high}


def _flags(own: Contender, made: Plan, asked: TrialAsked) -> dict[str, str]:
    known = seen(own.likelihood, made.question.drug)
    places = {
        arm: made.intervals.index(i) for arm, i in zip(asked.arms, asked.intervals, strict=True)
    }
    return {arm: flag(made, known, place, asked.week) for arm, place in places.items()}
