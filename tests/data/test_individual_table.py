"""Individual data of a folder: what is understood, covariates by rule, units, what is printed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trial_folder import GOOD, UNITS, folder

from pkpd.data.individual_table import converted, read_individuals
from pkpd.errors import UnitError


def test_records_are_read_under_their_roles(tmp_path):
    data = read_individuals(folder(tmp_path))
    table = data.events.table
    assert table["row"].tolist() == [2, 3, 4, 5, 6]
    assert table["ID"].tolist() == [1, 1, 1, 2, 2]
    assert table["MDV"].tolist() == [1, 0, 0, 1, 0]
    assert table["CENS"].tolist() == [0, 0, 1, 0, 0] and table["CENS"].dtype == int
    assert table["SEX"].tolist() == [0, 0, 0, 1, 1]
    assert table[["RATE", "ADDL", "II", "SS"]].eq(0).all(axis=None)
    assert table[["OCC", "STUDY", "DRUG", "ARM"]].eq("").all(axis=None)
    assert data.observations["DV"].tolist() == [5.5, 0.5, 4.5]
    assert data.units["WT"] == "kg" and data.dv_units == {"conc": "ng/mL"}
    assert data.rules == {"WT": "nonmem", "SEX": "constant"}


def test_names_in_the_file_are_the_files_own(tmp_path):
    text = "patient,hour,conc,dose\n7,0,.,10\n7,1,2.5,.\n"
    roles = {"patient": "ID", "hour": "TIME", "conc": "DV", "dose": "AMT"}
    columns = {name: {"as": role, "unit": UNITS.get(role, "")} for name, role in roles.items()}
    table = read_individuals(folder(tmp_path, text, columns)).events.table
    assert table[["ID", "EVID", "MDV"]].to_numpy().tolist() == [[7, 1, 1], [7, 0, 0]]


def test_a_column_without_a_role_is_described_and_not_read(tmp_path):
    data = read_individuals(folder(tmp_path, columns={"WT": {"as": None, "rule": None}}))
    assert "WT" not in data.events.table.columns


def test_rxode_doses_name_their_compartment(tmp_path):
    text = "ID,TIME,DV,AMT,EVID,CMT\n1,0,.,10,101,1\n1,0,.,20,201,.\n1,1,3,.,0,2\n"
    table = read_individuals(folder(tmp_path, text), states=("depot", "central")).events.table
    assert table["EVID"].tolist() == [1, 1, 0]
    assert table["CMT"].tolist() == ["1", "2", ""]


def test_records_without_any_dose_are_observations(tmp_path):
    data = read_individuals(folder(tmp_path, "ID,TIME,DV\n1,0,5\n1,1,4\n2,0,6\n"))
    assert len(data.observations) == 3
    assert "2 subjects have no dose: 1, 2" in str(data)


VARYING = (
    "ID,TIME,DV,AMT,WT\n1,0,.,9,50\n1,2,1,.,.\n1,4,2,.,52\n1,6,3,.,54\n2,0,.,9,.\n2,1,2,.,60\n"
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("nonmem", [50, 52, 52, 54, 60, 60]),
        # the value that governs (0, 2], (2, 4] and (4, 6] is that of the record at its start
        ("locf", [50, 50, 50, 52, 60, 60]),
    ],
)
def test_covariates_obey_one_rule_downstream(tmp_path, rule, expected):
    made = folder(tmp_path, VARYING, {"WT": {"rule": rule}})
    assert read_individuals(made).events.table["WT"].tolist() == expected


def test_excluded_rows_are_kept_apart_with_their_rule(tmp_path):
    rule = '[[exclude]]\nname = "low"\nreason = "assay"\nrule = { CENS = 1 }\n'
    data = read_individuals(folder(tmp_path, head=rule))
    assert data.excluded[["row", "rule", "reason"]].to_numpy().tolist() == [[4, "low", "assay"]]
    assert len(data.observations) == 2
    assert "low (1 rows): assay" in str(data)


def test_an_excluded_row_harms_nothing(tmp_path):
    text = GOOD + "2,x,?,.,7,conc,9,61,none\n"
    rule = '[[exclude]]\nname = "bad"\nreason = "torn"\nrule = { TIME = "x" }\n'
    assert len(read_individuals(folder(tmp_path, text, head=rule)).observations) == 3


def test_the_fingerprint_changes_with_what_is_fitted_and_not_with_words(tmp_path):
    def read(**more):
        return read_individuals(folder(tmp_path, **more)).sha256

    first = read()
    assert read(title="other", columns={"WT": {"meaning": "other"}}) == first
    assert read(columns={"WT": {"rule": "locf"}}) != first
    assert read(columns={"DV": {"unit": "mg/L"}}) != first
    assert read(text=GOOD.replace("5.5", "5.6")) != first


def test_it_prints_what_there_is_and_the_next_step(tmp_path):
    said = str(read_individuals(folder(tmp_path)))
    assert said.startswith("trial: 2 subjects, 5 records, 2 doses, 3 observations, 1 censored.\n")
    assert "conc  3             1      0      2         1 to 2  0.5 to 5.5  ng/mL" in said
    assert "WT         nonmem    60 to 70  kg    1" in said
    assert said.endswith("`pkpd check FIT`.")


def test_nanograms_a_millilitre_are_told_in_milligrams_a_litre(tmp_path):
    text = GOOD.replace("CENS", "CENS,LIMIT").replace(",1,.,.\n", ",1,0.1,.,.\n")
    text = "\n".join(
        line if k in (0, 3) else ",".join([*line.split(",")[:7], ".", *line.split(",")[7:]])
        for k, line in enumerate(text.splitlines())
    )
    data = read_individuals(folder(tmp_path, text, {"LIMIT": {"unit": "ng/mL"}}))
    told = converted(data, "DV", "mg/L")
    np.testing.assert_allclose(told.observations["DV"], [0.0055, 0.0005, 0.0045], rtol=1e-14)
    np.testing.assert_allclose(told.observations["LIMIT"], [np.nan, 0.0001, np.nan], rtol=1e-14)
    assert told.dv_units == {"conc": "mg/L"} and data.dv_units == {"conc": "ng/mL"}
    same = converted(data, "DV", "ug/L")
    pd.testing.assert_frame_equal(same.observations, data.observations)


def test_a_logarithm_is_shifted(tmp_path):
    data = read_individuals(folder(tmp_path, columns={"DV": {"log": True}}))
    told = converted(data, "DV", "mg/L").observations["DV"]
    np.testing.assert_allclose(np.exp(told), np.exp([5.5, 0.5, 4.5]) / 1000, rtol=1e-12)


def test_one_of_several_observed_things_converts_alone(tmp_path):
    text = GOOD + "2,3,50,.,0,pca,0,61,female\n"
    made = folder(tmp_path, text, {"DV": {"unit": {"conc": "ng/mL", "pca": "%"}}})
    told = converted(read_individuals(made), "DV", "mg/L", dvid="conc")
    assert told.observations["DV"].tolist() == [0.0055, 0.0005, 0.0045, 50]
    assert told.dv_units == {"conc": "mg/L", "pca": "%"}
    with pytest.raises(UnitError, match="not of one kind"):
        converted(read_individuals(made), "DV", "mg/L")


def test_time_takes_interval_and_rate_with_it_and_leaves_words(tmp_path):
    text = "ID,TIME,DV,AMT,RATE,II,ADDL\n1,0,.,9,3,12,1\n1,24,.,9,-2,.,.\n1,48,2,.,.,.,.\n"
    told = converted(read_individuals(folder(tmp_path, text)), "TIME", "day")
    assert told.events.table["TIME"].tolist() == [0, 1, 2]
    assert told.events.table["II"].tolist() == [0.5, 0, 0]
    assert told.events.table["RATE"].tolist() == [72, -2, 0]
    assert told.units["II"] == "day" and told.units["RATE"] == "mg/day"
    grams = converted(told, "AMT", "ug").events.table
    assert grams["AMT"].tolist()[:2] == [9000, 9000]
    assert grams["RATE"].tolist() == [72000, -2, 0]


def test_a_column_without_a_unit_cannot_change_it(tmp_path):
    with pytest.raises(ValueError, match="states no unit of SEX"):
        converted(read_individuals(folder(tmp_path)), "SEX", "kg")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.sampled_from(["nonmem", "locf"]))
def test_the_value_that_governs_an_interval_is_the_one_its_rule_says(
    tmp_path_factory, values, rule
):
    rows = [f"1,{k},{k},.,{v}" for k, v in enumerate(values)]
    made = folder(
        tmp_path_factory.mktemp("d"),
        "\n".join(["ID,TIME,DV,AMT,WT", *rows, ""]),
        {"WT": {"rule": rule}},
    )
    governs = read_individuals(made).events.table["WT"].tolist()
    assert governs[1:] == (values[1:] if rule == "nonmem" else values[:-1])
