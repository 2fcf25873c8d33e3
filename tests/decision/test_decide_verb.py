"""The verbs decide and assurance: words in, answers out, slips answered in words."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import pkpd
from pkpd.cli import main
from pkpd.decision.answer import FINAL
from pkpd.decision.answering import joined
from pkpd.decision.assurance import Assurance
from pkpd.decision.decision import Decision
from pkpd.decision.groups import Groups
from pkpd.decision.rows import COLUMNS, rows
from pkpd.decision.sources import Sources, with_stacked
from pkpd.decision.trial import COLUMNS as TRIAL
from pkpd.decision.weighed import even
from pkpd.settings import Question

FITS = Path(__file__).parents[2] / "fits"


@pytest.fixture
def pk(capsys):
    """Run `pkpd` with these words: exit code, stdout, stderr."""

    def call(*words):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return end.value.code or 0, shown.out, shown.err

    return call


@pytest.fixture
def fit(tmp_path):
    """A fit that has never been run."""
    shutil.copytree(FITS / "data" / "ox40_trials", tmp_path / "fits" / "data" / "ox40_trials")
    folder = tmp_path / "fits" / "ox40_extension"
    folder.mkdir()
    shutil.copy(FITS / "ox40_extension" / "fit.toml", folder)
    return folder


@pytest.fixture
def sources(share, regimens, asked):
    worse = share - np.array([0.0, 0.15, 0.1])[:, None] * np.array([0.0, 1.0])
    models = with_stacked({"own": even(share), "rival": even(worse)}, {"own": 0.75, "rival": 0.25})
    return Sources(
        question=Question(drug="rocatinlimab", induction="300 mg every 4 weeks", dose=300),
        asked=asked,
        regimens=regimens,
        groups=Groups(("all",), np.ones((1, 8))),
        models=models,
        prior=even(share[-1:]),
        scaling=None,
        flags={76.0: ("", "", "Longer off drug than the 28 weeks observed.")},
    )


def decision(sources, status=FINAL):
    table = pd.DataFrame(rows(sources, status), columns=list(COLUMNS))
    return Decision(table, sources.asked, status, ("A note.",), {"weights": {"own": 0.75}})


@pytest.fixture
def answers(monkeypatch, sources):
    """A stand-in for `pkpd.decision_workflow`; gives what it was asked, and takes a status."""
    heard = {"status": FINAL}

    def decide(folder, *, progress, **options):
        heard["options"] = {name: value for name, value in options.items() if value is not None}
        return decision(sources, heard["status"])

    fake = ModuleType("pkpd.decision_workflow")
    fake.__dict__["decide"] = decide
    monkeypatch.setitem(sys.modules, "pkpd.decision_workflow", fake)
    monkeypatch.setattr(pkpd, "decision_workflow", fake, raising=False)
    return heard


def test_words_become_options(pk, answers, fit):
    code, _, _ = pk(
        "decide", fit, "--margin", "0.05", "--loss", "injection=0.02", "--loss", "lost=2",
        "--intervals", "4,8", "--weeks", "72", "--drug", "amlitelimab", "--easi-cut", "25",
        "--beside", "EASI50, IGA01",
    )  # fmt: skip
    assert code == 0
    assert answers["options"] == {
        "margin": 0.05, "loss": {"injection": 0.02, "lost": 2.0}, "intervals": (4.0, 8.0),
        "weeks": (72.0,), "drugs": ("amlitelimab",), "easi_cut": 25.0,
        "beside": ("EASI50", "IGA01"),
    }  # fmt: skip


def test_the_table_and_the_decisions_are_told(pk, answers, fit):
    code, out, _ = pk("decide", fit)
    assert code == 0
    assert "70 (61 to 75)" in out and "reference" in out  # Q8W: mean, and ends of four draws
    assert "every 8 weeks. (prior alone stopping; rival every 4 weeks; stacked every" in out
    assert "A note." in out and "Status: final." in out and "28 weeks observed" in out


def test_json_has_every_row_and_no_nan(pk, answers, fit, sources):
    told = json.loads(pk("decide", fit, "--json")[1])
    assert told["final"] is True and told["asked"]["loss"]["lost"] == 1.0
    assert len(told["rows"]) == len(rows(sources, FINAL))
    assert {row["model"] for row in told["rows"]} == {"own", "rival", "stacked"}


def test_a_posterior_that_missed_its_demands_is_not_final(pk, answers, fit):
    answers["status"] = "not final: demands missed: R-hat"
    code, out, _ = pk("decide", fit)
    assert code == 1 and "Status: not final: demands missed: R-hat" in out
    code, out, _ = pk("decide", fit, "--json")
    told = json.loads(out)
    assert code == 1 and told["final"] is False
    assert {row["status"] for row in told["rows"]} == {"not final: demands missed: R-hat"}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("decide", "--marjin", "0.1"), "--margin"),
        (("decide", "--loss", "injection"), "NAME=VALUE"),
        (("decide", "--intervals", "4;8"), "numbers with commas"),
        (("decide", "--intervals", "0,4"), "weeks between doses must be above 0"),
        (("decide", "--margin", "1.5"), "margin 1.5: not within 0 and 1"),
        (("decide", "--drug", "amlitelimap"), "Did you mean amlitelimab"),
        (("decide", "--loss", "injektion=1"), "Did you mean injection"),
        (("decide",), "pkpd fit"),
        (("assurance", "--n", "100"), "pkpd fit"),
        (("assurance",), "no size is given"),
        (("assurance", "--n", "ten"), "numbers with commas"),
        (("assurance", "--arms", "Q4W,Q8", "--n", "50"), "Write Q8W, or stop"),
        (("assurance", "--arms", "Q4W,Q0W", "--margin", "2", "--n", "50"), "margin 2"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(pk, fit, words, found):
    before = sorted(path.name for path in fit.iterdir())
    code, out, err = pk(words[0], fit, *words[1:], "--quiet")
    assert (code, out) == (2, "")
    assert found in err
    assert sorted(path.name for path in fit.iterdir()) == before


def test_a_typo_in_the_verb_is_answered(pk):
    assert "decide" in pk("deside", "ox40_extension")[2]


@pytest.mark.parametrize("verb", ["decide", "assurance"])
def test_a_fit_of_individual_records_alone_has_no_arms(pk, verb):
    code, _, err = pk(verb, FITS / "warfarin", *(("--n", "50") if verb == "assurance" else ()))
    assert code == 2 and "individual records" in err


def test_a_row_carries_all_its_answers(sources):
    table = pd.DataFrame(rows(sources, FINAL), columns=list(COLUMNS))
    own = table.query("quantity == 'prob_kept_share' and regimen == 'stop' and model == 'own'")
    assert own[["value", "prior_value", "margin"]].values.tolist() == [[0.25, 1.0, 0.8]]
    stacked = table.query("quantity == 'proportion' and regimen == 'Q8W' and model == 'stacked'")
    assert stacked.value.item() == pytest.approx(0.7025 - 0.25 * 0.15)
    longest = table.query("quantity == 'longest_interval'").set_index("model")
    assert longest.regimen["own"] == "Q8W" and longest.prior_value["own"] == np.inf
    assert longest.regimen["rival"] == "Q4W"
    flagged = table[(table.regimen == "stop") & (table.quantity == "proportion")]
    assert flagged.flag.str.contains("28 weeks").all()


def test_without_weights_nothing_is_stacked(sources):
    models = {name: sources.models[name] for name in ("own", "rival")}
    assert [*with_stacked(models, {})] == ["own", "rival"]
    assert [*with_stacked(models, {"own": 1.0})] == ["own", "rival"]
    assert [*with_stacked({"own": models["own"]}, {"own": 1.0})] == ["own"]


def test_what_a_joint_fit_knows_of_individuals_is_left_aside():
    posterior = {"ks": np.array([1.0, 2.0]), "ks_eta": np.ones((2, 8))}
    both = joined(posterior, {"ks": np.array([3.0])})
    assert {name: value.tolist() for name, value in both.items()} == {"ks": [1.0, 2.0, 3.0]}


def test_a_decision_without_a_prior_or_rivals_is_told(sources):
    bare = replace(sources, models={"own": sources.models["own"]}, prior=None)
    said = str(decision(bare))
    assert "every 8 weeks" in said and "prior alone" not in said


def test_an_assurance_tells_size_and_limit():
    row = dict.fromkeys(TRIAL, np.nan) | {
        "drug": "rocatinlimab", "induction": "300 mg every 4 weeks", "endpoint": "EASI75",
        "week": 72.0, "reference": "Q4W", "arm": "Q8W", "n": 210.0, "margin": 0.1,
        "one_sided_level": 0.025, "test": "miettinen-nurminen", "model": "own", "assurance": 0.801,
        "mcse": 0.004, "limit": 0.97, "wanted": 0.8, "n_least": 205.0, "n_greatest": 216.0,
        "enrolled": 1200.0, "enrolled_lower": 900.0, "enrolled_upper": 1500.0, "flag": "",
    }  # fmt: skip
    never = row | {"arm": "stop", "n": np.nan, "assurance": np.nan, "limit": 0.01}
    table = pd.DataFrame([row, never])
    from pkpd.decision.assurance import told

    ((heading, shown, sentences),) = told(table)
    assert "not inferior by 10 points, one-sided 0.025" in heading
    assert shown[0]["patients an arm"] == "210 (205 to 216)"
    assert shown[1]["patients an arm"] == "not reached"
    assert any("would reach 0.010" in said for said in sentences)
    assert "210" not in str(Assurance(table.iloc[:0], None, FINAL, (), {}))  # type: ignore[arg-type]
