"""Sampling of arms and of joint fits, pilot run and all, goes on where it was ended.

The likelihood is a stand-in with a known density: what sampling does with it is what is tested.
"""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd import joint_sampling, sampling, search
from pkpd.checkpoint import Checkpoint
from pkpd.model import Parameter
from pkpd.settings import Sampler
from pkpd.variation.prior import HalfNormal, LogNormal, Normal
from pkpd.variation.space import space
from pkpd.variation.standard import Frame

SPACE = space(
    [
        (Parameter("rate", 1.0, "1", "", prior=LogNormal(2.0, 0.5), per="drug"), "trial"),
        (
            Parameter("shift", 0.0, "1", "", prior=Normal(-1.0, 2.0), between=HalfNormal(0.4)),
            "trial",
        ),
    ],
    {"drug": ("a", "b"), "trial": ("one", "two")},
)
CHOSEN = Sampler(chains=2, pilot=40, tune=60, draws=80, seed=3)
RECORD = 16 + 8 * (1 + SPACE.size + 1)


def silent(stage, share):
    """Progress that says nothing."""


@jax.jit
@jax.value_and_grad
def seen(flat):
    """A log-likelihood that bends."""
    return -((flat[0] - 1.5) ** 2) - (flat[1] * flat[2] - 1) ** 2 - flat[3] ** 2 / 3


def call(flat):
    value, slope = seen(flat)
    return float(value), np.asarray(slope)


def around(draws):
    """A frame that depends on a pilot's draws."""
    return Frame(0.1 * draws.mean(axis=0), np.diag(0.5 + 0.1 * draws.std(axis=0)))


def arms(kept):
    settings = SimpleNamespace(sampler=CHOSEN)
    likelihood = SimpleNamespace(space=SPACE, settings=settings)
    frame = Frame(np.zeros(SPACE.size), np.eye(SPACE.size))
    start = SimpleNamespace(
        likelihood=likelihood, call=call, around=frame, reference=np.zeros(SPACE.size)
    )
    return sampling.sample(start, silent, kept)


def joint(kept):
    likelihood = SimpleNamespace(space=SPACE, by_subject=lambda values: -(values["shift"] ** 2))
    likelihood.walked = lambda: likelihood
    walk = SimpleNamespace(standard=lambda u: (u, jnp.zeros(())))
    start = SimpleNamespace(likelihood=likelihood, walk=walk, call=call)
    return joint_sampling.sample(start, CHOSEN, silent, kept)


@pytest.fixture(autouse=True)
def learning(monkeypatch):
    """Learning from a pilot: here its frame alone."""

    def of_arms(start, draws):
        return SimpleNamespace(**{**vars(start), "around": around(draws)})

    def of_both(start, draws):
        frame = around(draws)

        def standard(u):
            return jnp.asarray(frame.centre) + jnp.asarray(frame.factor) @ u, jnp.zeros(())

        return SimpleNamespace(**{**vars(start), "walk": SimpleNamespace(standard=standard)})

    monkeypatch.setattr(search, "learn", of_arms)
    monkeypatch.setattr(joint_sampling, "learn", of_both)


@pytest.mark.parametrize("sampled", [arms, joint])
def test_a_run_ended_in_the_pilot_or_later_gives_the_same_draws(sampled, tmp_path):
    kept = Checkpoint(tmp_path, "fit")
    whole = sampled(None)
    assert whole.resumed == {"pilot run": 0, "sampling": 0}
    assert sampled(kept).resumed == whole.resumed
    pilot, main = (tmp_path / f".partial-fit-{stage}-0" for stage in ("pilot-run", "sampling"))
    half = main.read_bytes()[: main.stat().st_size // 2]
    main.write_bytes(half)
    later = sampled(kept)
    assert later.resumed["pilot run"] >= pilot.stat().st_size // RECORD
    assert 0 <= later.resumed["sampling"] - len(half) // RECORD <= 4
    for path in tmp_path.glob(".partial-fit-sampling-*"):
        path.unlink()
    pilot.write_bytes(pilot.read_bytes()[: 30 * RECORD])
    early = sampled(kept)
    assert early.resumed["sampling"] == 0 < early.resumed["pilot run"]
    for each in (later, early):
        for name in SPACE.names:
            ours, theirs = (tree["posterior"][name].values for tree in (each.tree, whole.tree))
            np.testing.assert_array_equal(ours, theirs)
