"""One patient's forecast: against an independent optimiser, and integrals over a grid."""

from __future__ import annotations

import json

import numpy as np
import patient_fit
import pytest
from patient_fit import BASE, GIVEN, LAST, OTHER, REFERENCE, WEEKS, Grid, level
from scipy.optimize import minimize
from scipy.stats import norm

import pkpd
from pkpd.individual_folder import open_individual
from pkpd.individual_forecast import demands_of

TYPICAL = {n: float(np.median(v)) for n, v in patient_fit.population().items()}
EVERY = {REFERENCE: 2.0, OTHER: 4.0}


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    return patient_fit.folder(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def told(fit):
    return pkpd.forecast(
        fit, patient_fit.patient(), compare=(REFERENCE, OTHER), times=WEEKS,
        responses="EASI75", draws=patient_fit.DRAWS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def grid():
    return Grid()


def cells(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1, wanted
    return table.iloc[0]


def minus_log_posterior(z):
    cl = TYPICAL["cl"] * np.exp(TYPICAL["cl_between"] * z[0])
    v = TYPICAL["v"] * np.exp(TYPICAL["v_between"] * z[1])
    return -patient_fit.log_likelihood(TYPICAL, cl, v) - norm.logpdf(z).sum()


def test_map_is_that_of_an_independent_optimiser(told):
    found = minimize(minus_log_posterior, np.zeros(2), method="Nelder-Mead",
                     options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000})  # fmt: skip
    step = 1e-4 * np.eye(2)
    bend = np.array([[(minus_log_posterior(found.x + a + b) - minus_log_posterior(found.x + a - b)
                       - minus_log_posterior(found.x - a + b)
                       + minus_log_posterior(found.x - a - b)) / 4e-8
                      for a in step] for b in step])  # fmt: skip
    error = np.sqrt(np.diag(np.linalg.inv(bend)))
    for k, name in enumerate(("cl", "v")):
        row, sd = cells(told.effects, parameter=name), TYPICAL[f"{name}_between"]
        assert abs(row["map"] - sd * found.x[k]) < 1e-3
        np.testing.assert_allclose(row["map_se"], sd * error[k], rtol=1e-3)
        np.testing.assert_allclose(row["shrinkage"], error[k] ** 2, rtol=2e-3)
        np.testing.assert_allclose(
            row["map_value"], TYPICAL[name] * np.exp(sd * found.x[k]), rtol=1e-3
        )


def test_posterior_effects_are_those_of_the_grid(told, grid):
    ess = told.checks["ess"].iloc[0]
    for k, name in enumerate(("cl", "v")):
        eta = grid.q[f"{name}_between"] * grid.z[k]
        mean = grid.mean(eta)
        sd = np.sqrt(grid.mean((eta - mean) ** 2))
        row = cells(told.effects, parameter=name)
        assert abs(row["mean"] - mean) < 4 * sd / np.sqrt(ess)
        # 90 % of a law that is nearly normal
        np.testing.assert_allclose(row["upper"] - row["lower"], 2 * 1.645 * sd, rtol=0.25)


def test_the_course_at_the_mode_is_a_superposition(told):
    modes = {name: cells(told.effects, parameter=name)["map_value"] for name in ("cl", "v")}
    for regimen, every in EVERY.items():
        for week in WEEKS:
            given = [*GIVEN, *(LAST + 7 * at for at in np.arange(0, week, every))]
            f = level(LAST + 7 * week, given, **modes)
            row = cells(told.forecast, regimen=regimen, week=week, quantity="level",
                        layer="uncertainty")  # fmt: skip
            np.testing.assert_allclose(row["map"], f, rtol=1e-6)
            assert row["time"] == LAST + 7 * week


@pytest.mark.parametrize("week", WEEKS)
def test_chances_are_those_of_the_grid(told, grid, week):
    chance = {r: grid.chance(week, every, 0.25) for r, every in EVERY.items()}
    wanted = {
        "reference": grid.mean(chance[REFERENCE]),
        "regimen": grid.mean(chance[OTHER]),
        "difference": grid.mean(chance[OTHER] - chance[REFERENCE]),
        "kept": grid.mean(np.minimum(*chance.values())) / grid.mean(chance[REFERENCE]),
    }
    for statistic, value in wanted.items():
        row = cells(told.compare, week=week, statistic=statistic)
        assert abs(row["mean"] - value) < 4 * row["mcse"] + 1e-4, statistic
        assert row["mcse"] < 0.05


def test_noise_widens_what_a_visit_shows(told, grid):
    for week in WEEKS:
        row = {layer: cells(told.forecast, regimen=OTHER, week=week, quantity="easi", layer=layer)
               for layer in ("uncertainty", "observation")}  # fmt: skip
        width = {layer: each["upper"] - each["lower"] for layer, each in row.items()}
        assert width["observation"] > width["uncertainty"]
        assert row["observation"]["lower"] >= 0 and row["observation"]["upper"] <= 72
        f = BASE * level(LAST + 7 * week, [*GIVEN, *(LAST + 7 * at for at in
                         np.arange(0, week, 4.0))], grid.cl, grid.v)  # fmt: skip
        uncertainty = row["uncertainty"]
        assert abs(uncertainty["mean"] - grid.mean(f)) < 4 * uncertainty["mcse"]


def test_every_row_says_that_it_is_final(told):
    assert told.passed and told.demands == "met"
    for table in (told.effects, told.forecast, told.compare, told.visits, told.checks):
        assert (table["status"] == "final").all()
    assert (told.forecast["level"] == 0.9).all() and (told.forecast["kind"] == "eti").all()


def test_the_answer_is_told_in_words_and_as_plain_data(told):
    answer = told.sentences()[0]
    assert "Patient A: EASI75 at week 6 to come on 20 mg every 4 weeks" in answer
    assert json.loads(json.dumps(told.to_dict(), default=float))["seed"] == 1


def test_visits_before_the_last_week_are_weighed_up_against_it(told):
    visits = told.visits
    assert (visits["target_week"] == max(WEEKS)).all()
    assert (visits["target_regimen"] == OTHER).all()
    assert set(visits["week"]) == set(WEEKS[:-1]) and set(visits["regimen"]) == {*EVERY}
    assert (visits["reduction"] < visits["learnable"] + 4 * visits["mcse"]).all()
    assert (visits["reduction"] > -4 * visits["mcse"]).all()
    chance = cells(told.compare, week=max(WEEKS), statistic="regimen")["mean"]
    np.testing.assert_allclose(visits["probability"], chance, rtol=1e-9)
    np.testing.assert_allclose(visits["variance"], chance * (1 - chance), rtol=1e-9)


def test_a_posterior_that_missed_its_demands_is_named_in_every_row(tmp_path):
    fit = patient_fit.folder(tmp_path, passed=False)
    told = pkpd.forecast(fit, patient_fit.patient(), times=2, draws=20)
    said = "missed its demands (r_hat)"
    assert not told.passed and said in told.demands and said in " ".join(told.sentences())
    for table in (told.effects, told.forecast):
        assert table["status"].str.contains(said, regex=False).all()


def test_a_posterior_without_a_verdict_of_its_own_draws_is_not_diagnosed(tmp_path):
    fit = open_individual(patient_fit.folder(tmp_path, passed=None))
    assert "has not been diagnosed" in demands_of(fit)
    (fit.folder / "card.json").write_text('{"passed": true, "draws": "of other draws"}')
    assert "has not been diagnosed" in demands_of(fit)
