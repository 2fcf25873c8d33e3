"""Quick looks against what is known in closed form, and what they say of themselves."""

from __future__ import annotations

import importlib.util
import re

import jax.numpy as jnp
import levels
import numpy as np
import pandas as pd
import pytest
from oral_folder import small_fit
from scipy.optimize import minimize
from scipy.special import ndtri

from pkpd import quick_looks, quick_pathfinder
from pkpd.checkpoint import Checkpoint
from pkpd.errors import DataError, FitError
from pkpd.individual.problem import population_space
from pkpd.individual.start import find_start
from pkpd.quick_looks import COLUMNS, QuickLook
from pkpd.quick_mode import look_table
from pkpd.quick_points import points_mode

LEVEL = 0.9
EDGE = ndtri(0.5 + LEVEL / 2)
QUANTILES = (0.05, 0.5, 0.95)


def silent(stage, share):
    """Progress that says nothing."""


@pytest.fixture(scope="module")
def known():
    """Levels whose SDs are known: the posterior of mu is normal."""
    return levels.likelihood(free=False)


@pytest.fixture(scope="module")
def free():
    """Levels whose SDs are free."""
    return levels.likelihood(free=True)


def test_laplace_is_exact_where_the_posterior_is_normal(known):
    table, _ = quick_looks._at_mode(known, "laplace", LEVEL, silent)
    mean, sd = levels.posterior()
    (row,) = table.to_dict("records")
    assert row["parameter"] == "mu" and row["level"] == LEVEL and row["kind"] == "laplace eti"
    found = [row["estimate"], row["lower"], row["upper"]]
    np.testing.assert_allclose(found, [mean, mean - EDGE * sd, mean + EDGE * sd], rtol=1e-5)


@pytest.fixture(scope="module")
def best():
    """The mode of the closed marginal posterior and its covariance, by SciPy alone."""
    at = minimize(levels.negative, np.zeros(3), method="Nelder-Mead",
                  options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000}).x  # fmt: skip
    step = 1e-3 * np.eye(3)
    bent = [
        [
            (levels.negative(at + a + b) - levels.negative(at + a - b)
             - levels.negative(at - a + b) + levels.negative(at - a - b)) / 4e-6
            for b in step
        ]
        for a in step
    ]  # fmt: skip
    return at, np.linalg.inv(bent)


def natural(z):
    return np.array([
        levels.MEAN + levels.SD * z[0],
        levels.TAU_SD * np.exp(z[1] - 0.5),
        levels.SIGMA_SD * np.exp(z[2] - 0.5),
    ])  # fmt: skip


def test_the_mode_is_that_of_the_closed_marginal_posterior(free, best):
    table, told = quick_looks._at_mode(free, "map", LEVEL, silent)
    assert list(table["parameter"]) == ["mu", "mu_between", "level_additive"]
    np.testing.assert_allclose(table["estimate"], natural(best[0]), rtol=1e-4)
    assert table[["lower", "upper", "level"]].isna().all().all()
    assert set(table["kind"]) == {"mode"} and "no interval" in told


def test_laplace_is_the_gaussian_about_it_told_on_the_natural_scale(free, best):
    table, _ = quick_looks._at_mode(free, "laplace", LEVEL, silent)
    at, covariance = best
    sd = np.sqrt(np.diag(covariance))
    for name, side in (("estimate", 0), ("lower", -1), ("upper", 1)):
        wanted = natural(at + side * EDGE * sd)
        np.testing.assert_allclose(table[name], wanted, rtol=1e-3, err_msg=name)


def test_pathfinder_finds_the_normal_posterior(known):
    found = quick_pathfinder.pathfinder(find_start(known, silent), silent)
    mean, sd = levels.posterior()
    assert not found.pareto_k > quick_pathfinder.TRUSTED
    assert found.median[0] == pytest.approx(mean, abs=0.15 * sd)
    low, high = found.interval(LEVEL)[:, 0]
    assert [low, high] == pytest.approx([mean - EDGE * sd, mean + EDGE * sd], abs=0.25 * sd)
    assert f"Pareto k {found.pareto_k:.2f}" in found.told


@pytest.fixture(scope="module")
def shares(best):
    """The closed marginal posterior's distribution functions, of z on a grid, by NumPy alone."""
    at, covariance = best
    sides = [
        np.linspace(z - 6 * s, z + 6 * s, 121)
        for z, s in zip(at, np.sqrt(np.diag(covariance)), strict=True)
    ]
    heights = -levels.negative(np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1))
    mass = np.exp(heights - heights.max())
    found = []
    for k, side in enumerate(sides):
        share = mass.sum(axis=tuple({0, 1, 2} - {k}))
        below = (np.cumsum(share) - share / 2) / share.sum()
        at_z = np.array([natural(np.full(3, z))[k] for z in side])
        found.append((at_z, below))
    return found


@pytest.mark.slow
def test_pathfinder_finds_the_marginal_posterior_with_its_skew(free, shares):
    found = quick_pathfinder.pathfinder(find_start(free, silent), silent)
    assert found.pareto_k < quick_pathfinder.TRUSTED and found.worth > 400
    got = [found.interval(LEVEL)[0], found.median, found.interval(LEVEL)[1]]
    for q, row in zip(QUANTILES, got, strict=True):
        for k, value in enumerate(row):
            off = (found.values[:, k] < value) - q
            error = np.sqrt((found.weights**2 * off**2).sum())  # of an importance-weighed share
            assert np.interp(value, *shares[k]) == pytest.approx(q, abs=4 * error), (q, k)


def test_pathfinders_ratios_have_the_evidence_for_their_mean():
    """Of a normal density that is not normalised, in six correlated coordinates."""
    chance = np.random.default_rng(0)
    half = chance.normal(size=(6, 6))
    covariance, mean = half @ half.T + np.eye(6), np.arange(6) / 3
    precision = jnp.asarray(np.linalg.inv(covariance))
    points, ratios = quick_pathfinder.paths(
        lambda u: -0.5 * (u - mean) @ precision @ (u - mean), 6, 1, lambda share: None
    )
    evidence = 0.5 * (6 * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1])
    assert np.log(np.mean(np.exp(ratios))) == pytest.approx(evidence, abs=0.1)
    weights, _ = quick_pathfinder.weighed(ratios)
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(weights @ points, mean, atol=0.1 * sd.max())
    np.testing.assert_allclose(np.sqrt(weights @ (points - mean) ** 2), sd, rtol=0.1)


def test_pathfinder_says_when_it_is_not_to_be_believed():
    told = quick_pathfinder.Found(np.zeros((1, 1)), np.ones(1), 1.2, 3).told
    assert "Pareto k 1.20, above 0.7" in told and "not to be believed" in told and "seed 3" in told


def test_draws_without_a_density_weigh_nothing():
    ratios = np.where(np.arange(400) % 8 == 0, -np.inf, np.random.default_rng(0).normal(size=400))
    weights, k = quick_pathfinder.weighed(ratios)
    assert weights.sum() == pytest.approx(1) and (weights[::8] == 0).all() and np.isfinite(k)


def test_a_look_says_that_it_is_no_posterior(known, tmp_path):
    space, ends = population_space(known), np.array([[9.0], [11.0]])
    table = look_table(space, np.array([10.0]), ends, "laplace eti", LEVEL)
    assert tuple(table.columns) == COLUMNS
    told = str(QuickLook("laplace", table, tmp_path / "quick-laplace.csv", "Told."))
    assert told.startswith("QUICK LOOK (laplace), NOT A POSTERIOR")
    assert "pkpd run" in told and "passed" not in told


def test_points_find_the_closed_marginal_posterior(free, best, tmp_path):
    """Within four times what they say their number leaves uncertain."""
    mode, told = points_mode(free, Checkpoint(tmp_path, "one"), silent)
    at, covariance = best
    sd = np.sqrt(np.diag(covariance))
    error = float(re.search(r"up to ([\d.]+) posterior SDs", told)[1])
    assert error < 0.2
    assert np.abs((mode.at - at) / sd).max() < max(4 * error, 0.1)
    np.testing.assert_allclose(np.sqrt(np.diag(mode.covariance)), sd, rtol=0.1)


def test_points_are_refused_for_arms():
    with pytest.raises(DataError, match="not of individuals alone. Choose map"):
        quick_looks._checked("points", individual=False)


def test_where_there_is_no_mode_it_is_said(known, monkeypatch):
    monkeypatch.setattr(quick_looks, "_objective", lambda *_: lambda z: (-z.sum(), -np.ones(1)))
    with pytest.raises(FitError, match="No mode of the marginal posterior.*pkpd simulate"):
        quick_looks.marginal_mode(known, silent)


def test_an_unknown_kind_and_a_missing_package_are_told(monkeypatch):
    with pytest.raises(DataError, match="no quick look 'vi'. Choose one of map, laplace"):
        quick_looks._checked("vi", individual=True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        DataError, match=r"blackjax is not installed.*pip install 'pkpd-ox40\[quick"
    ):
        quick_looks._checked("pathfinder", individual=True)
    quick_looks._checked("map", individual=False)  # needs no package


@pytest.mark.slow
def test_a_look_at_a_folder_touches_no_result(tmp_path):
    folder = small_fit(tmp_path)
    for name in ("draws.nc", "card.json", "report.html"):
        (folder / name).write_text(name)
    look = quick_looks.quick(folder, "laplace", progress=silent)
    assert look.path == folder / "quick-laplace.csv"
    pd.testing.assert_frame_equal(pd.read_csv(look.path), look.table, rtol=1e-12)
    assert {path.name for path in folder.iterdir()} == {
        "fit.toml", "draws.nc", "card.json", "report.html", "quick-laplace.csv"
    }  # fmt: skip
    for name in ("draws.nc", "card.json", "report.html"):
        assert (folder / name).read_text() == name
