"""Doses by band of body weight."""

from __future__ import annotations

import numpy as np
import pytest

from pkpd.errors import ModelError
from pkpd.regimen import Band, Bands, Dose, regimen

TWO = "150 mg below 60 kg, 300 mg from 60 kg, every 4 weeks"


def test_a_band_begins_at_its_weight():
    assert regimen(TWO).doses(4, 59.999) == (Dose(0, 150), Dose(4, 150))
    assert regimen(TWO).doses(4, 60) == (Dose(0, 300), Dose(4, 300))


def test_bands_are_carried_to_the_next_clause():
    given = regimen("150 mg below 60 kg, 300 mg from 60 kg every 4 weeks x2, then every 8 weeks")
    assert given.doses(20, 50) == (Dose(0, 150), Dose(4, 150), Dose(12, 150), Dose(20, 150))


def test_a_loading_dose_has_bands_of_its_own():
    text = (
        "300 mg below 60 kg, 600 mg from 60 kg, at week 0, "
        "then 150 mg below 60 kg, 300 mg from 60 kg, every 4 weeks"
    )
    assert str(regimen(text)) == text
    assert regimen(text).doses(4, 70) == (Dose(0, 600), Dose(4, 300))


def test_doses_of_many_patients_are_those_of_each():
    given = regimen(
        "100 mg below 50 kg, 200 mg from 50 to 80 kg, 300 mg from 80 kg, every 4 weeks, "
        "extra 60 mg at week 4, miss dose 3"
    )
    weights = np.array([49.0, 50.0, 79.9, 80.0, 120.0])
    weeks, amounts = given.doses_by_weight(12, weights)
    assert weeks.tolist() == [0, 4, 12]
    assert amounts[1].tolist() == [160, 260, 260, 360, 360]
    for n, weight in enumerate(weights):
        assert [d.amount for d in given.doses(12, weight)] == amounts[:, n].tolist()


def test_a_dose_by_weight_asks_for_the_weight_but_its_weeks_do_not():
    assert regimen(TWO).weeks(8) == (0, 4, 8)
    assert regimen(TWO).last_dose_week(9) == 8
    for weight in (None, 0.0, float("nan")):
        with pytest.raises(ModelError, match="depends on body weight"):
            regimen(TWO).doses(8, weight)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("150 mg below 60 kg, 300 mg from 70 kg, every 4 weeks", ["gap from 60 to 70 kg"]),
        ("150 mg below 60 kg, 300 mg from 50 kg, every 4 weeks", ["overlap from 50 to 60 kg"]),
        ("200 mg from 60 to 80 kg, every 4 weeks", ["gap from 0 to 60 kg", "gap from 80 kg on"]),
        ("150 mg below 60 kg, every 4 weeks", ["gap from 60 kg on: .* '300 mg from 60 kg'"]),
        ("150 mg below 60 kg, 300 mg from 60 kg", ["states no time"]),
        ("150 mg below 60 kg, 300 mg every 4 weeks", ["'150 mg below 60 kg' states no time"]),
        ("150 mg below -5 kg, 300 mg from 60 kg, every 4 weeks", ["for no weight or for all"]),
        ("0 mg below 60 kg, 300 mg from 80 to 70 kg, every 4 weeks", ["dose of 0 mg", "no weight"]),
        (
            "1 mg below 60 kg, 2 mg from 50 to 90 kg, 3 mg from 70 kg, every 4 weeks",
            ["overlap from 50 to 60 kg", "overlap from 70 to 90 kg"],
        ),
    ],
)
def test_gaps_and_overlaps_are_refused_all_at_once(text, messages):
    with pytest.raises(ModelError) as caught:
        regimen(text)
    assert len(caught.value.said) == len(messages)
    for message in messages:
        assert caught.match(message)


def test_one_band_for_all_is_none():
    with pytest.raises(ModelError, match="One band for all weights is no band"):
        Bands((Band(300.0),))
