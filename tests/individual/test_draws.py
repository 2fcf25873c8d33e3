"""From a small trial to draws, by way of a start that is remembered."""

import numpy as np
import oral_trial
import pytest

from pkpd.checkpoint import Checkpoint
from pkpd.individual_sampling import draw


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    made = oral_trial.likelihood(effects=("cl", "v"))
    kept = Checkpoint(tmp_path_factory.mktemp("fit"), "trial")
    told = []
    found = draw(made, kept, lambda stage, share: told.append((stage, share)))
    return made, kept, told, found


def test_draws_are_of_every_free_number_and_on_their_own_scale(drawn):
    made, _, _, found = drawn
    posterior = found.tree["posterior"]
    assert set(made.space.names) <= set(posterior.data_vars)
    assert posterior["cl_eta"].shape == (2, 150, 6)
    for name in ("cl", "cl_between", "concentration_additive"):
        assert (posterior[name] > 0).all()


def test_the_truth_lies_within_the_draws_and_the_error_is_found_again(drawn):
    posterior = drawn[-1].tree["posterior"]
    for name, value in {**oral_trial.TRUTH, "concentration_additive": oral_trial.NOISE}.items():
        middle, sd = float(posterior[name].mean()), float(posterior[name].std())
        assert abs(middle - value) < 4 * sd, name
        assert sd < 0.3 * value, name  # and the data told of it: the priors have 0.5 and more


def test_chains_agree(drawn):
    for name in ("ka", "cl", "v", "cl_between"):
        first, second = np.log(drawn[-1].tree["posterior"][name].to_numpy())
        pooled = np.sqrt((first.var() + second.var()) / 2)
        assert abs(first.mean() - second.mean()) < 0.6 * pooled, name


@pytest.mark.slow
def test_the_start_is_remembered_and_not_sought_again(drawn):
    made, kept, told, found = drawn
    assert kept.path("start.npz").is_file()
    for each in kept.folder.glob(".partial-trial-sampling-*"):
        each.unlink()  # so that the draws are made again
    assert {stage for stage, _ in told} == {
        "finding a start", "compiling the gradient", "sampling"
    }  # fmt: skip
    again = []
    second = draw(made, kept, lambda stage, share: again.append(stage))
    assert "finding a start" not in again
    np.testing.assert_array_equal(second.start.population, found.start.population)
    assert found.resumed == second.resumed == {"sampling": 0}
    # the same start and seed give the same draws
    for name in ("ka", "cl_eta"):
        np.testing.assert_array_equal(second.tree["posterior"][name], found.tree["posterior"][name])
