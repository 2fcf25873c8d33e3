"""The page of a joint fit: the arms' page with the individuals' figures, from a made-up folder."""

from __future__ import annotations

import json
import re

import pytest
from test_individual_page import Reader, checks, errors, individuals, rows, section

from pkpd.reporting import report
from pkpd.reporting.joint import OWN

ABOUT = {"study": "EXTRA-1", "drug": "amlitelimab", "model": "a+b", "data": "extra",
         "subjects": 12, "observations": 160, "shared": ["ks", "kp"]}  # fmt: skip
CENTRING = {"ks": {"choice": "centred", "share": 0.8, "shrinkage": 0.2}}


def write(folder, *, leave_out=()):
    """The arms' folder given, with individuals' tables beside the arms'."""
    card = json.loads((folder / "card.json").read_text())
    more = {"kind": "joint", "individual": ABOUT, "centring": CENTRING, "time_unit": "day"}
    (folder / "card.json").write_text(json.dumps(card | more))
    gof = rows(12)
    made = {
        "gof.csv": gof, "vpc.csv": checks(gof), "npde.csv": errors(gof),
        "individuals.csv": individuals(gof),
    }  # fmt: skip
    assert set(made) == set(OWN)
    for name in made.keys() - set(leave_out):
        made[name].to_csv(folder / name, index=False)
    return folder


@pytest.fixture(scope="module")
def html(fit_folder):
    return report(write(fit_folder())).read_text(encoding="utf-8")


def test_the_arms_page_is_whole_and_the_individuals_stand_among_the_data(html):
    assert re.findall(r"<h2>(\d)\. ", html) == ["1", "2", "3", "4", "5", "6"]
    data = section(html, "data")
    arms = data.index("Each sheet is one arm")
    own = data.index("Individuals: EXTRA-1 on amlitelimab")
    heads = ("Data among simulations", "Subjects one by one", "Goodness of fit", "Centring of")
    parts = [data.index(words) for words in heads]
    assert [arms, own, *parts] == sorted([arms, own, *parts])
    assert "12 subjects, 160 observations. Model: a+b. Shared with the arms: ks and kp." in data


def test_quantiles_subjects_and_residuals_are_drawn_as_an_individual_fit_draws_them(html):
    data = section(html, "data")
    titles = re.findall(r"<h5>(.*?)</h5>", data)
    for output in ("concentration", "pca"):
        assert titles.count(output) == 1  # residuals
        assert any(title.startswith(f"{output}: subjects 100 to") for title in titles)
    assert {"concentration, low", "concentration, high, prediction-corrected"} <= set(titles)
    assert re.search(r"subject 100 \d+ of 10", data)
    assert len(re.findall(r"<svg", data)) == len(titles) + data.count("<h3>") - 1


def test_the_page_is_sound(html):
    reader = Reader(html)
    assert reader.open == [] and len(reader.ids) == len(set(reader.ids))
    levels = reader.headings
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


@pytest.mark.parametrize("table", OWN)
def test_a_missing_table_of_individuals_is_named_and_the_page_still_stands(fit_folder, table):
    folder = fit_folder(leave_out=("compare",))
    html = report(write(folder, leave_out=(table,))).read_text(encoding="utf-8")
    assert f"{table} is absent or empty." in section(html, "origin")
    assert html.count("predictions.csv is absent") == 0


def test_without_individuals_the_arms_page_does_not_speak_of_them(fit_folder):
    html = report(fit_folder(leave_out=("compare",))).read_text(encoding="utf-8")
    assert "Individuals:" not in html and "Subjects one by one" not in html
