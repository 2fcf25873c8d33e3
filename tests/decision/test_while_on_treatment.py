"""While on treatment: closed form, counting, and patients simulated here one by one."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.decision.shares import Followed, responding, shares
from pkpd.prediction.estimands import averaged, on_treatment

WEEKS = np.array([24.0, 28.0, 36.0, 52.0])
LEFT = {"EASI75": 0.25, "EASI90": 0.1}
VALUES = {
    "visit_sd": 0.3, "visit_memory": 4.0, "flare_sd": 0.6, "flare_memory": 15.0, "iga_easi": 2.0,
    "iga_sd": 0.5, "missed": 0.2, "iga_easi_trial_sd": 0.3, "iga_easi_trial": np.array([0.4]),
}  # fmt: skip
EASI = np.array([18.0, 40.0])
# visits, regimens, patients: the second regimen loses response, and more of its patients leave
RATIO = np.array(
    [[[0.16, 0.3]] * 2, [[0.15, 0.28], [0.25, 0.4]], [[0.12, 0.25], [0.4, 0.6]],
     [[0.1, 0.22], [0.7, 0.9]]]
)  # fmt: skip
STAY = np.array(
    [[[0.9, 0.8]] * 2, [[0.85, 0.75], [0.8, 0.6]], [[0.75, 0.7], [0.6, 0.4]],
     [[0.7, 0.65], [0.3, 0.2]]]
)  # fmt: skip
SIMULATED = 20_000


def closed(endpoint, values=VALUES, stay=STAY, estimand="while-on-treatment", places=range(4)):
    at = list(places)
    followed = Followed(*(jnp.asarray(part) for part in (RATIO[at], stay[at], EASI)))
    known = {name: jnp.asarray(value) for name, value in values.items()}
    both = responding(known, followed, WEEKS[at], endpoint=endpoint, trial=0)
    found = shares(known["missed"], followed.stay, both, np.ones((1, 2)), estimand)
    return np.asarray(found[0])[0]


def simulate(endpoint, regimen, random):
    """Responding at the last visit come to, by visit: mean over the selected, and its error."""
    held = []
    for patient in range(len(EASI)):
        for _ in range(SIMULATED):
            told = one_patient(endpoint, RATIO[:, regimen, patient], STAY[:, regimen, patient],
                               EASI[patient], random)  # fmt: skip
            held += [] if told is None else [told]
    held = np.array(held, float)
    return held.mean(axis=0), held.std(axis=0) / np.sqrt(len(held))


def one_patient(endpoint, course, staying, easi, random):
    """Walk from visit to visit; None for a patient who is not selected at the first."""
    v = VALUES
    visit = random.normal(0, v["visit_sd"])
    grown = v["flare_sd"] ** 2 * (1 - np.exp(-2 * WEEKS[0] / v["flare_memory"]))
    flare, alive, last, told = random.normal(0, np.sqrt(grown)), True, None, []
    for k, week in enumerate(WEEKS):
        if k:
            gap = week - WEEKS[k - 1]
            a, b = np.exp(-gap / v["visit_memory"]), np.exp(-gap / v["flare_memory"])
            visit = a * visit + v["visit_sd"] * np.sqrt(1 - a * a) * random.normal()
            flare = b * flare + v["flare_sd"] * np.sqrt(1 - b * b) * random.normal()
        before = staying[k - 1] if k else 1.0
        alive = alive and random.random() < staying[k] / before
        variance = v["visit_sd"] ** 2 + v["flare_sd"] ** 2 * (
            1 - np.exp(-2 * week / v["flare_memory"])
        )
        seen = course[k] * np.exp(visit + flare - variance / 2)
        if alive and random.random() >= v["missed"]:
            last = responds(endpoint, seen, easi, random)
        if not last and k == 0:
            return None
        told.append(last)
    return told


def responds(endpoint, seen, easi, random):
    if endpoint in LEFT:
        return seen <= LEFT[endpoint]
    clear = VALUES["iga_easi"] * np.exp(0.3 * 0.4)
    return easi * seen * np.exp(VALUES["iga_sd"] * random.normal()) <= clear


@pytest.mark.parametrize("endpoint", ["EASI75", "IGA01"])
@pytest.mark.parametrize("regimen", [0, 1])
def test_closed_form_is_what_single_patients_do(endpoint, regimen):
    seen, error = simulate(endpoint, regimen, np.random.default_rng(3))
    ours = closed(endpoint)[regimen]
    assert ours[0] == seen[0] == 1
    assert (np.abs(ours - seen)[1:] < 4 * error[1:]).all()
    assert error.max() < 0.01


def test_who_never_leaves_and_never_misses_makes_it_hypothetical():
    calm = VALUES | {"missed": 0.0}
    stay = np.broadcast_to(STAY[:1], STAY.shape)
    ours = closed("EASI75", calm, stay)
    assert ours == pytest.approx(closed("EASI75", calm, stay, "hypothetical"), abs=1e-14)
    assert closed("EASI75", VALUES, stay)[1, 3] > ours[1, 3]  # a missed visit: the one before


def test_where_response_is_lost_those_who_leave_keep_more_of_it():
    named = ("while-on-treatment", "hypothetical", "NRI")
    ours, stayed, failures = (closed("EASI75", estimand=name)[1, -1] for name in named)
    assert ours > stayed
    still = (1 - VALUES["missed"]) * STAY[-1, 1] / STAY[0, 1]  # of the selected, there at the end
    assert still.min() * stayed <= failures <= still.max() * stayed
    assert ours >= (1 - STAY[1, 1] / STAY[0, 1]).min()  # who left at once keep their response


def test_all_who_leave_at_once_keep_what_selection_showed():
    gone = STAY * np.array([1.0, 0.0, 0.0, 0.0])[:, None, None]
    assert closed("EASI75", stay=gone) == pytest.approx(np.ones((2, 4)), abs=1e-14)


def test_it_depends_on_the_visits_between_and_nri_does_not():
    few, all_visits = ([0, 3], range(4))
    ours = [closed("EASI75", places=at)[1, -1] for at in (few, all_visits)]
    assert ours[0] > ours[1] + 0.05  # who left kept their response, had nobody looked
    nri = [closed("EASI75", estimand="NRI", places=at)[1, -1] for at in (few, all_visits)]
    assert nri[0] == pytest.approx(nri[1], abs=1e-14)


def test_one_patient_by_hand():
    #        came, missed, came, left, left
    came = np.array([[1, 0, 1, 0, 0]], bool).T
    shows = np.array([[-50.0, -60, -70, -80, -90]]).T
    assert on_treatment(shows, came)[:, 0].tolist() == [-50, -50, -70, -70, -70]
    assert averaged(shows, came, "while-on-treatment").tolist() == [-50, -50, -70, -70, -70]
    assert averaged(shows, came, "hypothetical").tolist() == [-50, -60, -70, -80, -90]
    assert averaged(shows < -65, came, "NRI").tolist() == [0, 0, 1, 0, 0]
    seen = averaged(shows, came, "observed")
    assert seen[[0, 2]].tolist() == [-50, -70] and np.isnan(seen[[1, 3, 4]]).all()


def test_nobody_at_all_is_no_number():
    none = np.ones((3, 0), bool)
    for estimand in ("observed", "NRI", "hypothetical", "while-on-treatment"):
        assert np.isnan(averaged(none, none, estimand)).all()
