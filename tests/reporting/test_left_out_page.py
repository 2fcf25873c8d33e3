"""What was left out on the page: its table and figure, its labels, and only of this very fit."""

from __future__ import annotations

import itertools
import json
import re

import pandas as pd
import pytest

from pkpd.provenance import one_hash
from pkpd.reporting import report
from pkpd.validation.scoring import COLUMNS, ROW_COLUMNS

TITLE, ARMS, WEEKS = "STREAM-AD-2", ("continued", "withdrawn"), (28.0, 40.0, 52.0)
MODELS = (("memory", 0.0, 1.0), ("direct", -2.5, 1.4), ("carry_forward", -0.5, 1.2))


def scores(hashes, missed=""):
    shared = {"left_out": TITLE, "part": "all", "endpoint": "EASI_PCHG", "unit": "points of 100",
              "rows": 6, "arms": 2, "coverage": 5 / 6, "level": 0.9, "kind": "eti", "width": 21.5,
              "log_score": 0.9, "crps": 4.2, "fit_hash": one_hash(hashes)}  # fmt: skip
    made = [
        {**shared, "forecaster": who, "log_score_diff": diff, "diff_se": 0.7, "crps_ratio": ratio,
         "width_ratio": 1.1, "missed": missed if who == "direct" else "",
         "passed": not (missed and who == "direct")}
        for who, diff, ratio in MODELS
    ]  # fmt: skip
    return pd.DataFrame(made, columns=list(COLUMNS))


def rows():
    made = []
    for (who, _, _), arm, week in itertools.product(MODELS, ARMS, WEEKS):
        seen = -80.0 if (arm, week) != ("withdrawn", 52.0) else -20.0
        made.append({
            "left_out": TITLE, "forecaster": who, "study": TITLE, "arm": arm, "week": week,
            "endpoint": "EASI_PCHG", "statistic": "mean", "estimand": "observed", "n": 30,
            "observed": seen, "mean": -78.0, "lower": -90.0, "upper": -60.0, "level": 0.9,
            "kind": "eti", "inside": seen == -80.0, "log_score": 1.0, "crps": 2.0,
            "part": "on drug", "given": "week 24", "passed": True,
        })  # fmt: skip
    return pd.DataFrame(made, columns=list(ROW_COLUMNS))


@pytest.fixture
def page(fit_folder):
    def made(hashes=None, missed=""):
        folder = fit_folder()
        card = json.loads((folder / "card.json").read_text())
        scores(card["hashes"] if hashes is None else hashes, missed).to_csv(
            folder / "validation.csv", index=False
        )
        rows().to_csv(folder / "validation-rows.csv", index=False)
        return report(folder).read_text("utf-8")

    return made


def test_scores_and_forecasts_stand_on_the_page(page):
    html = page()
    section = html[html.index('id="left-out"') : html.index('id="checks"')]
    assert "Without STREAM-AD-2: Mean EASI change (points of 100)" in section
    assert "last value carried forward" in section and "\N{MINUS SIGN}2.5" in section
    assert "5 of 6 mean EASI changes inside" in section and "<svg" in section
    assert "90\N{NO-BREAK SPACE}% equal-tailed interval" in section
    assert len(re.findall("Not final", section)) == 0


def test_a_fit_that_missed_its_demands_is_labelled(page):
    html = page(missed="R-hat: 1.2 (&lt;= 1.01)")
    assert "the fit of direct without STREAM-AD-2 missed R-hat" in html
    assert "direct (not final)" in html


def test_scores_of_another_fit_are_not_shown(page):
    html = page(hashes={"settings": "other"})
    assert 'id="left-out"' not in html
    assert "validation.csv is of other settings, data or models" in html


def test_nothing_is_said_where_nothing_was_left_out(fit_folder):
    assert 'id="left-out"' not in report(fit_folder()).read_text("utf-8")
