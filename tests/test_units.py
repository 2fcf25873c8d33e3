import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkpd.errors import UnitError
from pkpd.units import convert, known_units


@pytest.mark.parametrize(
    ("value", "source", "target", "right"),
    [
        (1.0, "ug/mL", "mg/L", 1.0),
        (1.0, "µg/mL", "mg/L", 1.0),
        (1.0, "mcg/mL", "mg/L", 1.0),
        (1500.0, "ng/mL", "mg/L", 1.5),
        (3.0, "weeks", "days", 21.0),
        (36.0, "hours", "days", 1.5),
        (45.0, "%", "fraction", 0.45),
        (7.0, "1/week", "1/day", 1.0),
        (0.5, "L/h", "L/day", 12.0),
        (32.0, "score", "points", 32.0),
        (0.3, "events per patient-year", "events per patient-year", 0.3),
    ],
)
def test_a_unit_converts_to_another_of_its_kind(value, source, target, right):
    assert convert(value, source, target) == pytest.approx(right, rel=1e-14)


def test_microgram_per_millilitre_is_exactly_milligram_per_litre():
    assert convert(45.13, "ug/mL", "mg/L") == 45.13


def test_an_array_converts_whole():
    np.testing.assert_allclose(convert(np.array([1.0, 2.0]), "weeks", "days"), [7.0, 14.0])


@given(st.floats(1e-6, 1e6), st.sampled_from(["ng/mL", "mg/dL", "g/L", "ug/L", "kg/L"]))
def test_there_and_back_is_the_same(value, unit):
    assert convert(convert(value, unit, "mg/L"), "mg/L", unit) == pytest.approx(value, rel=1e-12)


def test_the_wrong_kind_names_units_that_would_do():
    with pytest.raises(UnitError, match=r"'weeks' cannot be told in 'mg/L'.*ug/mL, ng/mL"):
        convert(1.0, "weeks", "mg/L")


def test_a_score_is_no_percentage():
    with pytest.raises(UnitError, match="not of one kind"):
        convert(1.0, "score", "%")


def test_an_unknown_unit_is_met_with_the_nearest_known():
    with pytest.raises(UnitError, match=r"'ug/mLL' is not known. Did you mean 'ug/mL'\?"):
        convert(1.0, "ug/mLL", "mg/L")


@given(st.text(max_size=8))
def test_any_text_is_a_unit_or_a_unit_error(text):
    try:
        convert(1.0, text, "mg/L")
    except UnitError as error:
        assert "Known units" in str(error) or "not of one kind" in str(error)


def test_arithmetic_that_fails_is_no_unit():
    with pytest.raises(UnitError, match="'0/0' is not known"):
        convert(1.0, "0/0", "mg/L")


@pytest.mark.parametrize("unit", known_units())
def test_every_unit_named_in_a_message_is_understood(unit):
    assert convert(2.0, unit, unit) == 2.0
