"""Arms and individuals in one density: what each level says alone, at the numbers it would see."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from small_joint import STUDY, quick_compile

from pkpd.joint.links import Shared
from pkpd.model import Parameter
from pkpd.variation.prior import LogitNormal, LogNormal

POINTS = ("medians", "random")
MOVED = ("gamma", "ks", "placebo", "kp")
PLACE = 1
"""Amlitelimab is the second drug."""


def named(space, flat):
    return {name: np.asarray(value) for name, value in space.unpack(flat).items()}


def individual_values(small, values):
    """The individual level's numbers, written out by hand: the formula of `joint.links`."""
    found = {}
    for name in small.individual.space.names:
        value = values[name]
        if name in ("ec50", "imax", "gr"):
            value = value[PLACE]
        if name in MOVED:
            value = value * np.exp(values[f"{name}_trial_sd"] * values[f"{name}_study"])
        found[name] = value
    return found


@pytest.mark.parametrize("point", POINTS)
def test_it_is_the_arms_density_and_the_individuals_at_translated_values(small, points, point):
    values = named(small.space, points[point])
    own = individual_values(small, values)
    shared = [v for v in small.individual.space.variables if v.name not in small.links.own]
    twice = sum(float(_log_prior(v.prior, own[v.name])) for v in shared)
    effects = sum(stats.norm.logpdf(values[f"{name}_study"]) for name in MOVED)
    with quick_compile():
        alone = small.arms.log_density(values) + small.individual.log_density(own)
        found = small.log_density({name: value.tolist() for name, value in values.items()})
    assert found == pytest.approx(alone - twice + effects, abs=1e-9 * (1 + abs(alone)))


def _log_prior(prior, x):
    """Normal on the log or logit scale: the two kinds of priors that shared numbers have."""
    if isinstance(prior, LogNormal):
        return stats.lognorm(prior.sd, scale=prior.median).logpdf(x)
    assert isinstance(prior, LogitNormal)
    return stats.norm(logit(prior.median), prior.sd).logpdf(logit(x)) - np.log(x * (1 - x))


def test_a_trial_effect_moves_a_share_on_its_logit():
    parameter = Parameter("imax", 0.8, "1", "", None, "logit", prior=LogitNormal(0.8, 1.0),
                          per="drug", between_trials=LogNormal(0.2, 0.5))  # fmt: skip
    values = {"imax": np.array([0.3, 0.6]), "imax_trial_sd": 0.5, "imax_study": -1.2}
    found = float(Shared(parameter, 1).typical(values))
    assert found == pytest.approx(expit(logit(0.6) - 0.6), rel=1e-12)


def test_arm_level_numbers_stand_first_and_effects_of_subjects_last(small):
    names = small.space.names
    count = len(small.arms.space.names)
    assert names[:count] == small.arms.space.names
    assert names[count : count + 4] == tuple(f"{name}_study" for name in MOVED)
    assert small.population.names == tuple(n for n in names if not n.endswith("_eta"))
    assert all(STUDY in v.meaning for v in small.space.variables if v.name.endswith("_study"))


def test_what_the_arms_alone_know_moves_no_subject(small, points, individuals_call):
    _, slope = individuals_call(points["random"])
    parts = {name: slope[place] for name, place in small.space.places.items()}
    for name in ("dropout", "visit_sd", "gamma_trial", "kdep", "level_sd"):
        assert not parts[name].any()
    for name in ("ec50", "imax", "gr"):
        assert parts[name][1 - PLACE] == 0 and parts[name][PLACE] != 0
    for name in ("ks", "kp_study", "ks_trial_sd", "gamma_between", "easi_additive"):
        assert (parts[name] != 0).all()


@pytest.mark.parametrize("name", ["ec50", "phi", "ks", "ks_trial_sd", "ks_study", "gamma_between",
                                  "easi_additive", "cl_eta"])  # fmt: skip
def test_the_gradient_is_that_of_differences(small, points, arms_call, individuals_call, name):
    size = small.arms.space.size

    def both(flat):
        (first, slope), (second, more) = arms_call(flat[:size]), individuals_call(flat)
        return first + second, more + np.concatenate([slope, np.zeros(flat.size - size)])

    flat, at = points["random"], small.space.places[name].stop - 1
    slope = both(flat)[1]
    assert np.isfinite(slope).all()
    step = 1e-5 * max(1.0, abs(flat[at])) * np.eye(flat.size)[at]
    wanted = (both(flat + step)[0] - both(flat - step)[0]) / (2 * step[at])
    assert slope[at] == pytest.approx(wanted, rel=1e-5, abs=1e-5)
