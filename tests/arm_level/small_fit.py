"""A few arms of the real data with few virtual patients: one randomised study, one entered."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from pkpd import library
from pkpd.arm_level.problem import likelihood
from pkpd.data.arms import read_arms
from pkpd.settings import read_settings

ROOT = Path(__file__).parents[2]
PARENTS = ("250 mg Q4W + 500 mg LD", "placebo")
WEEKS = (4, 24, 28, 36, 40)


@contextmanager
def quick_compile():
    """Programs compile in two thirds of the time and run slower: tests call them seldom."""
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", False)


def some_of(data):
    """Two arms of STREAM-AD Part 1 and those they feed, at a few visits."""
    study = "STREAM-AD-1"
    arms = tuple(
        arm
        for arm in data.arms
        if arm.parent in [(study, name) for name in PARENTS]
        or (arm.study == study and arm.name in PARENTS)
    )
    names = {(arm.study, arm.name) for arm in arms}
    kept = [key in names for key in zip(data.rows.study, data.rows.arm, strict=True)]
    return replace(data, arms=arms, rows=data.rows[np.array(kept) & data.rows.week.isin(WEEKS)])


def whole_fit(count):
    """Settings with so many virtual patients, data and models of the fit in `fits/`."""
    settings = read_settings(ROOT / "fits/ox40_extension/fit.toml")
    patients = settings.patients.model_copy(update={"count": count})
    settings = settings.model_copy(update={"patients": patients, "discrepancy": 0.0})
    pk = {drug: library.load(name) for drug, name in settings.drugs.items()}
    data = read_arms(ROOT / "fits/data/ox40_trials")
    return settings, data, library.load(settings.model), pk


def small_likelihood(count):
    """The likelihood of a few arms, on a mesh of steps up to 3.5 days."""
    settings, data, disease, pk = whole_fit(count)
    return likelihood(settings, some_of(data), disease, pk, 3.5)
