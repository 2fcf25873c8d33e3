"""Shares in closed form against patients drawn one by one, and against scipy."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.decision.groups import ALL, Cuts, groups
from pkpd.decision.shares import Followed, responding, shares
from pkpd.prediction.patients import luck, shown, wandering

WEEKS = np.array([24.0, 30.0, 72.0])
COPIES = 150_000
VALUES = {
    "visit_sd": 0.35, "visit_memory": 3.0, "flare_sd": 0.5, "flare_memory": 20.0, "iga_easi": 2.5,
    "iga_sd": 0.4, "missed": 0.1, "iga_easi_trial_sd": 0.2, "iga_easi_trial": np.array([0.3, -0.8]),
}  # fmt: skip
TRIAL = 1
# three patients, two regimens that are one until selection
RATIO = np.array(
    [
        [[0.15, 0.25, 0.5], [0.15, 0.25, 0.5]],
        [[0.14, 0.24, 0.5], [0.2, 0.3, 0.6]],
        [[0.1, 0.2, 0.4], [0.5, 0.6, 0.9]],
    ]
)
STAY = np.array(
    [
        [[0.9, 0.95, 0.85], [0.9, 0.95, 0.85]],
        [[0.88, 0.9, 0.8], [0.85, 0.9, 0.8]],
        [[0.7, 0.8, 0.6], [0.6, 0.7, 0.5]],
    ]
)
EASI = np.array([20.0, 28.0, 45.0])
GROUPS = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])


@pytest.fixture(scope="module")
def drawn():
    """Each patient many times, with the luck of `prediction.patients`."""
    chance = luck(np.random.default_rng(5), len(WEEKS), (3 * COPIES,))
    values = {name: np.asarray(value) for name, value in VALUES.items()}
    return shown(
        values,
        ratio=np.tile(RATIO.transpose(1, 0, 2), COPIES),
        stay=np.tile(STAY.transpose(1, 0, 2), COPIES),
        easi=np.tile(EASI, COPIES),
        drift=wandering(values, chance, WEEKS),
        chance=chance,
        trial=TRIAL,
    )


def closed(endpoint, estimand):
    values = {name: jnp.asarray(value) for name, value in VALUES.items()}
    followed = Followed(jnp.asarray(RATIO), jnp.asarray(STAY), jnp.asarray(EASI))
    both = responding(values, followed, WEEKS, endpoint=endpoint, trial=TRIAL)
    found = shares(values["missed"], followed.stay, both, GROUPS, estimand)
    return tuple(np.asarray(part) for part in found)


@pytest.mark.parametrize("estimand", ["hypothetical", "NRI", "observed"])
@pytest.mark.parametrize("endpoint", ["EASI50", "EASI75", "IGA01"])
def test_shares_are_those_of_patients_drawn_one_by_one(drawn, endpoint, estimand):
    share, selected = closed(endpoint, estimand)
    response, present = drawn.response[endpoint], drawn.present
    for g, member in enumerate(np.tile(GROUPS, COPIES).astype(bool)):
        chosen = response[0, 0] & present[0, 0] & member
        assert selected[g] == pytest.approx(chosen.sum() / member.sum(), abs=0.004)
        assert (share[g, :, 0] == 1).all()
        for r in range(2):
            for t in (1, 2):
                here, there = response[r, t, chosen], present[r, t, chosen]
                seen = {
                    "hypothetical": here.mean(),
                    "NRI": (here & there).mean(),
                    "observed": (here & there).sum() / there.sum(),
                }[estimand]
                error = np.sqrt(seen * (1 - seen) / there.sum())
                assert share[g, r, t] == pytest.approx(seen, abs=4.5 * error)


def test_subgroups_split_at_the_median_or_where_told():
    weight, easi = np.array([50.0, 60, 70, 80]), np.array([20.0, 40, 30, 25])
    made = groups(weight, easi, Cuts(easi=30.0))
    assert made.names == (
        ALL, "weight below 65 kg", "weight 65 kg or more", "baseline EASI below 30",
        "baseline EASI 30 or more",
    )  # fmt: skip
    assert made.member.tolist()[1:] == [
        [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 1, 0],
    ]  # fmt: skip


def test_a_side_that_nobody_is_on_is_left_out():
    made = groups(np.array([60.0, 70.0]), np.array([20.0, 30.0]), Cuts(weight=200.0))
    assert "weight 200 kg or more" not in made.names
