"""The command line: words in, exit codes and messages out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import pkpd
from pkpd.cli import main
from pkpd.cli.app import VERBS
from pkpd.cli.progress import shown_progress
from pkpd.errors import FitError
from pkpd.library import models

FITS = Path(__file__).parents[1] / "fits"
EVENTS = "ID,TIME,AMT,EVID\n1,0,100,1\n1,0,.,0\n1,10,.,0\n"


@dataclass(frozen=True)
class Outcome:
    code: object
    out: str
    err: str


@pytest.fixture
def pk(capsys):
    """Run `pkpd` with these words."""

    def call(*words):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return Outcome(end.value.code or 0, shown.out, shown.err)

    return call


@dataclass(frozen=True)
class Diagnosed:
    passed: bool
    rows: tuple

    def __str__(self):
        return "one check"


@pytest.fixture
def workflow(monkeypatch):
    """A stand-in for `pkpd.workflow`, whose verbs answer at once."""
    fake = ModuleType("pkpd.workflow")
    monkeypatch.setitem(sys.modules, "pkpd.workflow", fake)
    monkeypatch.setattr(pkpd, "workflow", fake, raising=False)
    return fake


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(EVENTS)
    return path


@pytest.fixture
def fit_copy(tmp_path):
    """A copy of fits/ that a test may spoil; gives the folder of the fit."""
    shutil.copytree(FITS, tmp_path / "fits")
    return tmp_path / "fits" / "ox40_extension"


def test_help_names_every_verb(pk):
    shown = pk("--help")
    assert shown.code == 0
    assert all(verb.__name__ in shown.out for verb in VERBS)


@pytest.mark.parametrize("verb", [verb.__name__ for verb in VERBS])
def test_every_verb_has_json_and_a_help(pk, verb):
    shown = pk(verb, "--help")
    assert shown.code == 0 and "--json" in shown.out


def test_help_brings_neither_jax_nor_pymc_nor_pandas():
    code = (
        "import sys\nfrom pkpd.cli import main\ntry: main(['--help'])\n"
        "except SystemExit: print({'jax', 'pymc', 'pandas'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def test_models_lists_all_there_are(pk):
    assert all(name in pk("models").out for name in models())
    assert [row["name"] for row in json.loads(pk("models", "--json").out)] == [*models()]


@pytest.mark.parametrize("name", models())
def test_show_states_every_number_with_its_source_and_every_warning(pk, name):
    told, data = pk("show", name).out, json.loads(pk("show", name, "--json").out)
    for parameter in data["parameters"]:
        assert f"{parameter['value']:g}" in told
        assert (parameter["source"] or parameter["reason"]) in told
    assert all(line in told for line in data["assumptions"])
    assert (data["warning"] or "Next: ") in told
    equations = "turnover" if data["turnover"] else "rates"
    assert f"def {equations}(" in told and data[equations].startswith(f"def {equations}(")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("modles",), "models"),
        (("simulat",), "simulate"),
        (("models", "--jsn"), "--json"),
        (("show", "rocatinlimab"), "rocatinlimab_okada_2025"),
        (("check", "ox40_extention"), "ox40_extension"),
        (("run", "nowhere/ox40_extensions"), "ox40_extension"),
    ],
)
def test_a_slip_of_the_finger_is_answered_with_what_was_meant(pk, words, meant):
    shown = pk(*words)
    assert (shown.code, shown.out) == (2, "")
    assert meant in shown.err


def test_doctor_finds_float64(pk):
    shown = pk("doctor", "--json")
    rows = {row["name"]: row for row in json.loads(shown.out)["rows"]}
    assert shown.code == 0
    assert rows["floats"]["value"] == "float64"


def test_doctor_names_a_number_of_threads_that_is_none(pk, monkeypatch):
    monkeypatch.setenv("PKPD_THREADS", "two")
    shown = pk("doctor", "--json")
    rows = {row["name"]: row for row in json.loads(shown.out)["rows"]}
    assert shown.code == 1
    assert "'two'" in rows["calls side by side"]["value"]


def test_simulate_writes_a_row_a_record(pk, events, tmp_path):
    out = tmp_path / "out.csv"
    assert pk("simulate", "pk_1cmt_iv", "--events", events, "--out", out).code == 0
    assert pd.read_csv(out).columns.tolist() == ["ID", "TIME", "concentration", "central"]
    assert pd.read_csv(out)["central"].tolist() == pytest.approx([100.0, 100 * 2.718281828**-1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv", "out.csv"]


def test_simulate_takes_values_solver_and_parameters(pk, events, tmp_path):
    table = tmp_path / "params.csv"
    table.write_text("ID,v\n1,20\n")
    words = ("simulate", "pk_1cmt_iv", "--events", events, "--json")
    told = pk(*words, "--set", "cl=2", "--parameters", table, "--solver", "ode").out
    assert [row["concentration"] for row in json.loads(told)] == pytest.approx([5, 5 / 2.718281828])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--set", "cl"), "NAME=VALUE"),
        (("--set", "clx=1"), "cl"),
        (("--solver", "odd"), "ode"),
        (("--out", "no/such/folder.csv"), "no/such"),
        (("--parameters", "absent.csv"), "absent.csv"),
    ],
)
def test_simulate_refuses_what_it_cannot_do(pk, events, words, found):
    shown = pk("simulate", "pk_1cmt_iv", "--events", events, *words)
    assert shown.code == 2
    assert found in shown.err


def test_simulate_lists_every_fault_of_the_events(pk, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("ID,TIME,AMT,EVID\n1,0,-100,1\n1,x,.,0\n1,2,.,9\n")
    shown = pk("simulate", "pk_1cmt_iv", "--events", path, "--out", tmp_path / "out.csv")
    assert shown.code == 2
    assert all(f"row {row}" in shown.err for row in (2, 3, 4))
    assert not (tmp_path / "out.csv").exists()


def test_check_accepts_the_fit_that_ships(pk, fit_copy):
    assert pk("check", fit_copy).code == 0
    assert json.loads(pk("check", fit_copy, "--json").out)


def test_check_lists_every_fault_of_fit_toml(pk, fit_copy):
    path = fit_copy / "fit.toml"
    path.write_text(path.read_text().replace("chains = 2", "chains = 0\ndarws = 5"))
    shown = pk("check", fit_copy)
    assert shown.code == 2
    assert "sampler.chains" in shown.err and "sampler.darws" in shown.err


def spoil(folder, changes):
    """Change cells of data.csv: for each, what picks the row, and its new cells."""
    path = folder.parent / "data" / "ox40_trials" / "data.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows = []
    for chosen, cells in changes:
        found = table.index[(table[list(chosen)] == pd.Series(chosen)).all(axis=1)][0]
        table.loc[found, list(cells)] = list(cells.values())
        rows.append(int(found) + 2)
    table.to_csv(path, index=False)
    return rows


ON = {"study": "KHK4083-006", "arm": "600 mg Q4W", "estimand": "NRI"}
HARD = {"count": "0", "value": "0"}
SPOILT = {
    "an unknown drug": (ON | {"endpoint": "EASI75", "week": "8"}, {"drug": "rocatinlimap"}),
    "text for a number": (ON | {"endpoint": "EASI75", "week": "12"}, {"value": "many"}),
    "a week before zero": (ON | {"endpoint": "EASI50", "week": "4"}, {"week": "-4"}),
    "a count above its denominator": (ON | {"endpoint": "IGA01", "week": "16"}, {"count": "53"}),
    "EASI-75 below EASI-90": (ON | {"endpoint": "EASI75", "week": "24"}, HARD),
    "a negative dose": (ON | {"endpoint": "EASI90", "week": "20"}, {"dose_mg": "-600"}),
}


@pytest.mark.parametrize("name", SPOILT)
def test_check_names_the_row_of_a_fault(pk, fit_copy, name):
    (row,) = spoil(fit_copy, [SPOILT[name]])
    shown = pk("check", fit_copy)
    assert (shown.code, shown.out) == (2, "")
    assert f"row {row}" in shown.err and "sha256" in shown.err


def test_check_lists_every_fault_of_the_data(pk, fit_copy):
    rows = spoil(fit_copy, SPOILT.values())
    path = fit_copy.parent / "data" / "ox40_trials" / "data.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[5]]) + "\n")
    shown = pk("check", fit_copy, "--json")
    assert (shown.code, shown.out) == (2, "")
    assert all(f"row {row}" in shown.err for row in [*rows, len(lines) + 1])


def test_check_names_a_missing_column(pk, fit_copy):
    path = fit_copy.parent / "data" / "ox40_trials" / "data.csv"
    pd.read_csv(path, dtype=str).drop(columns=["denominator"]).to_csv(path, index=False)
    shown = pk("check", fit_copy)
    assert (shown.code, shown.out) == (2, "")
    assert "denominator" in shown.err


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_a_missed_demand_is_exit_1(pk, workflow, fit_copy, passed, code):
    workflow.diagnose = lambda folder, *, progress: Diagnosed(passed, ({"check": "rhat"},))
    workflow.run = lambda folder, *, progress: passed
    assert pk("diagnose", fit_copy).code == pk("run", fit_copy, "--quiet").code == code
    told = pk("diagnose", fit_copy, "--json")
    assert json.loads(told.out) == {"passed": passed, "diagnostics": [{"check": "rhat"}]}
    assert json.loads(pk("run", fit_copy, "--json").out)["passed"] is passed


def test_a_failure_of_numbers_is_exit_1_and_told(pk, workflow, fit_copy):
    def fails(folder, *, progress):
        raise FitError("the sampler found no start")

    workflow.fit = fails
    shown = pk("fit", fit_copy)
    assert (shown.code, shown.err) == (1, "the sampler found no start\n")


def test_predict_hands_a_regimen_on_and_tells_no_nan(pk, workflow, fit_copy):
    asked = {}

    def answer(folder, wanted, *, level, seed):
        asked.update(vars(wanted))
        return pd.DataFrame({"week": [24.0, 52.0], "mean": [0.5, float("nan")]})

    workflow.predict_regimen = answer
    words = ("--drug", "rocatinlimab", "--regimen", "300 mg every 8 weeks", "--weeks", "24,52")
    told = pk("predict", fit_copy, *words, "--new-trial", "300", "--json")
    assert json.loads(told.out) == [{"week": 24.0, "mean": 0.5}, {"week": 52.0, "mean": None}]
    assert asked["weeks"] == (24.0, 52.0) and asked["new_trial"] == 300
    assert pk("predict", fit_copy, "--drug", "rocatinlimab").code == 2
    assert pk("predict", fit_copy, *words[:-1], "24;52").code == 2


def test_progress_is_a_line_a_tenth_where_no_terminal_is(capsys):
    with shown_progress(hidden=False) as progress:
        for step in range(101):
            progress("sampling", step / 100)
    with shown_progress(hidden=True) as progress:
        progress("silent", 0.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"sampling: {share} %" for share in range(0, 101, 10)]


def test_a_quick_look_is_no_fit_and_says_so(pk, workflow, fit_copy):
    asked = []

    def quick(folder, kind, progress):
        asked.append((folder.name, kind))
        return Look("map", "told", pd.DataFrame({"parameter": ["cl"], "lower": [float("nan")]}))

    workflow.quick = quick  # and no workflow.fit: to call it would fail
    assert "NOT A POSTERIOR" in pk("fit", fit_copy, "--quick", "map").out
    told = json.loads(pk("fit", fit_copy, "--quick", "laplace", "--json").out)
    assert asked == [("ox40_extension", "map"), ("ox40_extension", "laplace")]
    assert told["note"] == "told" and told["rows"] == [{"parameter": "cl", "lower": None}]


@dataclass(frozen=True)
class Look:
    kind: str
    told: str
    table: pd.DataFrame

    def __str__(self):
        return "QUICK LOOK, NOT A POSTERIOR"


def test_check_tells_the_prior_predictive_when_asked(pk, workflow, fit_copy):
    class Told:
        def __init__(self, **told):
            self.to_dict = lambda: told

        def __str__(self):
            return str(self.to_dict())

    workflow.check = lambda folder: Told(passed=True)
    workflow.prior_predictive = lambda folder, progress: Told(inside=7)
    assert "inside" not in pk("check", fit_copy).out
    assert "7" in pk("check", fit_copy, "--prior").out
    told = json.loads(pk("check", fit_copy, "--prior", "--json").out)
    assert told == {"passed": True, "prior": {"inside": 7}}
