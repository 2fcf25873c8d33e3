"""What is asked: nonsense is refused in words, every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pkpd.decision.asked import decision_asked
from pkpd.decision.trial_asked import interval_of, trial_asked
from pkpd.errors import DataError
from pkpd.settings import Loss, read_settings

FIT = Path(__file__).parents[2] / "fits" / "ox40_extension" / "fit.toml"


@pytest.fixture(scope="module")
def settings():
    return read_settings(FIT)


def test_numbers_not_given_are_those_of_the_fit(settings):
    made, asked = decision_asked(settings, {"margin": None}), settings.predictions
    assert (made.margin, made.kept_share, made.probability) == (
        asked.margin, asked.kept_share, asked.probability,
    )  # fmt: skip
    assert made.intervals == asked.intervals and made.weeks == (52.0, 72.0, 104.0)
    assert made.drugs == ("rocatinlimab", "amlitelimab") and made.loss == Loss()
    assert len(made.questions(asked)) == 3


def test_own_numbers_stand_in_for_them(settings):
    options = {"margin": 0.05, "intervals": (12.0, 4.0), "drugs": ("amlitelimab",),
               "loss": {"injection": 0.02}, "weeks": (60.0,)}  # fmt: skip
    made = decision_asked(settings, options)
    assert (made.margin, made.intervals, made.loss.injection) == (0.05, (4.0, 12.0), 0.02)
    assert made.loss.lost == 1.0
    assert [q.drug for q in made.questions(settings.predictions)] == ["amlitelimab"]
    followed = made.predictions(settings.predictions)
    assert max(followed.weeks) == 60.0 and followed.intervals == (4.0, 12.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"margin": 1.2}, "margin 1.2: not within 0 and 1"),
        ({"margin": 0.0}, "margin 0: not within 0 and 1"),
        ({"kept_share": -0.1}, "kept_share -0.1: not within"),
        ({"probability": 1.0}, "probability 1: not within"),
        ({"level": float("nan")}, "level nan: not within"),
        ({"intervals": (4.0, 0.0)}, "interval 0: weeks between doses must be above 0"),
        ({"intervals": ()}, "intervals: there are none"),
        ({"intervals": (4.0, 4.0)}, "given twice"),
        ({"drugs": ("amlitelimap",)}, "Did you mean amlitelimab"),
        ({"endpoint": "EASI57"}, "Did you mean EASI"),
        ({"estimand": "nri"}, "no such estimand"),
        ({"weeks": (24.0,)}, "re-randomised at week 24"),
        ({"weeks": (float("inf"),)}, "week inf"),
        ({"loss": {"injektion": 1.0}}, "Did you mean injection"),
        ({"loss": {"lost": -1.0}}, "lost -1: not a number from 0 on"),
        ({"weight_cut": 0.0}, "weight_cut 0"),
        ({"draws": 0}, "draws 0"),
        ({"marjin": 0.1}, "Did you mean margin"),
        ({"beside": ("EASI100",)}, "endpoint 'EASI100': no such endpoint"),
    ],
)
def test_nonsense_is_refused_in_words(settings, options, words):
    with pytest.raises(DataError) as caught:
        decision_asked(settings, options)
    assert words in str(caught.value)


def test_all_faults_are_listed_together(settings):
    options = {"margin": 2.0, "intervals": (0.0,), "drugs": ("x",), "loss": {"y": 1.0}}
    with pytest.raises(DataError) as caught:
        decision_asked(settings, options)
    assert len(caught.value.faults) == 4


def test_arms_are_written_as_people_write_them():
    assert interval_of("Q8W") == interval_of("q8w") == 8.0 and interval_of("Q4.5W") == 4.5
    assert interval_of("stop") == float("inf")
    assert interval_of("Q8") != interval_of("Q8")  # no number


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "no size is given"),
        ({"sizes": (1.0,)}, "n 1: not a whole number"),
        ({"sizes": (10.5,)}, "n 10.5"),
        ({"wanted": 1.0}, "wanted 1: not within"),
        ({"sizes": (50,), "margin": 1.0}, "margin 1: not within"),
        ({"sizes": (50,), "one_sided_level": 0.0}, "one_sided_level 0"),
        ({"sizes": (50,), "arms": ("Q4W", "Q0W")}, "weeks between doses must be above 0"),
        ({"sizes": (50,), "arms": ("Q4W", "8")}, "Write Q8W, or stop"),
        ({"sizes": (50,), "arms": ("Q4W",)}, "a reference and one more"),
        ({"sizes": (50,), "arms": ("stop", "Q4W")}, "Put a dosing interval first"),
        ({"sizes": (50,), "arms": ("Q4W", "Q4W")}, "given twice"),
        ({"sizes": (50,), "test": "wald"}, "no such test"),
        ({"sizes": (50,), "endpoint": "EASI100"}, "Did you mean EASI"),
        ({"sizes": (50,), "estimand": "hypothetical"}, "is never seen: no trial can count it"),
        ({"sizes": (50,), "estimand": "observed"}, "Ask for NRI or while-on-treatment"),
        ({"sizes": (50,), "estimand": "while on"}, "Did you mean while-on-treatment"),
        ({"sizes": (50,), "drugs": ("dupilumab",)}, "no such drug"),
        ({"sizes": (50,), "week": 24.0}, "re-randomised at week 24"),
    ],
)
def test_a_trial_that_cannot_be_is_refused_in_words(settings, options, words):
    with pytest.raises(DataError) as caught:
        trial_asked(settings, options)
    assert words in str(caught.value)


def test_a_trial_is_followed_to_one_visit(settings):
    made = trial_asked(settings, {"arms": ("Q8W", "Q4W", "stop"), "sizes": (100,)})
    followed = made.predictions(settings.predictions)
    assert followed.weeks == (24.0, 72.0) and followed.intervals == (4.0, 8.0)
    assert made.intervals == (8.0, 4.0, float("inf"))


def test_while_on_treatment_the_visits_before_it_count(settings):
    options = {"sizes": (100,), "estimand": "while-on-treatment", "week": 40.0}
    followed = trial_asked(settings, options).predictions(settings.predictions)
    assert followed.weeks == (24.0, 28.0, 32.0, 36.0, 40.0)


@pytest.mark.parametrize("ask", [decision_asked, trial_asked])
def test_clear_skin_is_not_asked_of_a_fit_that_never_saw_it(settings, ask):
    seen = tuple(each for each in settings.endpoints if each.endpoint != "IGA01")
    options = {"endpoint": "IGA01"} | ({"sizes": (50,)} if ask is trial_asked else {})
    assert ask(settings, options).endpoint == "IGA01"
    with pytest.raises(DataError, match="no IGA 0/1 is fitted"):
        ask(settings.model_copy(update={"endpoints": seen}), options)


def test_other_outcomes_of_the_fit_are_answered_once_each(settings):
    options = {"endpoint": "IGA01", "estimand": "NRI"}
    made = decision_asked(settings, options | {"beside": settings.predictions.endpoints})
    assert len({*made.others, made.outcome}) == len(made.others) + 1 == 4 * 5
    assert made.about(made.others[0]).outcome == made.others[0]
    assert {each.endpoint for each in decision_asked(settings, options).others} == {"IGA01"}
