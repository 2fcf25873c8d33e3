"""The next visit where everything is normal, so that what it tells is an integral."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from pkpd.prediction.next_visit import Target, visit_table
from pkpd.prediction.patient_courses import Courses
from pkpd.prediction.patient_effects import PatientEffects
from pkpd.prediction.patient_tables import Labels
from pkpd.settings_individual import Observation

SPREAD, LUCK, CUT, DRAWS, EACH = 1.3, 0.4, 0.5, 800, 5
NOISE = {"near": 0.3, "far": 1.5}
"""SDs of two measurements of the same thing."""


@pytest.fixture(scope="module")
def table():
    size, chance = DRAWS * EACH, np.random.default_rng(2)
    f = SPREAD * chance.normal(size=size)
    f4 = f[:, None, None, None]
    effects = PatientEffects(
        (), ("A",), {}, np.zeros((0, 1)), np.zeros((1, 0, 0)),
        {f"{n}_additive": np.full(DRAWS, sd) for n, sd in NOISE.items()},
        np.zeros((size, 0, 1)), np.repeat(np.arange(DRAWS), EACH), np.full((size, 1), 1 / size),
        np.zeros(1),
    )  # fmt: skip
    seen = {n: f4 + sd * chance.normal(size=f4.shape) for n, sd in NOISE.items()}
    both = {n: np.concatenate([v, v], axis=3) for n, v in seen.items()}
    level = {n: np.concatenate([f4, f4], axis=3) for n in NOISE}
    response = norm.cdf((CUT - np.concatenate([f4, f4], axis=3)) / LUCK)
    drawn = Courses(level, level, both, {"R": response}, {})
    labels = Labels(("A",), ("final",), ("one",), (1.0, 2.0), np.array([[1.0, 2.0]]), 0.9)
    observations = tuple(
        Observation(output="f", name=n, error="additive", priors={"additive": 1.0}) for n in NOISE
    )
    target = Target("R", 0, 1)
    return visit_table(drawn, effects, labels, target, [0], observations, seed=3)


def expected(noise):
    """E[p (1 - p)] over what may be seen, by quadrature over y."""
    total = np.hypot(SPREAD, noise)
    y = np.linspace(-8 * total, 8 * total, 4001)
    gain = SPREAD**2 / total**2
    p = norm.cdf((CUT - gain * y) / np.sqrt(SPREAD**2 * (1 - gain) + LUCK**2))
    return np.trapezoid(p * (1 - p) * norm.pdf(y, scale=total), y)


@pytest.mark.parametrize("name", NOISE)
def test_expected_variance_is_the_integral(table, name):
    row = table[table["observation"] == name].iloc[0]
    assert abs(row["expected_variance"] - expected(NOISE[name])) < 4 * row["mcse"]
    assert row["mcse"] < 0.02
    p = norm.cdf(CUT / np.hypot(SPREAD, LUCK))
    assert abs(row["probability"] - p) < 4 * np.sqrt(p * (1 - p) / DRAWS / EACH)
    assert abs(row["reduction"] - (p * (1 - p) - expected(NOISE[name]))) < 4 * row["mcse"]


def test_the_better_measurement_is_told_apart(table):
    best = table.sort_values("reduction").iloc[-1]
    other = table.sort_values("reduction").iloc[0]
    assert best["observation"] == "near" and best["behind_best"] == 0
    gap = expected(NOISE["far"]) - expected(NOISE["near"])
    assert abs(other["behind_best"] - gap) < 4 * other["behind_mcse"]
    assert other["behind_best"] > 3 * other["behind_mcse"]


def test_no_visit_tells_more_than_there_is_to_learn(table):
    assert (table["share_learnt"] < 1).all() and (table["share_learnt"] > 0).all()
