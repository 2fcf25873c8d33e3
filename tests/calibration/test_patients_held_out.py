"""New patients of the simulated trial, forecast under the truth it was made with."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import patients_held_out
import pytest
import trial_written_out
import xarray as xr
from patients_held_out import ROOT

import pkpd
from pkpd.individual_folder import individual_provenance, open_individual
from pkpd.posterior import Posterior


def at_the_truth(root):
    """The fit `trial_simulated` with draws that are all the truth: what is left is the patient."""
    for name in ("trial_simulated", "data/trial_simulated"):
        shutil.copytree(
            ROOT / "fits" / name, root / "fits" / name,
            ignore=lambda _, names: [n for n in names if n not in (
                "fit.toml", "card.toml", "data.csv", "truth.csv", "make.py")],
        )  # fmt: skip
    truth = pd.read_csv(ROOT / "fits/data/trial_simulated/truth.csv", index_col=0)["value"]
    fit = open_individual(root / "fits/trial_simulated")
    names = [v.name for v in fit.bare.space.variables if v.dim is None]
    draws = {n: (("chain", "draw"), np.full((1, 40), float(truth[n]))) for n in names}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(draws)})
    Posterior(tree, individual_provenance(fit)).save(fit.folder / "draws.nc")
    return fit.folder


def test_new_patients_are_others_than_the_trials_and_are_cut_where_they_are_forecast():
    records = patients_held_out.new_patients(0.06)
    known = pd.read_csv(ROOT / "fits/data/trial_simulated/data.csv")
    assert not set(records["EASI0"] + records["WT"] / 1000) & set(
        known["EASI0"] + known["WT"] / 1000
    )
    first, later = patients_held_out.split(records)
    assert first["TIME"].max() <= 112 < later["TIME"].min()
    given = first[first["EVID"] == 1]
    assert ((given["TIME"] + given["ADDL"] * given["II"]) <= 112).all()
    assert set(first["ID"]) == set(later["ID"])


@pytest.mark.slow
def test_later_visits_are_covered_where_the_population_is_known(tmp_path):
    """About 40 patients: the share inside has an SD of near 0.015 for EASI, 0.03 for levels."""
    rows = patients_held_out.held_out(at_the_truth(tmp_path), 0.35, draws=40)
    shares = patients_held_out.shares(rows).set_index("quantity")
    assert 0.85 <= shares.loc["easi", "coverage"] <= 0.95, shares
    assert 0.82 <= shares.loc["concentration", "coverage"] <= 0.98, shares


@pytest.mark.slow
def test_map_of_the_trials_patients_is_that_of_an_independent_optimiser(tmp_path):
    folder = at_the_truth(tmp_path)
    first, _ = patients_held_out.split(patients_held_out.new_patients(0.06))
    truth = pd.read_csv(ROOT / "fits/data/trial_simulated/truth.csv", index_col=0)["value"]
    some = first.drop_duplicates("ARM")["ID"].iloc[[1, 3]]
    table = first[first["ID"].isin(some)].fillna({"DVID": ""}).drop(columns="ARM")
    told = pkpd.forecast(folder, table, times=4, draws=20).effects
    for who, own in table.groupby("ID"):
        z = trial_written_out.mode(truth.to_dict(), own)
        shown = told[told["id"].astype(int) == who].set_index("parameter")["map"]
        for k, name in enumerate(trial_written_out.VARYING):
            assert abs(shown[name] - truth[f"{name}_between"] * z[k]) < 1e-3, (who, name)
