"""A mesh planned again where sampling begins, and read again from beside the draws."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import xarray as xr
from oral_trial import ADDITIVE, settings_of, table

from pkpd.individual.build import individual_likelihood
from pkpd.individual.kept_mesh import mesh_dataset, on_mesh, replanned
from pkpd.individual.planning import FLOOR, HOLDS, SLACK
from pkpd.individual.solve import finer
from pkpd.individual.start import Start
from pkpd.library import load
from pkpd.settings_individual import Choice, Engine

TIMES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 24.0)


def _start():
    """Three subjects, and a start whose elimination is 20 times as fast as the prior's median."""
    rows = []
    for who in (1, 2, 3):
        rows.append({"ID": who, "TIME": 0.0, "AMT": 100.0, "EVID": 1, "DV": 0.0})
        rows += [{"ID": who, "TIME": t, "AMT": 0.0, "EVID": 0, "DV": 1.0} for t in TIMES]
    free = {
        "vmax": Choice(median=2.0, sd=1.0, between=0.3),
        "km": Choice(fixed=0.5),
        "v": Choice(fixed=10.0),
    }
    settings = settings_of("pk_1cmt_mm", free, (ADDITIVE,), engine=Engine(tolerance=1e-4))
    made = individual_likelihood(settings, load("pk_1cmt_mm"), table(rows))
    names = [v.name for v in made.space.variables if v.dim is None]
    at = np.array([np.log(20.0) if name == "vmax" else 0.0 for name in names])
    size = len(names)
    effects = np.array([[-0.2, 0.0, 0.4]])
    return Start(
        made, at, 0.01 * np.eye(size), effects, np.full((1, 3), 0.5), {"vmax": 0.5}, 0.0,
        np.full((3, 1, 1), 2.0), np.zeros((1, 3, size)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def start():
    return _start()


def _error(likelihood, values, floor=0.01):
    """The largest error of an output over |output| + floor, beside parts a tenth as long."""
    tight = replace(likelihood, solver=finer(likelihood.solver, 10))
    of = [jax.jit(each.fitted)(values)[0] for each in (likelihood, tight)]
    rough, fine = (np.asarray(jax.tree.leaves(each)[0]) for each in of)
    assert np.isfinite(fine).all()
    return float(np.max(np.abs(rough - fine) / (np.abs(fine) + floor)))


def test_a_mesh_planned_again_holds_where_sampling_begins(start):
    values = start.values()
    assert not _error(start.likelihood, values) < 0.01  # the mesh of the prior medians does not
    assert _error(replanned(start).likelihood, values) < 0.01


@pytest.mark.parametrize("far", [-5.0, 5.0])
def test_it_holds_roughly_where_an_effect_lies_far_out(start, far):
    """Looser by the factor that planning states, and a number for every subject."""
    values = {**start.values(), "vmax_eta": np.full(3, far)}
    tolerance = start.likelihood.settings.engine.tolerance
    most = 100 / 10  # dose over volume: planning's errors are relative to a share of the largest
    found = _error(replanned(start).likelihood, values, floor=FLOOR * most)
    assert found < SLACK * HOLDS * tolerance


def test_with_draws_it_holds_at_every_one(start):
    """The second is as fast as the start: prior medians and a Gaussian there miss it."""
    values = start.values()
    slow = {**values, "vmax": values["vmax"] / 20}
    seen = {n: np.stack([slow[n], values[n]]) for n in start.likelihood.space.names}
    at_median = replace(start, population=np.zeros_like(start.population))
    assert _error(replanned(at_median, seen).likelihood, values) < 0.01
    assert not _error(replanned(at_median).likelihood, values) < 0.01


def test_what_is_walked_is_single_where_the_fit_says_so_and_what_proves_it_is_not(start):
    made, values = replanned(start).likelihood, start.values()
    settings = made.settings.model_copy(update={"engine": Engine(precision="single")})
    walked = replace(made, settings=settings).walked()
    assert walked.solver.single and not walked.tightened().solver.single
    assert not made.walked().solver.single
    double, single = (
        jax.jit(jax.value_and_grad(lambda v, each=each: each.by_subject(v).sum()))(values)
        for each in (made, walked)
    )
    assert single[0] != double[0] and single[0] == pytest.approx(float(double[0]), rel=1e-5)
    for name, slope in double[1].items():
        size = np.abs(slope).max()
        np.testing.assert_allclose(single[1][name], slope, rtol=1e-3, atol=1e-4 * size)


def test_a_mesh_is_read_as_it_was_kept(start, tmp_path):
    made = replanned(start).likelihood
    tree = xr.DataTree.from_dict({"mesh": mesh_dataset(made)})
    tree.to_netcdf(tmp_path / "mesh.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "mesh.nc", engine="h5netcdf") as opened:
        again = on_mesh(start.likelihood, opened["mesh"].to_dataset().load())
    assert again.solver.method == made.solver.method
    values = start.values()
    found = [np.asarray(jax.jit(each.by_subject)(values)) for each in (made, again)]
    np.testing.assert_array_equal(*found)
