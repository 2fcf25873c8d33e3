"""What is left out, by name, and that nothing of it stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pkpd.errors import DataError
from pkpd.fit_folder import open_fit
from pkpd.validation.left_in import can_fit, grown, without
from pkpd.validation.left_out import chosen, everything, off_drug
from pkpd.validation.making import studies_of
from pkpd.validation.split import posted, rows_of, split
from pkpd.variation.prior import LogNormal, Normal
from pkpd.variation.space import Space, Variable

FITS = Path(__file__).parents[2] / "fits"
PART_2 = "STREAM-AD-2"


@pytest.fixture(scope="module")
def problem():
    return open_fit(FITS / "ox40_extension")


@pytest.fixture(scope="module")
def part(problem):
    def found(*words):
        return chosen(problem.data, words, lambda each: can_fit(problem, each))

    return found


def test_all_of_it_is_each_trial_each_arm_and_the_off_drug_phase(problem, part):
    kinds = [each.kind for each in part()]
    assert kinds == ["trial"] * 3 + ["later"] + ["arm"] * 19 + ["off-drug"]
    assert len({each.folder for each in part()}) == 24
    assert [each.name for each in part("trial")] == ["KHK4083-006", "STREAM-AD-1", PART_2]


def test_an_arm_may_be_named_alone_and_twice_is_once(part):
    whole = part("STREAM-AD-1: 125 mg Q4W")
    assert part("125 mg Q4W", "STREAM-AD-1: 125 mg Q4W") == whole


def test_unknown_names_are_told_together_with_the_close_ones(part):
    with pytest.raises(DataError) as error:
        part("STREAM-AD-3", "of-drug")
    assert len(error.value.faults) == 2
    assert "STREAM-AD" in error.value.faults[0].remedy and "off-drug" in str(error.value)


def test_a_fit_of_one_trial_cannot_do_without_it(problem):
    (first,) = chosen(problem.data, ["STREAM-AD-1"], lambda each: True)
    keep = tuple(arm for arm in problem.data.arms if (arm.study, arm.name) not in first.arms)
    rows = problem.data.rows[~problem.data.rows.row.isin(first.rows)]
    alone = replace(problem, data=replace(problem.data, arms=keep, rows=rows))
    with pytest.raises(DataError, match="of KHK4083-006 alone"):
        chosen(alone.data, ["trial"], lambda each: can_fit(alone, each))
    rest = chosen(alone.data, (), lambda each: can_fit(alone, each))
    assert {each.kind for each in rest} == {"arm", "off-drug"}


def test_nothing_of_part_2_stays_where_it_is_left_out(problem, part):
    own = without(problem, *part(PART_2))
    assert PART_2 not in set(own.data.rows.study) | {arm.study for arm in own.data.arms}
    assert PART_2 not in {rule.study for rule in own.settings.dropout}
    assert not any(arm.parent for arm in own.data.arms)
    studies = studies_of(own)
    assert not any(s.entered or "ENTRY" in s.columns for s in studies)
    gone = posted(studies_of(problem)) - posted(studies)
    assert {name[3] for name in gone if name[0] != PART_2} == {"ENTRY"}
    off = off_drug(own.data, own.data.rows)
    drug = {(arm.study, arm.name): arm.drug for arm in own.data.arms}
    keys = zip(own.data.rows.study[off], own.data.rows.arm[off], strict=True)
    assert {drug[key] for key in keys} == {"rocatinlimab"}


def test_part_2_is_asked_for_from_week_28_on_given_week_24(problem, part):
    splits = split(studies_of(problem), studies_of(without(problem, *part(PART_2))))
    rows = rows_of(splits)
    assert set(rows.study) == {PART_2} and set(rows.given) == {"week 24"}
    assert set(rows.endpoint) == {"EASI_PCHG", "CONC", "present"}
    assert rows[rows.endpoint == "EASI_PCHG"].groupby("arm").size().to_dict() == dict.fromkeys(
        (arm.name for arm in problem.data.arms if arm.study == PART_2), 7
    )
    asked = next(each for each in splits if each.s.study == PART_2)
    assert np.isnan(asked.s.observed[asked.asked]).all()
    blank = asked.asked.reshape(asked.s.shape)[..., asked.s.columns.index("EASI_PCHG")]
    assert np.isnan(asked.s.share_seen[blank]).all()


def test_a_trial_takes_along_what_its_patients_did_later(problem, part):
    own = without(problem, *part("STREAM-AD-1"))
    assert set(own.data.rows.study) == {"KHK4083-006"}
    assert list(own.settings.drugs) == list(own.pk) == ["rocatinlimab"]


def test_a_later_arm_loses_its_rows_and_keeps_its_place_in_the_entry_count(problem, part):
    own = without(problem, *part("withdrawn at wk24 (from 125)"))
    assert len(own.data.arms) == len(problem.data.arms)
    was, now = ([s for s in studies_of(p) if s.study == "STREAM-AD-1"][0] for p in (problem, own))
    assert np.array_equal(was.observed, now.observed) and np.array_equal(was.posted, now.posted)
    gone = posted(studies_of(problem)) - posted(studies_of(own))
    assert {name[:2] for name in gone} == {(PART_2, "withdrawn at wk24 (from 125)")}


def test_after_their_selection_who_entered_is_known_and_nothing_later_is(problem, part):
    (later,) = part("later")
    assert later.name == "STREAM-AD-2 after week 24"
    own = without(problem, later)
    assert own.data.rows[own.data.rows.study == PART_2].week.max() == 24
    gone = posted(studies_of(problem)) - posted(studies_of(own))
    assert gone and {name[0] for name in gone} == {PART_2} and min(name[2] for name in gone) > 24
    first, second = (
        rows_of(split(studies_of(problem), studies_of(without(problem, each))))
        for each in (later, *part(PART_2))
    )
    assert first.equals(second)


def test_off_drug_begins_after_the_first_dose_not_taken(problem, part):
    rows = rows_of(split(studies_of(problem), studies_of(without(problem, *part("off-drug")))))
    first = rows.groupby("study").week.min()
    assert first["KHK4083-006"] > 36 and first[PART_2] == 25
    assert not rows.arm.str.contains("continued").any()


def test_each_part_has_a_hash_of_its_own(problem, part):
    hashes = [without(problem, each).data.sha256 for each in part()]
    assert len({problem.data.sha256, *hashes}) == len(hashes) + 1


def test_what_the_fit_did_not_have_comes_from_the_prior_and_the_rest_is_kept():
    drug = Variable("ec50", LogNormal(2.0, 1.0), "drug", 2, "", "mg/L")
    trial = Variable("k_trial", Normal(0.0, 1.0), "trial", 2, "", "1")
    slope = Variable("gamma", LogNormal(1.0, 0.7), None, 1, "", "1")
    whole = Space((drug, trial, slope), {"drug": ("a", "b"), "trial": ("one", "two")})
    draws = {"ec50": np.full((4000, 1), 7.0), "k_trial": np.full((4000, 1), 3.0),
             "gamma": np.full(4000, 5.0)}  # fmt: skip
    found = grown(whole, {"drug": ("b",), "trial": ("one",)}, draws, 1)
    assert (found["ec50"][:, 1] == 7).all() and (found["k_trial"][:, 0] == 3).all()
    assert (found["gamma"] == 5).all()
    assert np.log(found["ec50"][:, 0]).mean() == pytest.approx(np.log(2), abs=0.05)
    assert found["k_trial"][:, 1].std() == pytest.approx(1.0, abs=0.04)


def test_every_part_has_rows(problem):
    assert all(each.rows for each in everything(problem.data))
