"""The prior predictive check against what is known of levels, whose prior predictive is normal."""

from __future__ import annotations

from dataclasses import replace

import levels
import numpy as np
import pytest
from scipy.special import ndtri

from pkpd import prior_check
from pkpd.diagnosis.vpc import COLUMNS
from pkpd.errors import FitError
from pkpd.prediction.replicates import Seen, finite

SPREAD = np.sqrt(levels.SD**2 + levels.TAU**2 + levels.SIGMA**2)
MANY = 4000


def silent(stage, share):
    """Progress that says nothing."""


def with_replicates(likelihood, count):
    predictions = likelihood.settings.predictions.model_copy(
        update={"replicates": count, "bins": "time"}
    )
    settings = likelihood.settings.model_copy(update={"predictions": predictions})
    return replace(likelihood, settings=settings)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    path = tmp_path_factory.mktemp("prior") / "prior.csv"
    return prior_check.foreseen(with_replicates(levels.likelihood(free=False), MANY), path, silent)


def test_as_many_lie_inside_as_the_closed_prior_predictive_says(found):
    edge = ndtri(0.95) * SPREAD
    away = np.abs(levels.data() - levels.MEAN)
    # observations this near to an end could fall on either side by chance
    doubtful = int((np.abs(away - edge) < 0.1 * SPREAD).sum())
    assert found.observations == levels.SUBJECTS * levels.ROWS
    assert abs(found.inside - int((away < edge).sum())) <= doubtful < found.observations / 4


def test_the_median_over_all_subjects_has_the_interval_of_the_closed_form(found):
    """Of one visit's median over nine subjects, whose levels share mu: by simulation in NumPy."""
    chance = np.random.default_rng(0)
    mu = levels.MEAN + levels.SD * chance.normal(size=(40_000, 1))
    own = np.hypot(levels.TAU, levels.SIGMA) * chance.normal(size=(40_000, levels.SUBJECTS))
    wanted = np.quantile(np.median(mu + own, axis=1), [0.05, 0.5, 0.95])
    rows = found.table[found.table["quantile"] == "0.5"]
    assert list(found.table.columns) == list(COLUMNS) and len(rows) == levels.ROWS
    for _, row in rows.iterrows():
        got = [row["lower"], row["median"], row["upper"]]
        np.testing.assert_allclose(got, wanted, atol=0.35)  # 4 MC errors of 4000 draws' tails


def test_a_prior_that_contradicts_the_data_is_seen(tmp_path):
    likelihood = with_replicates(levels.likelihood(free=False), 200)
    streams = [replace(each, y=each.y + 30) for each in likelihood.solver.design.streams]
    design = replace(likelihood.solver.design, streams=tuple(streams))
    moved = replace(likelihood, solver=replace(likelihood.solver, design=design))
    found = prior_check.foreseen(moved, tmp_path / "prior.csv", silent)
    assert found.inside == 0
    assert f"0 of {found.observations} observations (0%) lie inside the 90%" in str(found)


def test_draws_that_give_no_number_are_left_out_and_counted():
    numbers = np.zeros((5, 3))
    numbers[1, 2] = np.nan
    seen, lost = finite(Seen([np.zeros((5, 3))], [numbers]))
    assert lost == 1 and seen.simulated[0].shape == (4, 3)


def test_a_prior_that_gives_hardly_a_number_is_refused(tmp_path, monkeypatch):
    likelihood = with_replicates(levels.likelihood(free=False), 5)
    rows = [np.full((5, len(each.y)), np.nan) for each in likelihood.solver.design.streams]
    for each in rows:
        each[0] = 1.0  # one of five
    monkeypatch.setattr(prior_check, "again", lambda *_, **__: Seen(rows, rows))
    with pytest.raises(FitError, match="Hardly any data set"):
        prior_check.foreseen(likelihood, tmp_path / "prior.csv", silent)
    assert not [*tmp_path.iterdir()]
