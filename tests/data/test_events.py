"""Reading event records: what is understood, and every fault with its place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd.data.events import read_events
from pkpd.errors import DataError

STATES = ("depot", "central")
GOOD = {"ID": [1, 1, 2], "TIME": [0, 1, 0], "AMT": [10, 0, 10], "EVID": [1, 0, 1]}


def faults(events, **options):
    with pytest.raises(DataError) as caught:
        read_events(events, **options)
    return str(caught.value)


def test_names_may_be_in_any_case_and_empty_cells_have_defaults(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("\ufeffid, Time,amt,Cmt,wt\n1,0,100,.,70\n\n1,2,.,central,71\n", "utf-8")
    table = read_events(path, states=STATES, covariates=["wt"]).table
    assert table["EVID"].tolist() == [1, 0]
    assert table["row"].tolist() == [2, 4]
    assert table[["RATE", "ADDL", "II", "SS"]].eq(0).all(axis=None)
    assert table["CMT"].tolist() == [".", "central"]


def test_an_explicit_dose_of_nothing_is_a_dose_record():
    table = read_events({**GOOD, "AMT": [0, 0, 10]}).table
    assert table["EVID"].tolist() == [1, 0, 1]


def test_two_doses_at_one_time_are_read_unless_the_same():
    read_events({"ID": 1, "TIME": [0, 0], "AMT": [10, 20]})
    assert "stands there twice" in faults({"ID": 1, "TIME": [0, 0], "AMT": [10, 10]})


def test_mdv_is_one_where_nothing_was_observed():
    table = read_events({**GOOD, "MDV": [".", "", 1]}).table
    assert table["MDV"].tolist() == [1, 0, 1]
    assert read_events(GOOD).table["MDV"].tolist() == [1, 0, 1]
    assert "row 2, subject 1: MDV is 2. Use 0" in faults({**GOOD, "MDV": [1, 2, 1]})


def test_a_dose_of_rxode_names_its_compartment():
    table = read_events(
        {**GOOD, "EVID": [101, 0, 201], "CMT": [".", ".", "."]}, states=STATES
    ).table
    assert table["EVID"].tolist() == [1, 0, 1]
    assert table["CMT"].tolist() == ["1", ".", "2"]
    assert "row 1, subject 1: CMT is '3'" in faults({**GOOD, "EVID": [301, 0, 1]}, states=STATES)


@pytest.mark.parametrize(("line", "cells"), [("1,0,100,7", 4), ("1,0", 2)])
def test_a_row_of_more_or_fewer_cells_than_the_head_is_never_shifted(tmp_path, line, cells):
    """pandas takes the first column for an index where every row has one cell more."""
    path = tmp_path / "ragged.csv"
    path.write_text(f"ID,TIME,AMT\n{line}\n", "utf-8")
    assert f"{path}, row 2: {cells} cells where the head has 3" in faults(path)


def test_a_column_named_row_is_refused():
    assert "column row: the name stands for the line" in faults({**GOOD, "row": [1, 2, 3]})


def test_a_cell_of_several_lines_leaves_row_numbers_right(tmp_path):
    path = tmp_path / "quoted.csv"
    path.write_text('ID,TIME,AMT,NOTE\n1,0,9,"two\nlines"\n1,-1,.,x\n', "utf-8")
    assert f"{path}, row 4, subject 1: TIME is -1" in faults(path)


FAULTS = {
    "negative time": ({"TIME": [-1, 1, 0]}, "row 1, subject 1: TIME is -1, below zero"),
    "no time": ({"TIME": [None, 1, 0]}, "row 1, subject 1: TIME is empty"),
    "time back": ({"TIME": [2, 1, 0]}, "row 2, subject 1: TIME goes back to 1"),
    "negative dose": ({"AMT": [-10, 0, 10]}, "row 1, subject 1: AMT is -10, below zero"),
    "text": ({"AMT": ["ten", 0, 10]}, "row 1, subject 1: AMT is 'ten', not a number"),
    "infinite": ({"TIME": [0, "inf", 0]}, "row 2, subject 1: TIME is 'inf', not a number"),
    "dose on observation": ({"AMT": [10, 5, 10]}, "row 2, subject 1: AMT is 5 on a record that"),
    "dose without amount": ({"AMT": [None, 0, 10]}, "row 1, subject 1: a dose record (EVID 1) has"),
    "subject resumed": (
        {"ID": [1, 2, 1], "AMT": [10, 0, 20]},
        "row 3, subject 1: the subject's records resume",
    ),
    "subject unnamed": ({"ID": ["", 1, 2]}, "row 1, subject : ID is empty"),
    "unknown compartment": (
        {"CMT": [3, 1, 1]},
        "row 1, subject 1: CMT is '3'. Compartments are: 1 depot, 2 central.",
    ),
    "unknown compartment name": ({"CMT": ["gut", 1, 1]}, "row 1, subject 1: CMT is 'gut'"),
    "unknown event": ({"EVID": [1, 0, 7]}, "row 3, subject 2: EVID is 7. Use 0 (observation)"),
    "steady state of no kind": ({"SS": [3, 0, 0], "II": 1}, "row 1, subject 1: SS is 3. Use 0"),
    "steady state of an observation": ({"SS": [0, 1, 0]}, "row 2, subject 1: SS is 1 on a record"),
    "steady state, no interval": ({"SS": [1, 0, 0]}, "row 1, subject 1: SS is 1 without II"),
    "constant infusion with interval": (
        {
            "SS": [1, 0, 0],
            "AMT": [0, 0, 10],
            "RATE": [5, 0, 0],
            "II": [12, 0, 0],
            "EVID": [1, 0, 1],
        },
        "a steady state of a constant infusion (AMT 0) has II or ADDL",
    ),
    "constant infusion without rate": (
        {"SS": [1, 0, 0], "AMT": [0, 0, 10], "RATE": [-2, 0, 0], "EVID": [1, 0, 1]},
        "a steady state of a constant infusion (AMT 0) has RATE -2",
    ),
    "infusion of nothing": (
        {"AMT": [0, 0, 10], "RATE": [5, 0, 0], "EVID": [1, 0, 1]},
        "row 1, subject 1: RATE is 5 with AMT 0",
    ),
    "dose on reset": ({"EVID": [1, 3, 1], "AMT": [10, 5, 10]}, "row 2, subject 1: AMT is 5 on a"),
    "negative rate": ({"RATE": [-3, 0, 0]}, "row 1, subject 1: RATE is -3, below zero"),
    "further doses, no interval": ({"ADDL": [2, 0, 0]}, "row 1, subject 1: ADDL is 2 without II"),
    "part of a dose": ({"ADDL": [1.5, 0, 0], "II": 1}, "row 1, subject 1: ADDL is 1.5"),
    "negative interval": ({"II": [-1, 0, 0]}, "row 1, subject 1: II is -1, below zero"),
    "covariate missing": ({"WT": [70, ".", 70]}, "row 2, subject 1: WT is '.', not a number"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_told_with_its_place(name):
    change, message = FAULTS[name]
    text = faults({**GOOD, **change}, states=STATES, covariates=["wt"])
    assert message in text
    assert text.startswith("1 fault in the input"), text


def test_all_faults_are_listed_at_once(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("ID,TIME,AMT,EVID\n1,0,-5,1\n1,x,0,0\n1,3,0,9\n")
    text = faults(path)
    assert text.startswith("3 faults in the input")
    assert f"{path}, row 2, subject 1" in text and f"{path}, row 4, subject 1" in text


@pytest.mark.parametrize("column", ["ID", "TIME", "AMT"])
def test_a_missing_column_is_named(column):
    table = {name: value for name, value in GOOD.items() if name != column}
    assert f"column {column} is missing" in faults(table)


def test_files_that_are_none_are_refused(tmp_path):
    assert "no such file" in faults(tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("")
    assert "not a CSV table" in faults(tmp_path / "empty.csv")
    (tmp_path / "head.csv").write_text("ID,TIME,AMT\n")
    assert "no records" in faults(tmp_path / "head.csv")
    assert "twice" in faults(pd.DataFrame([[1, 0, 1, 1]], columns=["ID", "TIME", "time", "AMT"]))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=20))
def test_times_in_order_are_read_and_kept(rows):
    times = np.cumsum([gap for gap, _ in rows])
    amounts = [float(i + 1) if dose else 0.0 for i, (_, dose) in enumerate(rows)]
    table = read_events({"ID": 1, "TIME": times, "AMT": amounts}).table
    assert table["TIME"].tolist() == times.tolist()
    assert table["EVID"].tolist() == [float(amount > 0) for amount in amounts]
