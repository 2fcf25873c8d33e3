"""Posted rows gathered into `Summaries`, one a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from pkpd.arm_level import endpoints, entered
from pkpd.arm_level.summaries import Summaries, anscombe
from pkpd.data.arms import Arm, ArmData
from pkpd.model import Model
from pkpd.responses import RESPONSES
from pkpd.settings import Endpoint


def fitted_rows(data: ArmData, chosen: Iterable[Endpoint]) -> pd.DataFrame:
    """The rows of the endpoints a fit names; week-0 rows describe baselines and are not fitted."""
    keys = {(e.endpoint, e.statistic, e.estimand) for e in chosen}
    rows = data.rows
    found = [key in keys for key in zip(rows.endpoint, rows.statistic, rows.estimand, strict=True)]
    return rows[np.array(found) & (rows.week > 0)]


def gather(
    data: ArmData,
    chosen: Iterable[Endpoint],
    place: Mapping[tuple[str, str], int],
    days: np.ndarray,
    pk: Mapping[str, Model],
    discrepancy: float = 0.0,
) -> tuple[Summaries, ...]:
    """The summaries of every study with fitted rows, in the order of the arms."""
    rows = fitted_rows(data, chosen)
    studies = dict.fromkeys(arm.study for arm in data.arms)
    return tuple(
        replace(
            _study(data, study, rows[rows.study == study], place, days, pk),
            discrepancy=discrepancy,
        )
        for study in studies
        if (rows.study == study).any()
    )


def _columns(data: ArmData, study: str, rows: pd.DataFrame, entering: bool) -> tuple[str, ...]:
    if entering:
        return entered.COLUMNS
    feeds = any(arm.parent is not None and arm.parent[0] == study for arm in data.arms)
    concentrations = (rows.endpoint == "CONC").any()
    return (*endpoints.COLUMNS, *["ENTRY"] * feeds, *["CONC"] * bool(concentrations))


def _study(
    data: ArmData,
    study: str,
    rows: pd.DataFrame,
    place: Mapping[tuple[str, str], int],
    days: np.ndarray,
    pk: Mapping[str, Model],
) -> Summaries:
    arms = [arm for arm in data.arms if arm.study == study]
    weeks = np.unique(rows.week)
    entering = arms[0].parent is not None
    columns = _columns(data, study, rows, entering)
    n = np.array([float(arm.n) for arm in arms])
    shape = (len(arms), len(weeks), len(columns))
    observed, sampled, seen = np.zeros(shape), np.ones(shape[:2]), np.ones(shape[:2])
    posted = np.zeros(shape, bool)
    names = [arm.name for arm in arms]

    def put(a: int, t: int, column: str, value: float) -> None:
        observed[a, t, columns.index(column)] = value
        posted[a, t, columns.index(column)] = True

    for row in rows.to_dict("records"):
        a, t = names.index(row["arm"]), int(np.searchsorted(weeks, row["week"]))
        if row["endpoint"] in RESPONSES:
            put(a, t, row["endpoint"], float(anscombe(row["count"] / row["denominator"], n[a])))
        elif row["endpoint"] == "EASI_PCHG":
            put(a, t, "EASI_PCHG", row["value"] / 100)
            put(a, t, "present", float(anscombe(row["n"] / n[a], n[a])))
            seen[a, t] = row["n"] / n[a]
        elif row["endpoint"] == "CONC" and row["value"] > 0:
            put(a, t, "CONC", float(np.log(row["value"])))
            sampled[a, t] = row["n"] / n[a]
    if "ENTRY" in columns:
        _entries(data, arms, weeks, put)
    if entering:
        posted[:, 0, 0] = False
    residual = [_assay(pk.get(arm.drug)) for arm in arms]
    return Summaries(
        study=study,
        columns=columns,
        arms=tuple(names),
        run=np.array([place[study, name] for name in names]),
        n=n,
        weeks=weeks,
        day=np.searchsorted(days, weeks * 7.0 - 1e-6),
        observed=observed.reshape(len(arms), -1),
        posted=posted.reshape(len(arms), -1),
        share_seen=seen,
        share_sampled=sampled,
        residual=np.array(residual),
        entered=entering,
    )


def _assay(model: Model | None) -> float:
    """Proportional error of one concentration; 0.1 where no model states it."""
    return model.residual.sd if model and model.residual else 0.1


def _entries(
    data: ArmData, arms: list[Arm], weeks: np.ndarray, put: Callable[[int, int, str, float], None]
) -> None:
    """How many patients of each arm were re-randomised, at the selection visit."""
    for a, arm in enumerate(arms):
        children = [c for c in data.arms if c.parent == (arm.study, arm.name)]
        week = children[0].entry_week if children else None
        if week is not None:
            t = int(np.searchsorted(weeks, week))
            count = float(sum(child.n for child in children))
            put(a, t, "ENTRY", float(anscombe(count / arm.n, float(arm.n))))
