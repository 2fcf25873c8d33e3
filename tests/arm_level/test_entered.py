"""Moments of the entered and of the randomised, against simulated patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pkpd.arm_level import entered, randomised
from pkpd.variation import fluctuation

PATHS = 60_000
VALUES = {
    "visit_sd": 0.3, "visit_memory": 4.0, "flare_sd": 0.5, "flare_memory": 15.0, "iga_sd": 0.4,
    "iga_easi": 2.5, "leakage": 0.3, "missed": 0.05,
}  # fmt: skip
RATIO = np.array([[0.30, 0.12, 0.05, 0.6], [0.25, 0.10, 0.08, 0.6], [0.4, 0.2, 0.1, 0.7]])
STAY = np.array([[0.95, 0.9, 0.97, 0.85], [0.93, 0.88, 0.96, 0.8], [0.9, 0.85, 0.9, 0.7]])
LEVEL = np.array([[40.0, 30.0, 55.0, 20.0], [30.0, 22.0, 41.0, 15.0], [10.0, 6.0, 20.0, 3.0]])
EASI = np.array([25.0, 30.0, 40.0, 22.0])
WEEKS = np.array([24.0, 28.0, 36.0])


@pytest.fixture(scope="module")
def simulated():
    """y, presence, IGA and entry at the first visit, all (visits, patients of four kinds)."""
    random = np.random.default_rng(1)
    who = np.arange(PATHS) % 4
    k = np.asarray(fluctuation.covariance(VALUES, WEEKS))
    noise = np.linalg.cholesky(k) @ random.standard_normal((3, PATHS))
    y = RATIO[:, who] * np.exp(noise - np.diag(k)[:, None] / 2)
    iga = np.log(EASI[who] * y) + 0.4 * random.standard_normal((3, PATHS)) <= np.log(2.5)
    leaves = random.random(PATHS)
    staying = leaves < STAY[:, who]
    come = staying & (random.random((3, PATHS)) >= VALUES["missed"])
    leak = random.random(PATHS) < VALUES["leakage"]
    enters = staying[0] & ((y[0] <= 0.25) | iga[0] | (leak & (y[0] <= 0.5)))
    return {"y": y, "come": come, "iga": iga, "enters": enters, "level": LEVEL[:, who]}


def summaries(small, study, columns, share):
    """A study of one large arm whose statistics are means over everybody present."""
    s = small.studies[study]
    return replace(
        s, columns=columns, arms=("one",), run=s.run[:1], n=np.array([1.0]), weeks=WEEKS,
        day=np.arange(3), observed=np.zeros((1, 3 * len(columns))),
        posted=np.ones((1, 3 * len(columns)), bool), share_seen=share[None],
        share_sampled=np.ones((1, 3)), residual=np.zeros(1),
    )  # fmt: skip


def influence(shown, there, columns, change, exposure):
    """Each patient's part in every posted number, visit by visit."""
    rows = []
    for t in range(3):
        for name in columns:
            value = {
                "present": np.ones(there.shape[1]),
                "EASI_PCHG": (shown["y"][t] - 1 - change[t]) / there[t].mean(),
                "EASI50": shown["y"][t] <= 0.5,
                "EASI75": shown["y"][t] <= 0.25,
                "EASI90": shown["y"][t] <= 0.1,
                "IGA01": shown["iga"][t],
                "CONC": (shown["level"][t] - exposure[t]) / there[t].mean(),
            }[name]
            rows.append(value * there[t])
    return np.array(rows)


def means(shown, there):
    size = there.sum(axis=1)
    return (shown["y"] * there).sum(axis=1) / size - 1, (shown["level"] * there).sum(axis=1) / size


def test_moments_of_the_entered_are_those_of_selected_paths(small, simulated):
    kept = {name: part[..., simulated["enters"]] for name, part in simulated.items()}
    there = kept["come"].copy()
    there[0] = True  # the selection visit took place: they entered at it
    s = summaries(small, 1, entered.COLUMNS, there.mean(axis=1))
    patients = [part[None] for part in (RATIO, STAY, LEVEL)]
    clear = {**VALUES, "iga_easi": np.full((1, 1, 1), 2.5)}
    found = entered.moments(clear, s, *patients, EASI[None])
    change, exposure = means(kept, there)
    names = np.tile(entered.COLUMNS, 3)
    np.testing.assert_allclose(found.mean[0][names == "EASI_PCHG"], change, atol=0.004)
    np.testing.assert_allclose(found.mean[0][names == "CONC"], exposure, rtol=0.01)
    np.testing.assert_allclose(found.mean[0][names == "present"], there.mean(axis=1), atol=0.005)
    covariance = np.cov(influence(kept, there, entered.COLUMNS, change, exposure))
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance))) + 1e-12
    apart = (np.asarray(found.covariance[0]) - covariance) / scale
    assert np.abs(apart[1:, 1:]).max() < 0.03


def test_moments_of_the_randomised_are_those_of_all_paths(small, simulated):
    columns = ("present", "EASI_PCHG", "EASI50", "EASI75", "EASI90", "IGA01", "CONC")
    there = simulated["come"]
    s = summaries(small, 0, columns, there.mean(axis=1))
    patients = [part[None] for part in (RATIO, STAY, LEVEL)]
    clear = {**VALUES, "iga_easi": np.full((1, 1, 1), 2.5)}
    found = randomised.moments(clear, s, *patients, EASI[None])
    change, exposure = means(simulated, there)
    features = influence(simulated, there, columns, change, exposure)
    names = np.tile(columns, 3)
    np.testing.assert_allclose(found.mean[0][names == "EASI_PCHG"], change, atol=0.004)
    count = ~np.isin(names, ("EASI_PCHG", "CONC"))
    np.testing.assert_allclose(found.mean[0][count], features[count].mean(axis=1), atol=0.008)
    covariance = np.cov(features)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert (
        np.abs((np.asarray(found.covariance[0]) - covariance) / scale).max() < 0.04
    )  # r^4 left out
