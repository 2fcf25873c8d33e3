"""The folder of a joint fit: what is checked, what is refused, and what a whole run leaves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from joint_folder_of import joint_folder, seal
from small_joint import STUDY

from pkpd import workflow
from pkpd.errors import DataError
from pkpd.joint_folder import joint_hashes, open_joint
from pkpd.provenance import provenance

SHARED = ["ec50", "imax", "gr", "ke", "kmem", "phi", "kr", "gamma", "ks", "placebo", "kp"]


@pytest.fixture
def folder(tmp_path):
    return joint_folder(tmp_path)


def faults(folder):
    with pytest.raises(DataError) as caught:
        workflow.check(folder)
    return {fault.where.partition(", ")[2]: str(fault) for fault in caught.value.faults}


def change(folder, old, new):
    text = (folder / "fit.toml").read_text()
    assert old in text
    (folder / "fit.toml").write_text(text.replace(old, new))


def test_check_counts_both_levels_and_names_what_they_share(folder):
    found = workflow.check(folder).to_dict()
    assert (found["arms"], found["individual"]["subjects"]) == (19, 8)
    assert found["individual"]["shared"] == SHARED
    assert found["individual"]["observations"] == 6 * 4 * 2 + 2 * 4
    assert str(workflow.check(folder)).endswith(f"Next: pkpd run {folder}")


def test_arms_of_few_virtual_patients_are_warned_of(folder):
    assert "Warning: Set patients.count = 64 or more: with 8 virtual" in str(workflow.check(folder))
    change(folder, "count = 8", "count = 64")
    assert "Warning" not in str(workflow.check(folder))


def test_every_fault_of_the_table_is_told_at_once(folder):
    change(folder, 'drug = "amlitelimab"\nmodel = "aml', 'drug = "amlitelimabb"\nmodel = "aml')
    change(folder, f'study = "{STUDY}"', 'study = "STREAM-AD-1"')
    change(folder, "+tcell_rebalancing", "+direct_emax")
    change(folder, "compare = []", 'compare = ["direct_emax"]')
    found = faults(folder)
    assert "Did you mean amlitelimab? Drugs: rocatinlimab, amlitelimab" in found["individual.drug"]
    assert "its patients would count twice" in found["individual.study"]
    assert "Name the drug's model, a plus and tcell_rebalancing" in found["individual.model"]
    assert "not compared with other models" in found["compare"]


def test_a_shared_parameter_is_not_for_the_individuals_to_choose(folder):
    change(folder, "[individual.parameters.v1]", "[individual.parameters.ks]\nmedian = 1.0\n"
           'sd = 1.0\n\n[[individual.blocks]]\nparameters = ["gamma", "cl"]\n\n'
           "[individual.parameters.v1]")  # fmt: skip
    found = faults(folder)
    assert "'ks' is shared with the arms" in found["individual.parameters.ks"]
    assert "'gamma' is shared with the arms" in found["individual.blocks"]


def test_a_model_of_another_drug_is_refused(folder):
    change(folder, '"amlitelimab_tiraboschi_2025+', '"rocatinlimab_okada_2025+')
    assert "is of rocatinlimab, the individuals' drug is amlitelimab" in str(faults(folder))


def test_faults_of_settings_and_individual_data_come_together(folder):
    change(folder, 'drug = "amlitelimab"\nmodel = "aml', 'drug = "placebo"\nmodel = "aml')
    change(folder, 'study = "KHK4083-006"\nfrom_week = 36', 'study = "KHK"\nfrom_week = 36')
    data = folder.parent / "data/extra"
    pd.read_csv(data / "data.csv").drop(columns=["AMT"]).to_csv(data / "data.csv", index=False)
    seal(data)
    told = str(faults(folder))
    assert "AMT" in told and "'placebo' is no drug" in told and "unknown study KHK" in told


def test_a_covariate_that_the_data_lack_is_named(folder):
    data = folder.parent / "data/extra"
    pd.read_csv(data / "data.csv").drop(columns=["EASI0"]).to_csv(data / "data.csv", index=False)
    seal(data)
    found = faults(folder)
    assert any("no covariate 'EASI0'" in fault for fault in found.values())
    assert any("[individual], observations.easi" in fault for fault in found.values())


def test_keys_of_the_table_that_nobody_knows_are_refused(folder):
    change(folder, f'study = "{STUDY}"', f'study = "{STUDY}"\ntime_unit = "h"')
    assert "individual.time_unit" in faults(folder)


def test_the_hashes_see_both_data_sets_and_every_model(folder):
    opened = open_joint(folder)
    before = joint_hashes(opened)
    arms = provenance(opened.problem)["hashes"]
    assert {**before, **arms} == before and set(before) - set(arms) == {"individual data"}
    data = folder.parent / "data/extra"
    table = pd.read_csv(data / "data.csv")
    table.assign(WT=table["WT"] + 1).to_csv(data / "data.csv", index=False)
    seal(data)
    after = joint_hashes(open_joint(folder))
    assert {name for name in after if after[name] != before[name]} == {"individual data"}
    change(folder, "proportional = 0.3", "proportional = 0.4")
    assert joint_hashes(open_joint(folder))["settings"] != after["settings"]


@pytest.mark.slow
def test_a_run_leaves_the_arms_tables_and_the_individuals_beside_them(folder):
    workflow.run(folder)
    card = json.loads((folder / "card.json").read_text())
    assert card["individual"]["subjects"] == 8 and card["individual"]["shared"] == SHARED
    checks = [row["check"] for row in card["diagnostics"]]
    assert sum(check.startswith("individuals: ") for check in checks) == 2 and card["sentence"]
    few = next(row for row in card["diagnostics"] if row["check"] == "virtual patients an arm")
    assert few["value"] == 8 and not few["passed"] and not card["passed"]
    assert {"cl", "ec50", "gamma", "ks", "placebo"} <= set(card["centring"])
    gof = pd.read_csv(folder / "gof.csv")
    assert len(gof) == 56 and set(gof["output"]) == {"concentration", "easi"}
    visual = pd.read_csv(folder / "vpc.csv")
    assert set(visual["output"]) == {"concentration", "easi"} and visual["corrected"].any()
    own = pd.read_csv(folder / "individuals.csv")
    assert own["subject"].nunique() == 8 and {"cl", "gamma", "ks"} <= set(own["parameter"])
    summary = pd.read_csv(folder / "summary.csv")["parameter"].tolist()
    assert "ks_study" in summary and not any("_eta" in name for name in summary)
    for name in ("ppc.csv", "predictions.csv", "decisions.csv"):
        assert np.isfinite(pd.read_csv(folder / name).select_dtypes("number").to_numpy()).any()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert card["kind"] == "joint" and f"Individuals: {STUDY} on amlitelimab" in page
    assert "is absent or empty" not in page.replace("compare.csv is absent or empty", "")
