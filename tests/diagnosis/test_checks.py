"""Each check finds its own fault, and no other."""

from __future__ import annotations

import pytest

from pkpd.diagnosis.checks import Diagnosis, coverage_check, sampling_checks, solver_check
from pkpd.settings import Demands

FAULTS = {
    "R-hat": {"shift": 1.0},
    "bulk ESS": {"repeat": 20},
    "divergences": {"diverging": 1},
    "E-BFMI": {"sticky": True},
    "tree depth": {"deep": 200},
}


def missed(tree):
    return [c for c in sampling_checks(tree, Demands(), 6) if not c.passed]


def test_independent_draws_meet_every_demand(tree_of):
    checks = sampling_checks(tree_of(), Demands(), 6)
    assert len(checks) == 6 and all(check.passed for check in checks)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_named(tree_of, fault):
    found = missed(tree_of(**FAULTS[fault]))
    assert any(fault in check.check for check in found), [check.check for check in found]
    assert all(check.advice for check in found)


def test_one_divergence_is_counted_and_nothing_else_is_missed(tree_of):
    (found,) = missed(tree_of(diverging=1))
    assert found.value == 1 and found.limit == "<= 0"


def test_the_worst_number_is_named_with_its_place(tree_of):
    found = next(c for c in missed(tree_of(shift=1.0)) if "R-hat" in c.check)
    assert "gamma_trial[one]" in found.check and found.value > 1.01


def test_demands_are_those_of_the_fit(tree_of):
    lax = Demands(rhat=5.0, ess_bulk=1, ess_tail=1)
    assert all(check.passed for check in sampling_checks(tree_of(shift=1.0), lax, 6))


@pytest.mark.parametrize(("k", "passed"), [(0.2, True), (0.7, False), (float("inf"), False)])
def test_a_high_pareto_k_of_the_solver_is_missed(k, passed):
    found = solver_check(k, Demands(), 0.1)
    assert found.passed is passed and "tolerance" in found.advice


@pytest.mark.parametrize(("share", "passed"), [(0.9, True), (0.7, False), (1.0, False)])
def test_coverage_may_be_too_small_or_too_large(share, passed):
    assert coverage_check(share, Demands(), 0.9).passed is passed


def test_a_diagnosis_fails_on_one_missed_demand_and_says_what_to_do(tree_of):
    good = Diagnosis(tuple(sampling_checks(tree_of(), Demands(), 6)))
    assert good.passed and "may be reported as final" in str(good)
    bad = Diagnosis((*good.checks, solver_check(0.9, Demands(), 0.1)))
    assert not bad.passed
    assert "1 demand(s) missed" in str(bad) and "Lower sampler.tolerance" in str(bad)
    assert set(bad.rows[-1]) == {"check", "value", "limit", "passed", "advice"}
