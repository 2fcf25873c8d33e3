"""The answer in a sentence, and models side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.diagnosis.leave_out import LeaveOut
from pkpd.diagnosis.stacking import stacking
from pkpd.settings import Predictions

WEEK, ENDPOINT, ESTIMAND = 72.0, "EASI75", "hypothetical"
"""Week 72 is 48 weeks after re-randomisation: every 4, 8, 12 and 16 weeks is at trough there."""


@dataclass(frozen=True)
class Contender:
    """A model, how it predicts left-out arms, and what it says of the regimens."""

    model: str
    loo: LeaveOut
    predictions: pd.DataFrame


def _row(table: pd.DataFrame, regimen: str, drug: str, induction: str) -> pd.Series | None:
    some = table[
        (table.regimen == regimen)
        & (table.drug == drug)
        & (table.induction == induction)
        & (table.week == WEEK)
        & (table.endpoint == ENDPOINT)
        & (table.estimand == ESTIMAND)
        & (table.statistic == "kept_ratio")
        & (table.layer == "uncertainty")
    ]
    return some.iloc[0] if len(some) else None


def sentence(table: pd.DataFrame, asked: Predictions) -> str:
    """One sentence a drug: what share of EASI-75 responders the longer regimens keep."""
    parts = []
    drugs = dict.fromkeys(question.drug for question in asked.questions)
    for drug in drugs:
        question = next(q for q in asked.questions if q.drug == drug)
        kept = {r: _row(table, r, drug, question.induction) for r in ("Q8W", "Q12W", "stop")}
        words = [
            f"{row['mean']:.0%} ({row['lower']:.0%} to {row['upper']:.0%}) {name}"
            for name, row in zip(
                ("every 8 weeks", "every 12 weeks", "when stopped"), kept.values(), strict=True
            )
            if row is not None
        ]
        if words:
            parts.append(
                f"Of week-24 EASI-75 responders to {drug} ({question.induction}), for every 100 "
                f"who would still respond at week {WEEK:g} on every 4 weeks, there are "
                f"{', '.join(words)}".replace("%", "")
            )
    if not parts:
        return "No question was asked in fit.toml."
    return f"{'. '.join(parts)} ({asked.level:.0%} equal-tailed intervals; no dropout)."


def comparison(contenders: Iterable[Contender], asked: Predictions) -> pd.DataFrame:
    """compare.csv: elpd of each model by leaving out an arm, and its answer for each question.

    `weight` is the model's share when models are stacked by those elpds.
    """
    entries = list(contenders)
    best = entries[0]
    weights = stacking(np.stack([entry.loo.elpd for entry in entries], axis=1))
    rows = []
    for entry, weight in zip(entries, weights, strict=True):
        gap = entry.loo.elpd - best.loo.elpd
        for question in asked.questions:
            row = {
                "model": entry.model,
                "elpd": entry.loo.total,
                "se": entry.loo.se,
                "elpd_diff": float(gap.sum()),
                "diff_se": float(np.sqrt(gap.size) * gap.std(ddof=1)),
                "pareto_k_max": float(entry.loo.pareto_k.max()),
                "weight": float(weight),
                "method": "PSIS, leaving out an arm, draws moved where k > 0.7",
                "level": asked.level,
                "kind": "eti",
                "drug": question.drug,
                "induction": question.induction,
                "week": WEEK,
                "endpoint": ENDPOINT,
                "estimand": ESTIMAND,
            }
            for regimen, name in (("Q8W", "kept_q8w"), ("stop", "kept_stop")):
                found = _row(entry.predictions, regimen, question.drug, question.induction)
                if found is not None:
                    row |= {
                        name: found["mean"],
                        f"{name}_lower": found["lower"],
                        f"{name}_upper": found["upper"],
                    }
            rows.append(row)
    return pd.DataFrame(rows)
