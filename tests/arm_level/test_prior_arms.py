"""The prior predictive check of arms against the moments that the likelihood scores arms by."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm
from small_fit import quick_compile

from pkpd import prior_check
from pkpd.arm_level import arms, blocks
from pkpd.errors import FitError
from pkpd.prediction.predictive import COLUMNS
from pkpd.prediction.statistics import on_fitted_scale
from pkpd.variation.standard import prior_draws

COUNT, LEVEL = 80, 0.9
SHARES = (0.05, 0.5, 0.95)


def silent(stage, share):
    """Progress that says nothing."""


@pytest.fixture(scope="module")
def draws(small):
    return prior_draws(small.space, COUNT, 4)


@pytest.fixture(scope="module")
def found(small, draws, tmp_path_factory):
    path = tmp_path_factory.mktemp("prior") / "prior.csv"
    with quick_compile():
        return prior_check.arms_foreseen(small, draws, path, silent)


def test_every_posted_number_stands_there_and_fitted_ones_are_counted(small, found):
    table = found.table
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == sum(int(s.posted.sum()) for s in small.studies)
    fitted = table[table["fitted"]]
    within = (fitted["lower"] <= fitted["observed"]) & (fitted["observed"] <= fitted["upper"])
    assert (found.observations, found.inside) == (len(fitted), int(within.sum()))
    assert f"{found.inside} of {len(fitted)} posted numbers of arms" in str(found)
    assert set(table["kind"]) == {"eti"} and set(table["level"]) == {LEVEL}


def test_no_number_of_a_later_study_is_given_its_selection_visit(small, found):
    """Posterior checks are; here the selection visit is simulated like the rest."""
    first = {s.study: float(s.weeks[0]) for s in small.studies if s.entered}
    shown = found.table[found.table["week"] == found.table["study"].map(first)]
    assert len(shown) and not shown["fitted"].any()
    assert (shown["lower"] < shown["upper"]).any()


def test_quantiles_are_those_of_the_mixture_of_the_draws_moments(small, draws, found):
    """By the likelihood's own means and variances at each draw, for the randomised study.

    The mixture's distribution function at a reported quantile should be that quantile's share, but
    for chance. The transformed shares of rare responses are not normal, and are left out.
    """
    (s,) = [each for each in small.studies if not each.entered]

    @jax.jit
    def moments(values):
        paths = arms.paths(small.disease, values, small.lanes)
        made = arms.moments(values, s, paths, small.lanes)
        expected, covariance = blocks.transformed(s, made, s.n, values["level_sd"])
        return expected, jnp.sqrt(jnp.einsum("aff->af", covariance)), made.mean

    with quick_compile():
        each = [moments({n: jnp.asarray(v[k]) for n, v in draws.items()}) for k in range(COUNT)]
    mean, sd, plain = (np.array(part) for part in zip(*each, strict=True))
    expected_count = plain * s.n[:, None]
    often = (np.minimum(expected_count, s.n[:, None] - expected_count) > 3).mean(axis=0) > 0.9
    use = s.posted & (often | ~s.kinds()["count"])
    own = found.table[found.table["study"] == s.study]
    error = 4 * np.sqrt(0.25 / COUNT)
    looked = 0
    for (_, row), (a, f) in zip(own.iterrows(), np.argwhere(s.posted), strict=True):
        if not use[a, f]:
            continue
        for share, name in zip(SHARES, ("lower", "median", "upper"), strict=True):
            natural = np.full(s.observed.shape, row[name])
            natural = natural / 100 if row["endpoint"] == "EASI_PCHG" else natural
            at = on_fitted_scale(s, natural)[a, f]
            assert norm.cdf(at, mean[:, a, f], sd[:, a, f]).mean() == pytest.approx(
                share, abs=error
            ), (row["endpoint"], row["week"], name)
        looked += 1
    assert looked > 8


def test_a_prior_that_contradicts_the_posted_results_is_seen(small, draws, tmp_path):
    """Every share moved to the far end of what it was."""
    studies = tuple(
        replace(s, observed=np.where(s.kinds()["level"], s.observed + 30, 1.5 - s.observed))
        for s in small.studies
    )
    some = {name: value[:25] for name, value in draws.items()}
    moved = replace(small, studies=studies)
    with quick_compile():
        found = prior_check.arms_foreseen(moved, some, tmp_path / "prior.csv", silent)
    levels = found.table[found.table["endpoint"] == "CONC"]
    assert len(levels) and not levels["inside"].any()
    assert found.inside < found.observations


def test_a_prior_that_gives_hardly_a_number_is_refused(small, draws, tmp_path, monkeypatch):
    table = None
    monkeypatch.setattr(prior_check.predictive, "foreseen", lambda *_, **__: (table, COUNT - 1))
    with pytest.raises(FitError, match="Hardly any data set"):
        prior_check.arms_foreseen(small, draws, tmp_path / "prior.csv", silent)
