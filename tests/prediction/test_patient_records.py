"""Records and questions that are refused in words, every fault at once; and the table to come."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import patient_fit
import pytest

import pkpd
from pkpd import individual_forecast
from pkpd.cli import main
from pkpd.individual_folder import open_individual
from pkpd.patient_questions import asked, questions_of
from pkpd.prediction.patient_plan import table_ahead


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return patient_fit.folder(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def fit(folder):
    return open_individual(folder)


def refused(fit, table, **questions):
    with pytest.raises(pkpd.DataError) as error:
        asked(fit, table, questions_of(**questions))
    return str(error.value)


def test_names_are_those_of_the_contract_in_capitals_or_not(fit):
    table = patient_fit.patient().rename(columns=str.lower)
    found = asked(fit, table, questions_of(times=4)).table
    assert found["EASI0"].eq(patient_fit.BASE).all() and set(found["DVID"]) == {"", "pk", "score"}


def test_every_fault_is_told_at_once_with_row_and_subject(fit):
    table = patient_fit.patient()
    table.loc[1, "DVID"] = "igg"  # row 2
    table.loc[2, "DV"] = 99.0  # row 3: a score above 72
    table.loc[3, "DV"] = -1.0  # row 4: a concentration below zero
    told = refused(
        fit, table, regimens=("300 mg every 0 weeks", "300 mgs"), times=(-4, 4),
        responses=("EASI200", "PASI75"), drug="dupilumab", level=1.5,
    )  # fmt: skip
    for said in ("row 2, subject A: DVID is 'igg'", "row 3, subject A: DV is 99",
                 "row 4, subject A: DV is -1", "interval of 0 weeks", "'300 mgs' is not understood",
                 "--times -4", "--response EASI200", "--response PASI75", "Of this fit: EASI50",
                 "--drug dupilumab", "--level 1.5"):  # fmt: skip
        assert said in told, said


def test_a_missing_baseline_is_named_with_what_may_be_meant(fit):
    told = refused(fit, patient_fit.patient().rename(columns={"EASI0": "EASI_0"}))
    assert "column EASI0, the baseline of a score, is missing" in told
    assert "Did you mean it by EASI_0?" in told


def test_a_baseline_must_be_given_for_each_subject_and_be_above_zero(fit):
    two = pd.concat([patient_fit.patient(), patient_fit.patient(ID="B", EASI0=".")])
    assert "subject B: EASI0 has no value" in refused(fit, two)
    assert "EASI0 is 0: a baseline is above zero" in refused(fit, patient_fit.patient(EASI0=0.0))


def test_doses_beyond_the_last_record_are_not_given_yet(fit):
    table = patient_fit.patient(ADDL=0, II=0)
    table.loc[table["AMT"] > 0, ["ADDL", "II"]] = (3, 28)
    told = refused(fit, table)
    assert "its doses go on to 84, after the last record at 30" in told
    assert "row 6, subject A" in told


def test_regimens_may_not_begin_in_the_past_of_the_record(fit):
    told = refused(fit, patient_fit.patient(), regimens="20 mg every 4 weeks", start=2)
    assert "subject A: the regimens would begin at week 2, before the last record" in told
    assert "past of the record" in told


def test_a_dose_that_stands_at_the_start_counts_as_the_regimens_first(fit):
    table = patient_fit.patient().iloc[:-1]  # ends with the dose of day 28
    found = asked(fit, table, questions_of(regimens="20 mg every 4 weeks", times=6))
    ahead = table_ahead(found.table, found.ahead, fit.settings.observations, fit.model)
    assert ahead["TIME"][ahead["AMT"] > 0].tolist() == [0.0, 28.0, 56.0]
    told = refused(fit, table, regimens=("30 mg every 4 weeks", "10 mg every week"))
    assert told.count("a dose of 20 stands in the record") == 2


def test_a_record_without_a_dose_is_forecast_without_one_alone(fit):
    table = patient_fit.patient()
    table = table[~(table["AMT"] > 0)]
    told = refused(fit, table, regimens="20 mg every 4 weeks")
    assert "subject A: the record has no dose" in told and "clock anew" in told
    assert len(asked(fit, table, questions_of(regimens="none")).table) == len(table)
    assert len(asked(fit, table.iloc[:1], questions_of(regimens="20 mg Q4W")).table) == 1


def test_compared_regimens_must_differ(fit):
    told = refused(fit, patient_fit.patient(), compare=("20 mg Q4W", "20 mg every 4 weeks"))
    assert "--compare: both are '20 mg every 4 weeks'" in told


def test_visits_come_before_doses_and_the_past_keeps_its_doses_alone(fit):
    found = asked(fit, patient_fit.patient(), questions_of(regimens="20 mg Q2W", times=(2, 3)))
    table = table_ahead(found.table, found.ahead, fit.settings.observations, fit.model)
    to_come = table[table["TIME"] >= patient_fit.LAST]
    seen = to_come[to_come["EVID"] == 0]
    assert seen["TIME"].tolist() == [30.0, 30.0, 44.0, 44.0, 51.0, 51.0]
    assert not ((table["EVID"] == 0) & (table["TIME"] < patient_fit.LAST)).any()
    doses = table[table["AMT"] > 0]["TIME"].tolist()
    assert doses == [0.0, 28.0, 30.0, 44.0]
    assert (np.diff(table["TIME"]) >= 0).all()
    at = to_come[to_come["TIME"] == 44.0]["EVID"].tolist()
    assert at == [0.0, 0.0, 1.0]


def run(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return end.value.code or 0, shown.out, shown.err


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "patient.csv"
    patient_fit.patient().to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--regimn", "20 mg Q4W"), "--regimen"),
        (("--times", "4;8"), "--times '4;8' is not numbers with commas"),
        (("--compare", "20 mg Q4W"), "requires 2 arguments"),
        (("--visits", "2"), "--visits goes with --compare"),
        (("--regimen", "20 mg evry 4 weeks"), "'20 mg evry 4 weeks' is not understood"),
        (("--response", "EASY75"), "Of this fit: EASI50, EASI75, EASI90"),
        (("--drug", "rocatinlimab"), "The fit is of pk_1cmt_oral"),
        (("--start", "1"), "past of the record"),
    ],
)
def test_typos_are_refused_with_what_would_do(capsys, folder, events, words, said):
    code, out, err = run(capsys, "forecast", folder, "--events", events, *words)
    assert code == 2 and said in err and not out


def test_a_file_that_is_not_there_and_a_fit_of_arms_are_refused(capsys, folder, tmp_path):
    code, _, err = run(capsys, "forecast", folder, "--events", tmp_path / "none.csv")
    assert code == 2 and "there is no such file" in err
    code, _, err = run(capsys, "forecast", "ox40_extension", "--events", tmp_path / "none.csv")
    assert code == 2 and "fits of individual records" in err


def test_the_verb_prints_one_json_for_programs_and_tables_for_people(
    capsys, monkeypatch, folder, events
):
    words = ("forecast", folder, "--events", events, "--compare", "20 mg Q2W", "20 mg Q4W",
             "--times", "2,6", "--response", "EASI75", "--draws", "40", "--quiet")  # fmt: skip
    found = pkpd.forecast(folder, events, compare=("20 mg Q2W", "20 mg Q4W"), times=(2, 6),
                          responses="EASI75", draws=40)  # fmt: skip
    asked_for = {}
    monkeypatch.setattr(individual_forecast, "forecast",
                        lambda *where, **said: asked_for.update(said) or found)  # fmt: skip
    code, out, err = run(capsys, *words, "--json")
    told = json.loads(out)
    assert code == 0 and not err and told["passed"] is True
    assert {row["statistic"] for row in told["compare"]} == {"reference", "regimen", "difference",
                                                             "kept"}  # fmt: skip
    assert asked_for["times"] == (2.0, 6.0) and asked_for["draws"] == 40
    code, out, _ = run(capsys, *words)
    assert code == 0 and "EASI75 at week 6 to come on 20 mg every 4 weeks" in out
    assert "90% equal-tailed" in out and "Estimand: hypothetical" in out
    poor = found.checks.assign(status="not final: Pareto k 0.9 above 0.7")
    monkeypatch.setattr(individual_forecast, "forecast",
                        lambda *where, **said: replace(found, checks=poor))  # fmt: skip
    code, out, _ = run(capsys, *words)
    assert code == 1 and "Patient A: not final: Pareto k 0.9" in out
