"""What is fixed of a fit before any number is known: subjects, records, rows of observations."""

import numpy as np
import pytest
from oral_trial import ADDITIVE, settings_of, table

from pkpd.errors import DataError
from pkpd.individual.design import design
from pkpd.library import load
from pkpd.settings_individual import Choice, CovariateEffect, Observation

MODEL = load("pk_1cmt_oral")
ROWS = [
    {"ID": 7, "TIME": 0, "AMT": 100, "EVID": 1, "WT": 60, "AGE": 30, "OCC": 1},
    {"ID": 7, "TIME": 1, "DV": 5.0, "DVID": "a", "CENS": 0, "WT": 60, "AGE": 30, "OCC": 1},
    {"ID": 7, "TIME": 1, "DV": 9.0, "DVID": "b", "CENS": 0, "WT": 60, "AGE": 30, "OCC": 1},
    {"ID": 7, "TIME": 9, "DV": 1.0, "DVID": "a", "CENS": 1, "WT": 60, "AGE": 31, "OCC": 2},
    {"ID": 3, "TIME": 0, "AMT": 100, "EVID": 1, "WT": 80, "AGE": 50, "OCC": 1},
    {"ID": 3, "TIME": 2, "DV": 4.0, "DVID": "a", "CENS": -1, "WT": 80, "AGE": 50, "OCC": 1},
    {"ID": 3, "TIME": 3, "DV": 3.0, "DVID": "a", "CENS": 1, "LIMIT": 0.5, "WT": 80, "AGE": 50,
     "OCC": 1},
]  # fmt: skip
CHOSEN = {
    "cl": Choice(median=2.0, sd=1.0, between=0.3, occasion=0.2, covariates=(
        CovariateEffect(name="wt", reference=70, coefficient=0.75),
        CovariateEffect(name="age", reference=40, coefficient=-0.1),
    )),
}  # fmt: skip


def made(rows=ROWS, chosen=CHOSEN, observations=None):
    rows = [{"CENS": 0, "LIMIT": float("nan"), "AMT": 0, "EVID": 0, **row} for row in rows]
    events = table(rows, numbers=("CENS", "LIMIT"))
    seen = observations or (ADDITIVE.model_copy(update={"dvid": "a"}),)
    return design(MODEL, settings_of("pk_1cmt_oral", chosen, seen), events, "fit.toml")


def test_subjects_stand_in_the_order_of_the_data():
    found = made()
    assert found.subjects == ("7", "3") and found.count == 2
    assert found.occasions == ("7:1", "7:2", "3:1")


def test_covariates_have_one_row_where_none_changes_within_a_subject():
    known = made().known
    np.testing.assert_array_equal(known.covariates["WT"], [[60, 80]])
    assert known.covariates["AGE"].shape[0] > 1  # 31 at the last record of the first
    np.testing.assert_array_equal(known.covariates["AGE"][3], [31, 50])


def test_occasions_hold_at_their_records_and_the_last_goes_on():
    occasion = made().known.occasion
    assert occasion is not None
    np.testing.assert_array_equal(occasion[:5, 0], [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(occasion[:5, 1], [2, 2, 2, 2, 2])


def test_a_stream_holds_the_rows_of_its_dvid_and_how_they_are_censored():
    (stream,) = made().streams
    np.testing.assert_array_equal(stream.row, [1, 3, 5, 6])
    np.testing.assert_array_equal(stream.record, [1, 3, 1, 2])
    np.testing.assert_array_equal(stream.subject, [0, 0, 1, 1])
    np.testing.assert_array_equal(stream.y, [5, 1, 4, 3])
    np.testing.assert_array_equal(stream.kind, [0, 1, -1, 2])  # the last between limit and y
    assert stream.limit[3] == 0.5


def test_what_the_settings_ask_in_vain_is_told_whole():
    with pytest.raises(DataError) as caught:
        asked = CovariateEffect(name="sex", reference=1, coefficient=0.1)
        rows = [{k: v for k, v in row.items() if k != "OCC"} for row in ROWS]
        made(rows, {"cl": Choice(occasion=0.2, covariates=(asked,))})
    assert [fault.found for fault in caught.value.faults] == [
        "the data have no covariate 'sex'",
        "'cl' varies between occasions, and the data have no column OCC",
    ]
    with pytest.raises(DataError) as caught:
        given = {"error": "additive", "priors": {"additive": 1.0}}
        made(observations=(
            Observation(output="level", **given),
            Observation(output="concentration", dvid="c", **given),
        ))  # fmt: skip
    first, second = caught.value.faults
    assert "no output 'level'" in first.found and "concentration" in first.remedy
    assert "no observed row of DVID c" in second.found and "a, b" in second.remedy
