"""Individual data: every fault of the table and of its card, with its place and what to do."""

from __future__ import annotations

import pytest
from trial_folder import GOOD, faults, folder

from pkpd.data.individual_table import read_individuals


def test_true_replicates_are_no_fault_and_doubles_are_unless_meant(tmp_path):
    differ = GOOD + "2,1,4.6,.,0,conc,0,61,female\n"
    assert len(read_individuals(folder(tmp_path, differ)).observations) == 4
    same = GOOD + "2,1,4.5,.,0,conc,0,61,female\n"
    text = faults(folder(tmp_path, same))
    assert "trial/data.csv, row 7, subject 2: the observation 4.5 at 1 stands there twice" in text
    assert len(read_individuals(folder(tmp_path, same, replicates=True)).observations) == 4


def test_the_same_number_after_a_reset_is_no_double(tmp_path):
    text = "ID,TIME,DV,AMT,EVID\n1,0,.,9,1\n1,2,5,.,0\n1,0,.,9,4\n1,2,5,.,0\n"
    assert len(read_individuals(folder(tmp_path, text)).observations) == 2


def changed(old, new):
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


FAULTS = {
    "time back": (
        changed("1,2,0.5", "1,0.5,0.5"),
        "row 4, subject 1: TIME goes back to 0.5. Put the records in time order.",
    ),
    "negative concentration": (
        changed("1,1,5.5", "1,1,-5.5"),
        "row 3, subject 1: DV is -5.5, a concentration below zero",
    ),
    "unknown censoring": (
        changed("0.5,.,0,conc,1", "0.5,.,0,conc,2"),
        "row 4, subject 1: CENS is 2. Use 0",
    ),
    "censored at nothing": (
        changed("1,2,0.5", "1,2,."),
        "row 4, subject 1: CENS is 1, but DV is empty. Set DV to the limit",
    ),
    "observation of nothing": (
        changed("1,1,5.5", "1,1,."),
        "row 3, subject 1: DV is empty on an observation",
    ),
    "no weight": (
        GOOD.replace(",60,", ",.,").replace(",61,", ",.,"),
        "row 5, subject 2: WT has no value in any record of the subject",
    ),
    "varying though constant": (
        changed("61,female", "61,male"),
        "row 6, subject 2: SEX is 0 after 1, though constant",
    ),
    "word for no number": (
        changed("61,female", "61,woman"),
        "row 6, subject 2: SEX is 'woman'. The card gives numbers for male, female.",
    ),
    "text for a number": (
        changed("2,1,4.5", "2,1,high"),
        "row 6, subject 2: DV is 'high', not a number",
    ),
    "text for a time": (changed("2,1,4.5", "2,noon,4.5"), "row 6, subject 2: TIME is 'noon'"),
    "text for a weight": (
        changed("61,female", "61 kg,female"),
        "row 6, subject 2: WT is '61 kg', not a number",
    ),
    "amount of no kind": (
        changed("1,0,.,100,1", "1,0,.,100,."),
        "row 2, subject 1: AMT is 100, but EVID is empty. Set EVID.",
    ),
    "amount on an observation": (
        changed("2,1,4.5,.", "2,1,4.5,7"),
        "row 6, subject 2: AMT is 7 on a record that is no dose",
    ),
    "measured what": (
        changed("4.5,.,0,conc", "4.5,.,0,."),
        "row 6, subject 2: DVID is empty, where other observations have one",
    ),
    "dose twice": (
        GOOD.replace("2,0,.,100,1,.,.,60,female\n", 2 * "2,0,.,100,1,.,.,60,female\n"),
        "row 6, subject 2: the dose of 100 at 0 stands there twice",
    ),
    "subject resumed": (GOOD + "1,9,3,.,0,conc,0,70,male\n", "row 7, subject 1: the subject's"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_told_with_its_place(tmp_path, name):
    text, message = FAULTS[name]
    told = faults(folder(tmp_path, text))
    assert f"trial/data.csv, {message}" in told
    assert told.startswith("1 fault in the input"), told


def test_interval_censoring_runs_from_limit_to_dv(tmp_path):
    head = "ID,TIME,DV,AMT,CENS,LIMIT\n1,0,.,9,.,.\n"
    good = read_individuals(folder(tmp_path, head + "1,1,2,.,1,0.5\n1,2,9,.,-1,.\n"))
    assert good.observations[["CENS", "LIMIT"]].iloc[0].tolist() == [1, 0.5]
    assert good.observations["LIMIT"].isna().tolist() == [False, True]
    told = faults(folder(tmp_path, head + "1,1,2,.,1,2\n1,2,9,.,-1,3\n"))
    assert "row 3, subject 1: LIMIT is 2, not below DV (2)" in told
    assert "row 4, subject 1: LIMIT is 3 with CENS -1" in told


def test_a_dose_into_an_unknown_compartment_is_told_where_states_are_known(tmp_path):
    made = folder(tmp_path, "ID,TIME,DV,AMT,CMT\n1,0,.,9,gut\n1,1,2,.,plasma\n")
    told = faults(made, states=("depot", "central"))
    assert "1 fault" in told and "row 2, subject 1: CMT is 'gut'. Compartments are: 1 depot" in told
    assert len(read_individuals(made).observations) == 1


def test_all_faults_are_listed_at_once_in_order_of_rows(tmp_path):
    text = changed("1,1,5.5", "1,1,-5.5").replace("61,female", "61,woman").replace("conc,1", "c,3")
    told = faults(folder(tmp_path, text))
    assert told.startswith("3 faults in the input")
    assert [line.split("row ")[1][0] for line in told.splitlines()[1:]] == ["3", "4", "6"]


def test_a_logarithm_may_be_negative(tmp_path):
    text = changed("1,1,5.5", "1,1,-5.5")
    data = read_individuals(folder(tmp_path, text, {"DV": {"log": True}}))
    assert data.log and data.observations["DV"].tolist() == [-5.5, 0.5, 4.5]


def test_a_score_may_be_negative(tmp_path):
    text = changed("1,1,5.5", "1,1,-5.5")
    assert read_individuals(folder(tmp_path, text, {"DV": {"unit": "score"}})).dv_units


CARDS = {
    "rule": ({"WT": {"rule": None}}, "WT is none of TIME, DV,", "State constant, nonmem"),
    "other rule": ({"WT": {"rule": "linear"}}, "has the rule 'linear'", "State constant"),
    "rule of a role": ({"DV": {"rule": "locf"}}, "a rule is for covariates", "Remove it"),
    "unit": ({"WT": {"unit": "kilo"}}, "The unit 'kilo' is not known", "Use a known unit"),
    "unit of a DVID": ({"DV": {"unit": {"conc": "mg/l?"}}}, "The unit 'mg/l?'", "Use a known"),
    "no unit for it": ({"DV": {"unit": {"pca": "%"}}}, "DVID is 'conc', for which", "pca"),
    "role": ({"WT": {"as": "wt"}}, "as is 'wt'", "or a covariate in capitals"),
    "role twice": ({"WT": {"as": "TIME", "rule": None}}, "two columns are read as TIME", "Keep"),
    "role missing": ({"DV": {"as": None}}, "no column is read as DV", 'Write as = "DV"'),
    "key": ({"WT": {"role": "WT"}}, "'role' is not known", "Keys are as, log"),
    "values": ({"SEX": {"values": {"male": "no"}}}, "values is no table of numbers", "Write"),
    "log": ({"WT": {"log": True}}, "log is for DV, true or false", "Remove it"),
    "meaning": ({"WT": {"meaning": None}}, "no unit or meaning", "State both"),
}


@pytest.mark.parametrize("name", CARDS)
def test_what_is_wrong_with_the_card_is_told(tmp_path, name):
    columns, found, remedy = CARDS[name]
    told = faults(folder(tmp_path, columns=columns))
    assert found in told and remedy in told


def test_units_that_must_agree_are_compared(tmp_path):
    text = "ID,TIME,DV,AMT,RATE,II\n1,0,.,9,3,12\n1,1,2,.,.,.\n"
    read_individuals(folder(tmp_path, text))
    told = faults(folder(tmp_path, text, {"RATE": {"unit": "mg/min"}, "II": {"unit": "day"}}))
    assert "column II: its unit is day where h is needed" in told
    assert "column RATE: its unit is mg/min where mg/(h) is needed" in told


def test_another_file_than_the_cards_is_refused(tmp_path):
    made = folder(tmp_path)
    (made / "data.csv").write_text(GOOD.replace("5.5", "5.6"))
    assert "card.toml [sha256] 'data.csv': the checksum stated is" in faults(made)


def test_a_card_of_another_kind_or_none_is_refused(tmp_path):
    assert "kind: it is 'arms'" in faults(folder(tmp_path, kind="arms"))
    made = folder(tmp_path)
    (made / "card.toml").unlink()
    assert "card.toml: no such file" in faults(made)


def test_a_missing_file_is_told_with_the_command_that_makes_it(tmp_path):
    made = folder(tmp_path, make="python fits/data/trial/make.py")
    (made / "data.csv").unlink()
    assert "there is no such file. Make it: `python fits/data/trial/make.py`." in faults(made)
    (made / "card.toml").unlink()
    assert "Put 'data.csv' into the folder." in faults(made)
