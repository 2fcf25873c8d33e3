"""Stacking weights: corners, closed form, and a general optimiser."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from pkpd.diagnosis.leave_out import LeaveOut
from pkpd.diagnosis.stacking import stacking
from pkpd.prediction.summarise import PREDICTIONS
from pkpd.prediction.verdict import Contender, comparison
from pkpd.settings import Predictions, Question


def score(elpd, weights):
    return np.log(np.exp(elpd) @ weights).sum()


def test_a_model_that_predicts_every_arm_better_takes_all():
    elpd = np.array([[-1.0, -2.0], [-3.0, -3.5], [-0.5, -4.0]])
    assert stacking(elpd) == pytest.approx([1.0, 0.0], abs=1e-4)


def test_models_alike_share_alike():
    assert stacking(np.full((5, 4), -2.0)) == pytest.approx(np.full(4, 0.25))


def test_two_arms_two_models_in_closed_form():
    """d/dw [log(a w + b (1 - w)) + log(c w + d (1 - w))] = 0 has one root."""
    a, b, c, d = 0.9, 0.2, 0.3, 0.6
    root = -0.5 * (b / (a - b) + d / (c - d))
    assert stacking(np.log([[a, b], [c, d]]))[0] == pytest.approx(root, abs=1e-4)


def test_no_optimiser_finds_better():
    elpd = np.random.default_rng(1).normal(0.0, 1.5, (19, 4))
    weights = stacking(elpd)
    found = minimize(lambda x: -score(elpd, softmax(x)), np.zeros(4), tol=1e-10)
    assert weights.sum() == pytest.approx(1)
    assert score(elpd, weights) >= -found.fun - 1e-4


def test_a_constant_for_an_arm_changes_nothing():
    elpd = np.random.default_rng(2).normal(0.0, 1.0, (10, 3))
    far = elpd + np.linspace(-900, 900, 10)[:, None]
    assert stacking(far) == pytest.approx(stacking(elpd), abs=1e-8)


def test_compare_csv_has_each_models_weight():
    empty = pd.DataFrame(columns=list(PREDICTIONS))
    elpd = np.array([[-1.0, -2.0], [-3.0, -2.5], [-0.5, -1.0]])
    entries = [Contender(f"m{k}", LeaveOut(elpd[:, k], np.zeros(3)), empty) for k in range(2)]
    question = Question(drug="d", induction="300 mg every 4 weeks", dose=300)
    asked = Predictions(questions=(question, question))
    found = comparison(entries, asked).drop_duplicates("model").set_index("model")["weight"]
    assert found.tolist() == pytest.approx(stacking(elpd).tolist())
    assert found.sum() == pytest.approx(1)
