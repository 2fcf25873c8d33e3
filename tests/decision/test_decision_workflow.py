"""decide and assurance on a folder whose draws are the prior's: what they leave, and say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pkpd
from pkpd.arm_level.frozen import Frozen
from pkpd.arm_level.held import held_dataset
from pkpd.arm_level.problem import likelihood as build
from pkpd.decision.rows import COLUMNS
from pkpd.decision.told import asked_about
from pkpd.decision.trial import COLUMNS as TRIAL
from pkpd.decision_workflow import status_of
from pkpd.errors import DataError, FileFormatError
from pkpd.fit_folder import open_fit, read_card, update_card
from pkpd.posterior import Posterior
from pkpd.prediction.estimands import ESTIMANDS
from pkpd.provenance import provenance
from pkpd.reporting.folder import AFTER
from pkpd.reporting.folder import COLUMNS as TABLES
from pkpd.variation.standard import prior_draws

FITS = Path(__file__).parents[2] / "fits"
DRUG, RIVAL = "amlitelimab", "direct_emax"
CHAINS, DRAWS = 2, 15
FEW = {"drugs": (DRUG,), "patients": 32, "draws": CHAINS * DRAWS, "intervals": (4.0, 12.0)}


@pytest.fixture(scope="module", autouse=True)
def quick_compile():
    """Programs compile faster and run slower: each is called a few dozen times."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def stored(problem):
    """A posterior in form: draws near the prior's middle, each statistic known to within 0.2."""
    made = build(problem.settings, problem.data, problem.disease, problem.pk, 7.0)
    space = made.space
    centre, values = space.unpack(space.medians()), prior_draws(space, CHAINS * DRAWS, 1)
    variables = {}
    for variable in space.variables:
        name = variable.name
        near = 0.9 * np.asarray(centre[name]) + 0.1 * values[name]
        dims = ("chain", "draw", *([f"{name}_of"] if variable.dim else []))
        variables[name] = (dims, near.reshape(CHAINS, DRAWS, *near.shape[1:]))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables)})
    tree["held"] = xr.DataTree(held_dataset(tuple(held(s.observed.shape) for s in made.studies)))
    record = provenance(problem) | {"mesh": [float(day) for day in made.lanes.mesh]}
    return Posterior(tree, record)


def held(shape):
    """Covariances of a study's arms and features, all SDs 0.2."""
    arms, features = shape
    return Frozen(
        whitening=np.tile(np.eye(features) / 0.2, (arms, 1, 1)),
        bend=np.zeros(shape),
        constant=np.zeros(arms),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("decide") / "fits"
    shutil.copytree(FITS / "data" / "ox40_trials", root / "data" / "ox40_trials")
    made = root / "ox40_extension"
    made.mkdir()
    text = (FITS / "ox40_extension" / "fit.toml").read_text()
    (made / "fit.toml").write_text(text.replace("count = 64", "count = 8"))
    problem = open_fit(made)
    stored(problem).save(made / "draws.nc")
    stored(problem.with_model(RIVAL)).save(made / f"draws-{RIVAL}.nc")
    weights = {"model": ["tcell_rebalancing", RIVAL], "weight": [0.75, 0.25]}
    pd.DataFrame(weights).to_csv(made / "compare.csv", index=False)
    return made


@pytest.fixture(scope="module")
def decision(folder):
    return pkpd.decide(folder, weeks=(72.0,), beside=("EASI75", "IGA01"), **FEW)


@pytest.fixture(scope="module")
def planned(folder):
    return pkpd.assurance(
        folder, arms=("Q4W", "Q12W", "stop"), sizes=(50, 400), wanted=0.3,
        **{name: value for name, value in FEW.items() if name != "intervals"},
    )  # fmt: skip


def at(table, **where):
    for name, value in where.items():
        table = table[table[name] == value]
    return table


def test_decide_leaves_its_table_and_its_record(folder, decision):
    written = pd.read_csv(folder / "decisions.csv", keep_default_na=False, na_values=[""])
    assert list(written.columns) == list(COLUMNS) == TABLES["decisions.csv"].split(",")
    assert len(written) == len(decision.table)
    assert written["value"].to_numpy() == pytest.approx(decision.table["value"], nan_ok=True)
    card = read_card(folder)["decide"]
    assert card["draws"] == {"tcell_rebalancing": 30, RIVAL: 30}
    assert card["weights"] == {"tcell_rebalancing": 0.75, RIVAL: 0.25}
    assert not list(folder.glob(".partial*"))


def test_every_answer_has_its_company(decision):
    table = asked_about(decision.table)
    assert {*table.model} == {"tcell_rebalancing", RIVAL, "stacked"}
    assert table.subgroup.nunique() == 5
    own = at(table, model="tcell_rebalancing", regimen="stop", quantity="kept_ratio")
    for column in ("prior_value", "prior_sensitivity", "likelihood_sensitivity"):
        assert np.isfinite(own[column]).all()
    assert (own.lower <= own.upper).all() and {*own.kind} == {"eti"} and {*own.level} == {0.9}
    assert own.flag.str.contains("off drug").all()


def test_other_outcomes_of_the_fit_stand_beside_it_in_brief(decision):
    table = decision.table
    outcomes = table.groupby(["endpoint", "estimand"], sort=False).size()
    assert len(outcomes) == 2 * len(ESTIMANDS)
    brief = table.drop(index=asked_about(table).index)
    assert {*brief.model} == {"tcell_rebalancing"} and {*brief.subgroup} == {"all"}
    share = at(brief, quantity="proportion", regimen="stop", endpoint="EASI75")
    assert np.isfinite(share[["value", "prior_value"]]).all(axis=None)
    main = at(asked_about(table), quantity="proportion", regimen="stop", subgroup="all")
    stayed = main[main.model == "tcell_rebalancing"].value.item()
    value = share.set_index("estimand")["value"]
    assert value["NRI"] < stayed < value["while-on-treatment"]  # off drug response is lost


def test_stacked_is_the_weighted_mean_of_the_models(decision):
    table = asked_about(decision.table)
    rows = at(table, subgroup="all", quantity="proportion", regimen="Q12W")
    value = rows.set_index("model")["value"]
    mixed = 0.75 * value["tcell_rebalancing"] + 0.25 * value[RIVAL]
    assert value["stacked"] == pytest.approx(mixed)


def test_all_patients_lie_between_their_halves(decision):
    table = asked_about(decision.table)
    rows = at(table, model="tcell_rebalancing", quantity="proportion", regimen="Q12W")
    value = rows.set_index("subgroup")["value"]
    for name in ("weight", "EASI"):
        low, high = sorted(value[[label for label in value.index if name in label]])
        assert low <= value["all"] <= high and low < high


def test_draws_never_diagnosed_are_not_final(folder, decision):
    assert not decision.final and "not been diagnosed" in decision.status
    assert decision.table.status.str.startswith("not final").all()


def test_assurance_grows_with_the_arms_up_to_its_limit(folder, planned):
    table = at(planned.table, model="tcell_rebalancing", arm="Q12W")
    few, many = (table[(table.n == n) & table.wanted.isna()].iloc[0] for n in (50, 400))
    assert 0 < few.assurance < many.assurance <= few.limit + 0.05
    assert few.mcse >= 0 and few.enrolled * 8 == pytest.approx(many.enrolled)
    assert list(planned.table.columns) == list(TRIAL) == AFTER["assurance.csv"].split(",")
    assert (folder / "assurance.csv").is_file()
    assert {*planned.table.arm} == {"Q12W", "stop", "all", "any"}


def test_the_size_found_reaches_what_was_wanted(planned):
    found = planned.table[planned.table.wanted.notna() & planned.table.n.notna()]
    assert len(found) and (found.assurance >= 0.3).all()
    assert (found.n_least <= found.n).all()


def test_assurance_by_another_estimand_is_of_the_same_responders(folder, planned):
    few = {name: value for name, value in FEW.items() if name != "intervals"}
    own = pkpd.assurance(
        folder, arms=("Q4W", "Q12W", "stop"), sizes=(50,), estimand="while-on-treatment", **few
    )
    assert {*own.table.estimand} == {"while-on-treatment"} and {*planned.table.estimand} == {"NRI"}
    assert "(while-on-treatment)" in str(own) and "(NRI)" in str(planned)
    table = planned.table[(planned.table.n == 50) & planned.table.wanted.isna()]
    both = [at(each, model="tcell_rebalancing", arm="Q12W") for each in (own.table, table)]
    assert both[0].enrolled.item() == both[1].enrolled.item()  # selection knows no estimand
    assert both[0].assurance.item() != both[1].assurance.item()


def test_a_second_time_gives_the_same_and_a_lost_rival_is_told(folder, planned, tmp_path):
    own = tmp_path / "fits" / "ox40_extension"
    shutil.copytree(folder.parent, own.parent)
    (own / f"draws-{RIVAL}.nc").unlink()
    again = pkpd.assurance(
        own, arms=("Q4W", "Q12W", "stop"), sizes=(50,), drugs=(DRUG,), patients=32, draws=30
    )
    assert again.notes == (f"{RIVAL} has no stored draws: its answer is missing.",)
    table = planned.table[(planned.table.n == 50) & planned.table.wanted.isna()]
    first = table[table.model == "tcell_rebalancing"].assurance.to_numpy()
    assert again.table.assurance.to_numpy() == pytest.approx(first, abs=1e-12)


def test_a_posterior_is_final_when_the_card_says_so_of_these_draws(folder, tmp_path):
    own = tmp_path / "fit"
    own.mkdir()
    shutil.copy(folder / "draws.nc", own)
    assert "not been diagnosed" in status_of(own)
    update_card(own, {"passed": True, "diagnostics": []})
    assert status_of(own) == "final"
    update_card(own, {"passed": False, "diagnostics": [{"check": "R-hat", "passed": False}]})
    assert status_of(own) == "not final: demands missed: R-hat"
    card = json.loads((own / "card.json").read_text()) | {"passed": True, "draws": "of others"}
    (own / "card.json").write_text(json.dumps(card))
    assert "not been diagnosed" in status_of(own)


def test_without_draws_there_is_nothing_to_decide_from(folder, tmp_path):
    own = tmp_path / "fits" / "ox40_extension"
    shutil.copytree(folder.parent / "data", own.parent / "data")
    own.mkdir()
    shutil.copy(folder / "fit.toml", own)
    for verb, options in ((pkpd.decide, {}), (pkpd.assurance, {"sizes": (10,)})):
        with pytest.raises(FileFormatError, match="pkpd fit"):
            verb(own, **options)


def test_what_is_asked_of_draws_may_change_and_nothing_else(folder, tmp_path):
    own = tmp_path / "fits" / "ox40_extension"
    shutil.copytree(folder.parent, own.parent)
    text = (own / "fit.toml").read_text()
    before = provenance(open_fit(own))["hashes"]
    priced = text.replace(
        "[[predictions.q", "[predictions.loss]\ninjection = 0.5\n\n[[predictions.q", 1
    )
    (own / "fit.toml").write_text(priced)
    assert open_fit(own).settings.predictions.loss.injection == 0.5
    assert provenance(open_fit(own))["hashes"] == before
    (own / "fit.toml").write_text(text.replace("intervals = [", "intervals = [2, "))
    assert 2 in open_fit(own).settings.predictions.intervals
    assert provenance(open_fit(own))["hashes"] == before
    (own / "fit.toml").write_text(text.replace("discrepancy = 0.03", "discrepancy = 0.04"))
    with pytest.raises(DataError, match="changed since the draws were made"):
        pkpd.decide(own, **FEW)
