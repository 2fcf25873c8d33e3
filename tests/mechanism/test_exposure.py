"""Concentrations of many patients on the fixed mesh, against scipy patient by patient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pkpd.library import individual, load
from pkpd.mechanism.exposure import _solve, concentrations
from pkpd.variation.population import STEP

TIMES = np.arange(0.0, 253.0)


def patients(model, count=6):
    """Individual parameters up to two standard deviations from typical."""
    draws = np.random.default_rng(5)
    values = {}
    for p in model.parameters:
        shift = draws.uniform(-2, 2, count) * (p.between.sd if p.between else 0.0)
        values[p.name] = p.value * np.exp(shift) if p.scale == "log" else p.value + shift
    p = {name: np.asarray(value, float) for name, value in individual(model, values).items()}
    p["vmax"] = p["vmax"] * np.ones(count)
    return {name: np.broadcast_to(value, (count,)) for name, value in p.items()}


def reference(p, doses, amounts):
    """One patient by scipy at tight tolerance, the equations written out here again."""

    def slope(t, x):
        level = x[1] / p["v1"]
        lost = p["cl"] * level + (
            p["vmax"] * np.exp(-p.get("kdes", 0.0) * (t - doses[0])) * level / (p["km"] + level)
        )
        moved = p["q"] * (level - x[2] / p["v2"])
        return [-p["ka"] * x[0], p["ka"] * x[0] - lost - moved, moved]

    found, x = np.zeros(len(TIMES)), np.zeros(3)
    given = np.append(doses + p.get("lag", 0.0), TIMES[-1] + 1)
    for begin, end, amount in zip(given[:-1], given[1:], amounts, strict=True):
        x = x + [p["f"] * amount, 0, 0]
        inside = (begin < TIMES) & (end >= TIMES)
        solved = solve_ivp(
            slope,
            (begin, end),
            x,
            method="DOP853",
            rtol=1e-11,
            atol=1e-13,
            t_eval=np.unique([*TIMES[inside], end]),
        )
        found[inside] = solved.y[1, : inside.sum()] / p["v1"]
        x = solved.y[:, -1]
    return found


@pytest.mark.parametrize("name", ["rocatinlimab_okada_2025", "amlitelimab_tiraboschi_2025"])
def test_concentrations_equal_scipy_to_one_in_a_million(name):
    model = load(name)
    p = patients(model)
    doses, amounts = np.array([14.0, 42.0, 126.0]), np.array([600.0, 300.0, 150.0])
    found = np.asarray(concentrations(model, doses, amounts, p, TIMES))
    assert found.shape == (len(TIMES), 6)
    for i in range(6):
        wanted = reference({n: float(v[i]) for n, v in p.items()}, doses, amounts)
        seen = wanted > 1e-3
        assert seen.sum() > 60
        np.testing.assert_allclose(found[seen, i], wanted[seen], rtol=1e-6)


@pytest.mark.parametrize("name", ["rocatinlimab_okada_2025", "amlitelimab_tiraboschi_2025"])
def test_the_step_of_virtual_patients_is_fine_enough(name):
    model = load(name)
    p, doses = patients(model, 64), np.arange(0.0, 170.0, 28.0)
    times = np.arange(0.5, 450.0, 1.7)
    wide, fine = (
        np.asarray(concentrations(model, doses, np.full(7, 300.0), p, times, step=step))
        for step in (STEP, STEP / 8)
    )
    seen = fine > 1e-3
    wrong = np.abs(np.log(wide[seen] / fine[seen]))
    assert wrong.max() < 3e-4
    assert np.quantile(wrong, 0.99) < 1e-5


def test_regimens_share_one_program_and_no_dose_gives_nothing():
    model = load("rocatinlimab_okada_2025")
    p = patients(model)
    concentrations(model, np.arange(0, 200, 28.0), np.full(8, 300.0), p, TIMES)
    before = _solve._cache_size()
    concentrations(model, np.arange(0, 200, 56.0), np.full(4, 600.0), p, TIMES)
    concentrations(model, np.arange(0, 220, 14.0), np.full(16, 150.0), p, TIMES)
    assert _solve._cache_size() == before
    assert not concentrations(model, np.zeros(0), np.zeros(0), p, TIMES).any()
    assert not concentrations(model, np.array([400.0]), np.array([300.0]), p, TIMES).any()


def test_lanes_with_doses_of_their_own_are_those_solved_alone():
    model = load("rocatinlimab_okada_2025")
    p = patients(model)
    doses = np.array([0.0, 28.0, 45.0, 84.0])
    amounts = np.tile([[300.0], [150.0], [0.0], [300.0]], 6)
    amounts[1:, 2] = 0.0  # one dose, the first
    amounts[:, 4] = [600.0, 0.0, 75.0, 10.0]
    found = np.asarray(concentrations(model, doses, amounts, p, TIMES))
    for i in range(6):
        own = amounts[:, i] > 0
        alone = {n: float(v[i]) for n, v in p.items()}
        wanted = reference(alone, doses[own], amounts[own, i])
        seen = wanted > 1e-3
        assert seen.sum() > 20
        np.testing.assert_allclose(found[seen, i], wanted[seen], rtol=1e-6)


def test_lanes_must_begin_on_one_day():
    with pytest.raises(ValueError, match="first dose on one day"):
        p = patients(load("rocatinlimab_okada_2025"), 2)
        concentrations(
            load("rocatinlimab_okada_2025"), np.array([0.0, 7.0]), np.array([[0, 1], [1, 1]]), p,
            TIMES,
        )  # fmt: skip
