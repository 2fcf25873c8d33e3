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

from pkpd import individual_sampling, joint_sampling, sampling, search
from pkpd.joint.problem import joint_likelihood
from pkpd.joint.start import find_start
from pkpd.settings import Sampler

sys.path.insert(0, str(Path(__file__).parents[1] / "arm_level"))

import calibration  # noqa: E402

from pkpd.variation import standard  # noqa: E402

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


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Draws of arms alone, individuals alone, and both."""
    arms, own = simulated_arms(), individual()
    own = replace(own, settings=own.settings.model_copy(update={"sampler": SHORT}))
    kept = tmp_path_factory.mktemp("kept") / "start.npz"
    start = find_start(joint_likelihood(arms, own, drug=DRUG, study=STUDY), silent)
    return {
        "arms": sampling.sample(search.find_mode(arms, silent), silent).tree,
        "individuals": individual_sampling.draw(own, kept, silent).tree,
        "both": joint_sampling.sample(start, SHORT, silent).tree,
    }


def logs(tree, name):
    return np.log(tree["posterior"][name].values)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ks", "kp"])
def test_what_trials_have_in_common_is_known_better_than_from_arms_alone(trees, name):
    assert logs(trees["both"], name).std() < logs(trees["arms"], name).std()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ks", "kp", "placebo"])
def test_the_studys_own_value_is_known_better_than_from_its_subjects_alone(trees, name):
    """A fit of one study alone takes its value for all trials': compare the study's own."""
    draws = trees["both"]["posterior"]
    moved = draws[f"{name}_trial_sd"].values * draws[f"{name}_study"].values
    own = logs(trees["both"], name) + moved
    assert own.std() < logs(trees["individuals"], name).std()


@pytest.mark.slow
def test_joint_draws_cover_the_truth_and_do_not_diverge(trees):
    draws = trees["both"]["posterior"]
    for name in ("gamma", "ks", "easi_additive", "concentration_proportional"):
        low, high = np.quantile(draws[name].values, [0.005, 0.995])
        assert low < TRUTH[name] < high
    assert trees["both"]["sample_stats"]["diverging"].values.mean() < 0.01
