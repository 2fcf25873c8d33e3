"""Meshes of new patients, against a closed form: saturable elimination by Lambert's W."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import lambertw

from pkpd.data.events import read_events
from pkpd.individual.kept_mesh import mesh_dataset
from pkpd.individual.planning import FLOOR, HOLDS
from pkpd.library import load
from pkpd.prediction import cohort_mesh
from pkpd.prediction.cohort_mesh import Lanes, ends, looks, on_kept_mesh, on_new_mesh
from pkpd.prediction.courses_store import Regimen, Store
from pkpd.prediction.new_courses import courses, new_cohort, with_effects
from pkpd.settings_individual import (
    Choice,
    Engine,
    IndividualSettings,
    Observation,
    Predicted,
    Predictions,
)

MEDIANS = {"vmax": 4.0, "km": 5.0, "v": 10.0}
DOSE, TIMES, PATIENTS, DRAWS, SEED = 300.0, (1.0, 10.0, 40.0), 300, 12, 4
REGIMEN = Predicted(amount=DOSE, times=TIMES)
SETTINGS = IndividualSettings(
    name="test", title="test", model="pk_1cmt_mm", data="test",
    parameters={n: Choice(median=m, sd=0.3, between=0.5) for n, m in MEDIANS.items()},
    observations=(Observation(output="concentration", fixed={"proportional": 0.3}),),
    engine=Engine(tolerance=1e-4),
    predictions=Predictions(patients=PATIENTS, regimens=(REGIMEN,), seed=SEED),
)  # fmt: skip


@pytest.fixture(scope="module")
def cohort():
    seen = {"ID": [1, 1], "TIME": [0, 1], "AMT": [DOSE, 0], "EVID": [1, 0], "DV": [".", 20]}
    return new_cohort(SETTINGS, load("pk_1cmt_mm"), read_events(seen).table, REGIMEN)


@pytest.fixture(scope="module")
def draws(cohort):
    chance = np.random.default_rng(SEED)
    found = {n: m * np.exp(0.1 * chance.normal(size=DRAWS)) for n, m in MEDIANS.items()}
    found |= {f"{n}_between": 0.4 + 0.2 * chance.random(DRAWS) for n in MEDIANS}
    return with_effects(cohort, found, SEED)


@pytest.fixture(scope="module")
def planned(cohort, draws):
    return on_new_mesh(cohort, draws)


def parameters(draws):
    """Every patient's own parameters, (draws, patients)."""
    return {n: draws[n][:, None] * np.exp(draws[f"{n}_between"][:, None] * draws[f"{n}_eta"])
            for n in MEDIANS}  # fmt: skip


def levels(draws):
    """Every patient's concentrations, (draws, patients, times): C + km log C falls by vmax / v."""
    own = parameters(draws)
    vmax, km, v = (own[n][..., None] for n in MEDIANS)
    first = DOSE / v / km
    grown = np.log(first) + first - vmax / v / km * np.array(TIMES)
    exact = np.where(grown < 600, lambertw(np.exp(np.minimum(grown, 600))).real, grown)
    for _ in range(4):  # Newton's steps on w + log w = grown, where the exponential is too large
        exact = np.maximum(exact, 1e-300)
        exact = exact * (1 + grown - np.log(exact)) / (1 + exact)
    return km * exact


def followed(made, draws):
    return np.stack([each[0] for each in courses(made, draws, SEED)])


def off(made, draws):
    """Errors, (draws, patients), relative to |x| + FLOOR max |x|, the dose's level among these."""
    exact, most = levels(draws), DOSE / parameters(draws)["v"]
    gap = np.abs(followed(made, draws) - exact) / (np.abs(exact) + FLOOR * most[..., None])
    return gap.max(axis=-1)


def test_the_mesh_holds_for_every_patient_under_every_draw(planned, draws):
    assert planned.residual <= HOLDS * SETTINGS.engine.tolerance
    assert off(planned.likelihood, draws).max() <= HOLDS * SETTINGS.engine.tolerance


def test_its_residual_is_its_error_under_the_draws_it_was_proved_under(cohort, draws, planned):
    gap = off(planned.likelihood, draws)
    seen = [gap[lanes.draw, lanes.patient].max() for lanes in looks(cohort, draws)]
    assert planned.residual == pytest.approx(max(seen), rel=0.15)


def test_each_patient_is_proved_under_draws_of_its_own(cohort, draws):
    found = looks(cohort, draws)
    assert len({tuple(lanes.draw) for lanes in found}) == cohort_mesh.LOOKS
    for lanes in found:
        assert lanes.patient.tolist() == list(range(PATIENTS))
        assert set(lanes.draw) == set(range(DRAWS))
        check_own(lanes, draws)


def test_planned_for_are_the_ends_of_every_parameter_under_the_ends_of_every_draw(cohort, draws):
    found, own = ends(cohort, draws), parameters(draws)
    assert len(found.patient) < PATIENTS * DRAWS / 5
    check_own(found, draws)
    for name, values in own.items():
        assert found.own[name].min() == pytest.approx(values.min(), rel=1e-12)
        assert found.own[name].max() == pytest.approx(values.max(), rel=1e-12)


def check_own(lanes, draws):
    for name, values in parameters(draws).items():
        np.testing.assert_allclose(
            lanes.own[name][0], values[lanes.draw, lanes.patient], rtol=1e-12
        )


def test_those_whom_the_mesh_fails_join_those_it_is_planned_for(cohort, draws, monkeypatch):
    """Planned for the patient who needs the fewest parts, it would be off for most."""
    own = parameters(draws)
    slow = int((own["vmax"] / own["v"])[0].argmin())
    every = looks(cohort, draws)[0]
    alone = Lanes(np.array([slow]), np.array([0]), {n: v[:1, [slow]] for n, v in own.items()})
    monkeypatch.setattr(cohort_mesh, "ends", lambda bare, draws: alone)
    monkeypatch.setattr(cohort_mesh, "looks", lambda bare, draws: [every])
    monkeypatch.setattr(cohort_mesh, "ROUNDS", 1)
    assert on_new_mesh(cohort, draws).residual > HOLDS * SETTINGS.engine.tolerance
    monkeypatch.setattr(cohort_mesh, "ROUNDS", 3)
    assert on_new_mesh(cohort, draws).residual <= HOLDS * SETTINGS.engine.tolerance


def test_a_mesh_that_was_kept_gives_the_same_to_the_last_bit(cohort, draws, planned, tmp_path):
    store = Store(tmp_path / "courses.zarr")
    store.create([Regimen("once", TIMES)], ["concentration"], (DRAWS, PATIENTS), {})
    assert store.mesh(0) is None
    store.keep_mesh(0, mesh_dataset(planned.likelihood), planned.residual)
    again = on_kept_mesh(cohort, draws, store.mesh(0))
    few = {n: v[:2] for n, v in draws.items()}
    assert np.array_equal(followed(again, few), followed(planned.likelihood, few))


def test_in_single_precision_errors_are_those_of_the_mesh(cohort, draws, planned):
    """Where the settings ask for it; what is kept is float64."""
    engine = Engine(tolerance=1e-4, precision="single")
    asked = replace(cohort, settings=SETTINGS.model_copy(update={"engine": engine})).walked()
    found = on_new_mesh(asked, draws)
    assert found.likelihood.solver.single
    assert followed(found.likelihood, draws).dtype == np.float64
    assert off(found.likelihood, draws).max() <= HOLDS * engine.tolerance
    assert found.residual == pytest.approx(planned.residual, rel=0.2)
