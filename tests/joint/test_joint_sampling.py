"""Drawn by NUTS: shared numbers are known better from both levels than from either.

Arms and individuals are simulated from the same truth, the arms from their own virtual patients.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_joint import DRUG, STUDY, TRUTH, individual, joint

from pkpd import joint_sampling, sampling, search
from pkpd.arm_level.frozen import blank
from pkpd.joint.problem import joint_likelihood
from pkpd.joint.start import find_start, joint_start
from pkpd.settings import Sampler

sys.path.insert(0, str(Path(__file__).parents[1] / "arm_level"))

import calibration  # noqa: E402

from pkpd.variation import standard  # noqa: E402
from pkpd.variation.standard import Frame  # noqa: E402

SHORT = Sampler(chains=2, pilot=60, tune=200, draws=300, adaptation="diag", seed=2)


def silent(stage, share):
    """Progress that says nothing."""


def simulated_arms():
    """The arms of the small fit with statistics simulated at the truth."""
    bare = joint(count=16).arms
    space = bare.space
    values = {n: np.asarray(v) for n, v in space.unpack(space.medians()).items()}
    known = {**calibration.TRUTH, **{n: v for n, v in TRUTH.items() if n in values}}
    values |= {n: np.full(values[n].shape, v) for n, v in known.items()}
    z = np.asarray(standard.to_standard(space, space.pack(values)))
    observed, _ = calibration.data_sets(bare, z, 1, seed=3)
    studies = tuple(
        replace(s, observed=new[0]) for s, new in zip(bare.studies, observed, strict=True)
    )
    settings = bare.settings.model_copy(update={"sampler": SHORT})
    return replace(bare, studies=studies, settings=settings)


def silent_start(arms):
    """Stands in for `search.find_mode`: arms that say nothing, and so no more than the prior."""
    held, size = replace(arms, frozen=tuple(blank(s) for s in arms.studies)), arms.space.size

    def nothing(frozen):
        return lambda flat: (0.0, np.zeros(flat.size))

    frame = Frame(np.zeros(size), np.eye(size))
    return search.Start(
        held, lambda _: held.frozen, nothing, frame, np.asarray(arms.space.medians())
    )


@pytest.fixture(scope="module")
def trees():
    """Draws of one joint model under one prior: of both data sets, and with either left out.

    A joint fit without its individuals is the arms' own: no other term holds a number of theirs.
    """
    arms = simulated_arms()
    both = joint_likelihood(arms, individual(), drug=DRUG, study=STUDY)
    without = joint_start(both, silent_start(arms), silent)
    return {
        "arms": sampling.sample(search.find_mode(arms, silent), silent).tree,
        "individuals": joint_sampling.sample(without, SHORT, silent).tree,
        "both": joint_sampling.sample(find_start(both, silent), SHORT, silent).tree,
    }


def common(tree, name):
    """Log of what trials have in common."""
    return np.log(tree["posterior"][name].values)


def own(tree, name):
    """Log of the individual study's own value; its effect has its prior where only arms speak."""
    draws, spread = tree["posterior"], f"{name}_trial_sd"
    if f"{name}_study" in draws:
        effect = draws[f"{name}_study"].values
    else:
        effect = np.random.default_rng(4).normal(size=draws[name].shape)
    return common(tree, name) + draws[spread].values * effect


COMPARED = [
    ("individuals", common, "ks"),
    ("individuals", common, "kp"),
    ("individuals", common, "placebo"),
    ("individuals", own, "ks"),
    ("individuals", own, "placebo"),
    ("arms", common, "ks"),
    ("arms", common, "kp"),
    ("arms", own, "ks"),
    ("arms", own, "kp"),
    ("arms", own, "placebo"),
]
"""Where the data left out hold enough: the study's own kp, which its placebo patients tell, would
gain 4 % by arms, less than what a larger residual error, learnt from the same arms, costs it."""


@pytest.mark.slow
@pytest.mark.parametrize(("alone", "seen", "name"), COMPARED)
def test_shared_numbers_are_known_better_from_both_than_from_either(trees, alone, seen, name):
    assert seen(trees["both"], name).std() < seen(trees[alone], name).std()


@pytest.mark.slow
def test_joint_draws_cover_the_truth_and_do_not_diverge(trees):
    draws = trees["both"]["posterior"]
    for name in ("gamma", "ks", "easi_additive", "concentration_proportional"):
        low, high = np.quantile(draws[name].values, [0.005, 0.995])
        assert low < TRUTH[name] < high
    assert trees["both"]["sample_stats"]["diverging"].values.mean() < 0.01
