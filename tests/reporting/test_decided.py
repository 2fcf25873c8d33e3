"""What `pkpd decide` found stands on the page: a figure, a table and sentences a question."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pkpd.decision.rows import COLUMNS
from pkpd.decision.trial import COLUMNS as TRIAL
from pkpd.reporting import folder as reads
from pkpd.reporting.decided import decided_blocks, decided_words
from pkpd.reporting.folder import read_folder
from pkpd.reporting.page import page
from pkpd.reporting.tables_kept import longest_table

LABELS, BURDEN = ("Q4W", "Q8W", "stop"), (13.04, 6.52, 0.0)
NUMBERS = {"proportion": (0.9, 0.8, 0.5), "difference": (0.0, -0.1, -0.4),
           "kept_ratio": (1.0, 0.89, 0.56), "expected_loss": (0.2, 0.15, 0.25)}  # fmt: skip
CHANCES = {"prob_loss_within_margin": (1.0, 0.7, 0.0), "prob_kept_share": (1.0, 0.95, 0.02),
           "prob_dominated": (0.0, 0.0, 0.0), "prob_least_loss": (0.1, 0.85, 0.05)}  # fmt: skip
LIMITS = {"prob_loss_within_margin": 0.1, "prob_kept_share": 0.8}


def decided(status="final"):
    """Hand-made rows of decisions.csv: one question, two weeks."""
    made = []
    for week in (52.0, 72.0):
        shared = dict.fromkeys(COLUMNS, np.nan) | {
            "drug": "amlitelimab", "induction": "250 mg every 4 weeks", "subgroup": "all",
            "endpoint": "EASI75", "estimand": "hypothetical", "week": week, "model": "own",
            "level": 0.9, "kind": "eti", "flag": "", "status": status,
        }  # fmt: skip
        for quantity, values in NUMBERS.items():
            for label, value in zip(LABELS, values, strict=True):
                ends = {"value": value, "lower": value - 0.06, "upper": value + 0.04}
                known = {"prior_value": 0.5, "prior_sensitivity": 0.12,
                         "likelihood_sensitivity": 0.3}  # fmt: skip
                made.append(shared | ends | known | {"regimen": label, "quantity": quantity})
        for quantity, values in CHANCES.items():
            for label, value in zip(LABELS, values, strict=True):
                made.append(shared | {"regimen": label, "quantity": quantity, "value": value,
                                      "margin": LIMITS.get(quantity, np.nan),
                                      "prior_value": 0.43})  # fmt: skip
        for label, value in zip(LABELS, BURDEN, strict=True):
            made.append(shared | {"regimen": label, "quantity": "injections_per_year",
                                  "value": value})  # fmt: skip
        for quantity in ("longest_interval", "longest_within_margin", "least_loss"):
            made.append(shared | {"regimen": "Q8W", "quantity": quantity, "value": 8.0,
                                  "probability": 0.75, "margin": 0.8, "prior_value": np.inf,
                                  "scaled_least": 4.0, "scaled_greatest": 8.0})  # fmt: skip
    return pd.DataFrame(made, columns=list(COLUMNS))


@pytest.fixture(scope="module")
def shown(fit_folder):
    folder = fit_folder()
    decided().to_csv(folder / "decisions.csv", index=False)
    return page(read_folder(folder))


def test_the_tables_have_the_columns_that_the_report_reads():
    assert reads.COLUMNS["decisions.csv"] == ",".join(COLUMNS)
    assert {"assurance.csv": ",".join(TRIAL)} == reads.AFTER


def test_a_figure_a_table_and_the_answers_stand_on_the_page(shown):
    assert 'id="decision"' in shown and "Intervals weighed against one another" in shown
    assert "P(loss within 10 points)" in shown and "P(keeps 80 %)" in shown
    assert "80 % responding (74 to 84 %), 6.52 injections a year" in shown  # for those who listen
    assert "every 8 weeks. (prior alone stopping; prior or likelihood scaled every 4 weeks" in shown
    assert "0.12 / 0.3" in shown


def test_intervals_state_their_level_and_kind(shown):
    part = shown[shown.index('id="decision"') : shown.index('id="data"')]
    assert "90\N{NO-BREAK SPACE}% equal-tailed interval" in part


def test_what_is_not_final_says_so():
    words = decided_words(decided("not final: demands missed: R-hat"), {})
    assert "not final: demands missed: R-hat" in words
    assert "not final" not in decided_words(decided(), {})


def test_the_loss_table_is_told():
    card = {"decide": {"asked": {"loss": {"kept": 0.0, "lost": 1.0, "injection": 0.02}}}}
    said = "Loss: 0 a patient-year with response, 1 a patient-year without and 0.02 an injection."
    assert said in decided_words(decided(), card)


def test_a_page_without_a_decision_says_so(fit_folder):
    fit = read_folder(fit_folder(leave_out=("decisions",)))
    assert decided_blocks(fit.decisions) == [] and 'id="decision"' not in page(fit)
    assert "decisions.csv is absent or empty." in fit.absent


def test_other_outcomes_stand_in_one_table_and_only_there(fit_folder):
    folder = fit_folder()
    brief = decided().assign(endpoint="IGA01", estimand="while-on-treatment")
    brief.loc[brief["quantity"] == "longest_interval", "value"] = 4.0
    pd.concat([decided(), brief]).to_csv(folder / "decisions.csv", index=False)
    fit = read_folder(folder)
    (block,) = decided_blocks(fit.decisions)
    assert "every 8 weeks. (prior" in " ".join(block.sentences)
    made = longest_table(fit.decisions)
    assert made is not None and made.columns == ("Estimand", "EASI-75", "IGA 0/1")
    found = [[cell.text for cell in row] for row in made.groups[0].rows]
    assert found == [["hypothetical", "every 8 weeks", "–"],
                     ["while-on-treatment", "–", "every 4 weeks"]]  # fmt: skip


def test_tables_of_both_weeks_and_the_figure_of_the_later():
    (block,) = decided_blocks(decided())
    assert [group.title for group in block.table.groups] == ["Week 52", "Week 72"]
    assert "Week 72" in block.caption
