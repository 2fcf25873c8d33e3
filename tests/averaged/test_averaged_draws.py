"""Draws with averaged effects: posteriors that are known, what is told, what a kill leaves."""

from dataclasses import replace

import drifting
import levels
import numpy as np
import phenobarbital
import pytest
from oral_trial import likelihood as oral
from pydantic import ValidationError

from pkpd.averaged_sampling import draw
from pkpd.checkpoint import Checkpoint
from pkpd.diagnosis.checks import averaged_check, sampling_checks
from pkpd.settings import Demands
from pkpd.settings_individual import IndividualSampler


def drawn(likelihood, folder, draws=400, progress=lambda stage, share: None, **more):
    sampler = IndividualSampler(effects="averaged", draws=draws, seed=5, **more)
    settings = likelihood.settings.model_copy(update={"sampler": sampler})
    return draw(replace(likelihood, settings=settings), Checkpoint(folder, "one"), progress)


@pytest.mark.slow
def test_a_mean_with_known_spreads_has_its_known_posterior(tmp_path):
    """No number stands in the likelihood: every cloud is of the same points' law."""
    found = drawn(levels.likelihood(free=False), tmp_path, draws=250).tree
    mu, (mean, sd) = found["posterior"]["mu"].values, levels.posterior()
    assert found["averaged"].attrs["accepted"] > 0.8
    assert mu.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(500))
    assert mu.std() == pytest.approx(sd, rel=0.12)


@pytest.mark.slow
def test_free_spreads_have_the_posterior_of_the_closed_form(tmp_path):
    """Moments by a grid of the closed marginal posterior, coordinates standardised."""
    found = drawn(levels.likelihood(free=True), tmp_path, draws=800).tree["posterior"]
    z = np.stack(np.meshgrid(*(np.linspace(-4, 4, 81),) * 3, indexing="ij"), axis=-1)
    log_density = -levels.negative(z)
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    seen = np.stack([
        (found["mu"].values - levels.MEAN) / levels.SD,
        np.log(found["mu_between"].values / levels.TAU_SD) + 0.5,
        np.log(found["level_additive"].values / levels.SIGMA_SD) + 0.5,
    ])  # fmt: skip
    mean = np.einsum("abc,abci->i", weights, z)
    sd = np.sqrt(np.einsum("abc,abci->i", weights, (z - mean) ** 2))
    assert seen.mean(axis=(1, 2)) == pytest.approx(mean, abs=5 * sd.max() / np.sqrt(600))
    assert seen.std(axis=(1, 2)) == pytest.approx(sd, rel=0.15)


@pytest.mark.slow
def test_a_number_of_the_equations_has_its_known_posterior(tmp_path):
    """b acts by its cube, on a ridge with the mean of subjects; moments by a grid."""
    found = drawn(drifting.likelihood(), tmp_path, draws=800).tree["posterior"]
    z = np.stack(np.meshgrid(np.linspace(-1, 2, 151), np.linspace(-5, 5, 101), indexing="ij"), -1)
    log_density = np.array([[drifting.log_density(each) for each in row] for row in z])
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    seen = np.stack([
        (found["mu"].values - drifting.MU) / drifting.MU_SD,
        (found["b"].values - drifting.B) / drifting.B_SD,
    ])  # fmt: skip
    mean = np.einsum("ab,abi->i", weights, z)
    sd = np.sqrt(np.einsum("ab,abi->i", weights, (z - mean) ** 2))
    assert np.abs((seen.mean(axis=(1, 2)) - mean) / sd).max() < 5 / np.sqrt(500)
    assert seen.std(axis=(1, 2)) == pytest.approx(sd, rel=0.15)


class Killed(Exception):
    """The run ends here."""


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_ends_the_same(tmp_path):
    def killing(at, share):
        def heard(stage, done):
            if stage == at and done >= share:
                raise Killed

        return heard

    likelihood = oral()
    (tmp_path / "whole").mkdir()
    whole = drawn(likelihood, tmp_path / "whole", 100)
    for stage, share in (("placing points", 1.0), ("averaging effects", 0.3)):
        with pytest.raises(Killed):
            drawn(likelihood, tmp_path, 100, killing(stage, share))
    again = drawn(likelihood, tmp_path, 100)
    assert again.resumed == {"averaging effects": 128}
    assert whole.resumed == {"averaging effects": 0}
    for name in ("cl", "v_between", "cl_eta"):
        one, two = (each.tree["posterior"][name].values for each in (whole, again))
        assert np.array_equal(one, two)


@pytest.mark.slow
def test_effects_and_numbers_of_neonates_are_those_of_walked_ones(tmp_path):
    """Medians and 90 % intervals by NUTS with walked effects stand in docs/individual-fits.md."""
    tree = drawn(phenobarbital.likelihood(), tmp_path, draws=1500).tree
    demands = Demands()
    assert averaged_check(tree["averaged"].attrs, demands).passed
    checks = sampling_checks(tree, demands, 8)
    assert [check.check.split(" (")[0] for check in checks] == ["R-hat", "bulk ESS", "tail ESS"]
    found = {n: np.quantile(tree["posterior"][n].values, [0.05, 0.5, 0.95])
             for n in ("cl_between", "v_apgr")}  # fmt: skip
    assert found["cl_between"] == pytest.approx([0.118, 0.182, 0.271], abs=0.012)
    assert found["v_apgr"] == pytest.approx([0.027, 0.150, 0.295], abs=0.02)


def test_a_draw_that_stays_is_told_anew(tmp_path):
    tree = drawn(levels.likelihood(free=True), tmp_path).tree
    stays = ~tree["sample_stats"]["accepted"].values[0, 1:]
    same = np.diff(tree["posterior"]["mu_eta"].values[0, :, 0]) == 0
    assert stays.sum() > 20
    assert (same & stays).sum() < 0.2 * stays.sum() + 1


def test_a_pilot_run_is_refused():
    with pytest.raises(ValidationError, match="with averaged effects there is no pilot run"):
        IndividualSampler(effects="averaged", pilot=100)


def test_heavy_weights_miss_the_demand():
    missed = averaged_check({"pareto_k": 0.8}, Demands())
    assert not missed.passed
    assert "walk the effects" in missed.advice
