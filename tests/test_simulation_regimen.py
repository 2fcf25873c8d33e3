"""A regimen's doses given to event records, against the closed form summed over doses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pkpd.errors import DataError, ModelError
from pkpd.simulation import simulate

SET = {"cl": 2.0, "v": 10.0}
BANDS = "150 mg below 60 kg, 300 mg from 60 kg, every 4 weeks, miss dose 2"


def level(t, doses):
    """mg/L of one compartment just before anything given at `t` days."""
    return sum(mg / 10 * np.exp(-0.2 * (t - day)) for day, mg in doses if day < t)


def records(subjects, times=(0, 10, 28, 56, 70), **columns):
    count = len(subjects) * len(times)
    table = {"ID": np.repeat(subjects, len(times)), "TIME": [*times] * len(subjects)}
    return table | {"AMT": ["."] * count, "EVID": [0] * count} | columns


def test_every_subject_has_the_doses_of_its_weight():
    table = records(["a", "b"], WT=[59.0] * 5 + [60.0] * 5)
    found = simulate("pk_1cmt_iv", table, settings=SET, regimen=BANDS)
    for who, mg in (("a", 150), ("b", 300)):
        rows = found[found["ID"].eq(who)]
        wanted = [level(t, [(0, mg), (56, mg)]) for t in rows.TIME]
        assert rows.TIME.tolist() == [0, 10, 28, 56, 70]
        np.testing.assert_allclose(rows.concentration, wanted, rtol=1e-9)


def test_doses_follow_those_on_record():
    table = {"ID": 1, "TIME": [0, 7, 40], "AMT": [100, ".", "."], "EVID": [1, 0, 0]}
    found = simulate("pk_1cmt_iv", table, settings=SET, regimen="300 mg at week 5")
    wanted = [level(7, [(0, 100)]), level(40, [(0, 100), (35, 300)])]
    np.testing.assert_allclose(found.concentration, wanted, rtol=1e-9)


def test_it_is_the_same_as_the_doses_written_out():
    given = simulate("rocatinlimab_okada_2025", records([1]), regimen="300 mg every 4 weeks")
    rows = {"ID": 1, "TIME": [0, 0, 10, 28, 28, 56, 56, 70], "EVID": [0, 1, 0, 0, 1, 0, 1, 0]}
    table = rows | {"AMT": [0, 300, 0, 0, 300, 0, 300, 0]}
    pd.testing.assert_frame_equal(given, simulate("rocatinlimab_okada_2025", table), rtol=1e-9)


def test_every_subject_that_cannot_be_dosed_is_told():
    table = records([1, 2, 3], times=(0, 70), WT=["", "", -1, -1, 70, 70])
    with pytest.raises(DataError) as caught:
        simulate("pk_1cmt_iv", table, regimen=BANDS)
    assert [fault.where for fault in caught.value.faults] == [
        "table, subject 1",
        "table, subject 2",
    ]
    assert caught.match("column WT")


def test_doses_in_the_past_of_the_record_are_refused():
    table = {"ID": [1, 1, 2, 2], "TIME": [0, 90, 0, 90], "AMT": [100, ".", ".", "."]}
    table |= {"ADDL": [2, 0, 0, 0], "II": [28, 0, 0, 0]}  # doses on days 0, 28, 56
    with pytest.raises(DataError) as caught:
        simulate("pk_1cmt_iv", table, regimen="300 mg every 4 weeks")
    assert [fault.where for fault in caught.value.faults] == ["table, subject 1"]
    assert caught.match("Weeks 0, 4, 8 lie in the past of the record, which goes to week 8")
    assert caught.match("'from week 9'")
    simulate("pk_1cmt_iv", table, regimen="300 mg every 4 weeks from week 9")


def test_what_is_decided_at_visits_is_refused():
    rule = "300 mg every 4 weeks, extend to every 8 weeks after EASI-75 kept for 24 weeks"
    with pytest.raises(DataError, match="decided by responses, which event records do not hold"):
        simulate("pk_1cmt_iv", records([1]), regimen=rule)
    with pytest.raises(ModelError, match="not understood"):
        simulate("pk_1cmt_iv", records([1]), regimen="300 mg evry 4 weeks")


def test_a_reset_has_no_week():
    table = {"ID": 1, "TIME": [0, 0, 10], "AMT": [".", ".", "."], "EVID": [0, 3, 0]}
    with pytest.raises(DataError, match="starts time anew"):
        simulate("pk_1cmt_iv", table, regimen="300 mg every 4 weeks")
