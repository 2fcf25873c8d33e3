"""Prediction errors of a fit against those of a closed form."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

sys.path.insert(0, str(Path(__file__).parents[1] / "individual"))

import levels

from pkpd.prediction.individual_seen import ERRORS, error_table, fresh

COUNT = 600


def heard(share):
    """Progress that says nothing."""


@pytest.fixture(scope="module")
def likelihood():
    return levels.likelihood(free=False)


@pytest.fixture(scope="module")
def new(likelihood):
    """Data sets of new subjects at the truth that the data were drawn at, mu 10."""
    draws = {
        "mu": np.full(COUNT, 10.0),
        "mu_eta": np.zeros((COUNT, levels.SUBJECTS)),
    }
    return fresh(likelihood, draws, heard)


def gof(likelihood):
    """The columns of gof.csv that errors are told with."""
    own = likelihood.solver.design.table.iloc[likelihood.solver.design.streams[0].row]
    return pd.DataFrame(
        {"subject": own["ID"].astype(str).to_numpy(), "arm": "", "time": own["TIME"].to_numpy(),
         "output": "level", "observed": levels.data().ravel(), "censored": 0, "pred": 10.0}
    )  # fmt: skip


@pytest.fixture(scope="module")
def table(likelihood, new):
    return error_table(likelihood, new, gof(likelihood))


def closed():
    """L^-1 (y - m), with m = 10 and the covariance tau^2 + sigma^2 I of a subject's rows."""
    covariance = levels.TAU**2 + levels.SIGMA**2 * np.eye(levels.ROWS)
    return np.linalg.solve(np.linalg.cholesky(covariance), (levels.data() - 10).T).T


def test_errors_are_those_of_the_closed_form(table):
    assert list(table.columns) == list(ERRORS)
    wanted, found = closed().ravel(), table["npde"].to_numpy(float)
    near = np.abs(wanted) < 2
    # a rank among 600 at |z| = 2 has SD 0.11, at 0 has SD 0.05; the whitening 0.03 of z
    assert np.abs(found - wanted)[near].max() < 4 * 0.11 + 4 * 0.03 * 2
    assert np.sqrt(np.mean((found - wanted)[near] ** 2)) < 0.15
    assert (found[~near] * np.sign(wanted[~near]) > 1.4).all()


def test_errors_of_a_model_whose_spread_is_too_small_are_too_wide(likelihood, new):
    """As new subjects, with their spread about 10 halved."""
    seen = new.seen.simulated[0]
    narrow = type(new)(type(new.seen)(new.seen.expected, [10 + (seen - 10) / 2]), 0)
    wide = error_table(likelihood, narrow, gof(likelihood))["npde"].to_numpy(float)
    fair = error_table(likelihood, new, gof(likelihood))["npde"].to_numpy(float)
    assert kstest(fair, "norm").pvalue > 0.01
    assert wide.std() > 1.5 * fair.std()


def test_a_subject_with_more_rows_than_data_sets_can_whiten_has_none(likelihood, new):
    few = type(new)(
        type(new.seen)(
            [each[:8] for each in new.seen.expected], [each[:8] for each in new.seen.simulated]
        ),
        0,
    )
    assert error_table(likelihood, few, gof(likelihood))["npde"].isna().all()


def test_data_sets_that_are_no_numbers_are_left_out_and_counted(likelihood, new, monkeypatch):
    from pkpd.prediction import individual_seen

    broken = [each.copy() for each in new.seen.simulated]
    broken[0][3, 1] = np.nan
    seen = type(new.seen)(new.seen.expected, broken)
    monkeypatch.setattr(individual_seen, "again", lambda *_, **__: seen)
    found = fresh(likelihood, {}, heard)
    assert found.lost == 1 and len(found.seen.simulated[0]) == COUNT - 1
