"""The page of an individual-level fit, from a made-up folder: nothing in it is a result."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pkpd.diagnosis.vpc import vpc
from pkpd.errors import DataError
from pkpd.reporting import individual_predicted, report
from pkpd.reporting.individual_axes import MOST_POINTS, thinned
from pkpd.reporting.individual_blocks import fit_blocks, gof_blocks, predicted_blocks, vpc_blocks
from pkpd.reporting.individual_estimates import cv
from pkpd.reporting.individual_fits import chosen
from pkpd.reporting.individual_folder import COLUMNS
from pkpd.reporting.individual_vpc import within

TIMES = (0.5, 1, 2, 4, 8, 12, 24, 36, 48, 72)
LIMIT, LEVEL, REPS = 0.25, 0.9, 60
SENTENCE = "Clearance of a typical patient is 0.13 L/h (90 % equal-tailed interval 0.12 to 0.14)."
STATEMENT = "cl = 0.13 L/h <typical>\ncentral' = -cl / v central"


def curve(time, dose, effect):
    """One compartment, first-order absorption: ka 1 /h, k 0.05 /h, volume 8 L."""
    k = 0.05 * np.exp(effect)
    return dose / 8 / (1 - k) * (np.exp(-k * time) - np.exp(-time))


def rows(subjects: int) -> pd.DataFrame:
    """Concentrations below a limit censored, and a score, by subject."""
    random = np.random.default_rng(8)
    made = []
    for number in range(subjects):
        arm, dose = (("low", 40.0), ("high", 100.0))[number % 2]
        effect, time = 0.3 * random.normal(), np.array(TIMES)
        own, typical = curve(time, dose, effect), curve(time, dose, 0.0)
        made.append(stream(number, arm, "concentration", own, typical, random, 0.15))
        if number < 4:
            made.append(stream(number, arm, "pca", 100 - 4 * own, 100 - 4 * typical, random, 0.05))
    table = pd.concat(made, ignore_index=True)
    below = (table["output"] == "concentration") & (table["observed"] < LIMIT)
    table.loc[below, "observed"] = LIMIT
    table["censored"] = below.astype(int)
    return table


def stream(number, arm, output, own, typical, random, error):
    """One subject's rows of one output under a log-normal error."""
    noise = random.normal(size=own.size)
    ends = stats.norm.ppf([0.05, 0.95])
    made = {
        "subject": 100 + number, "arm": arm, "time": TIMES, "output": output,
        "observed": own * np.exp(error * noise), "censored": 0, "pred": typical, "ipred": own,
        "ipred_lower": 0.93 * own, "ipred_upper": 1.07 * own,
        "lower": own * np.exp(error * ends[0]), "upper": own * np.exp(error * ends[1]),
        "level": LEVEL, "kind": "eti", "inside": np.abs(noise) < ends[1],
        "covered": (np.abs(noise) < ends[1]).astype(float), "residual": noise,
    }  # fmt: skip
    return pd.DataFrame(made)


def checks(gof: pd.DataFrame) -> pd.DataFrame:
    """Checks of both outputs, one corrected too, and of a grade, made by the real verb."""
    random = np.random.default_rng(9)
    observed = gof.rename(columns={"observed": "value"})
    observed["limit"] = np.where(observed["output"] == "concentration", LIMIT, np.nan)
    wide = np.where(observed["output"] == "pca", 0.07, 0.45)
    copies = gof["pred"].to_numpy() * np.exp(wide * random.normal(size=(REPS, len(gof))))
    pred, own = gof["pred"].to_numpy(), (gof["output"] == "concentration").to_numpy()
    asked = {"bins": "time", "level": LEVEL}
    grade = gof[gof["output"] == "pca"].assign(output="grade", outcome="ordinal", limit=np.nan)
    grade["value"] = (grade["pred"] // 25).clip(0, 3)
    drawn = random.integers(0, 4, size=(REPS, len(grade)))
    return pd.concat(
        [
            vpc(observed, copies, **asked),
            vpc(observed[own], copies[:, own], **asked, corrected=True, pred=pred[own]),
            vpc(grade, drawn, **asked),
        ]
    )


def errors(gof: pd.DataFrame) -> pd.DataFrame:
    """Prediction errors of the concentrations, and of the score none: as rows without have it."""
    table = gof[["subject", "arm", "time", "output", "observed", "censored", "pred"]].copy()
    drawn = np.random.default_rng(10).normal(size=len(table))
    return table.assign(npde=np.where(table["output"] == "concentration", drawn, np.nan))


def summary() -> pd.DataFrame:
    listed = [
        ("cl", "clearance", "L/h", 0.132, 0.07),
        ("v", "volume", "L", 7.9, 0.11),
        ("cl_between", "between-subject SD of cl, log scale", "1", 0.3, 0.3),
        ("f_between", "between-subject SD of f, logit scale", "1", 0.8, 0.8),
        ("cl_v_partial", "partial correlation of two random effects", "1", 0.2, 0.5),
        ("concentration_proportional", "concentration: proportional SD", "1", 0.15, 0.2),
    ]
    made = [
        [name, meaning, unit, middle, 0.1 * middle, middle, 0.9 * middle, 1.1 * middle, LEVEL,
         "eti", 1.2 * middle, 0.4 * middle, 3 * middle, contraction, 1.002, 1500.0, 1300.0]
        for name, meaning, unit, middle, contraction in listed
    ]  # fmt: skip
    return pd.DataFrame(made, columns=COLUMNS["summary.csv"].split(","))


def individuals(gof: pd.DataFrame) -> pd.DataFrame:
    made = [
        [who, name, middle, 0.8 * middle, 1.2 * middle, LEVEL, "eti"]
        for who in gof["subject"].unique()
        for name, middle in (("cl", 0.13), ("v", 8.1))
    ]
    return pd.DataFrame(made, columns=COLUMNS["individuals.csv"].split(","))


def predictions() -> pd.DataFrame:
    made = []
    for regimen, dose in (("100 mg once", 100.0), ("40 mg once", 40.0)):
        for time in TIMES:
            mean = curve(time, dose, 0.0)
            for layer, wide in (("uncertainty", 0.1), ("variability", 0.5)):
                ends = [mean * (1 - wide), mean * (1 + wide)]
                said = ["warfarin", regimen, time, "concentration", "", "mean"]
                made.append([*said, mean, *ends, LEVEL, "eti", layer])
    return pd.DataFrame(made, columns=COLUMNS["predictions.csv"].split(","))


def card(passed: bool) -> dict:
    keys = ("check", "value", "limit", "passed", "advice")
    found = [("R-hat (worst: cl)", 1.004, "<= 1.01", True, ""),
             ("bulk ESS (worst: v)", 812.0 if passed else 212.0, ">= 400", passed,
              "" if passed else "Raise sampler.draws")]  # fmt: skip
    left = {"row": 17, "subject": "<104>", "rule": "vomited", "reason": "dose lost"}
    return {
        "kind": "individual", "name": "warfarin", "title": "Warfarin and prothrombin activity",
        "passed": passed, "sentence": SENTENCE, "time_unit": "hours", "warnings": ["Doses in mg."],
        "diagnostics": [dict(zip(keys, row, strict=True)) for row in found],
        "excluded": [left, left | {"row": 18, "value": 3.5}],
        "versions": {"pkpd": "0.1.0"}, "hashes": {"data.csv": "9f2c" * 16},
        "seeds": {"sampling": 1}, "settings": {"sampler": {"draws": 1000}},
        "seconds": {"sampling": 61.0}, "model_statement": STATEMENT,
        "data": {"subjects": 30, "observations": 340, "censored": 41, "doses": 30},
        "centring": {"cl": {"choice": "centred", "shrinkage": 0.12},
                     "v": {"choice": "non-centred", "shrinkage": 0.55}},
        "published": [{"parameter": "cl", "value": 0.134, "source": "O'Reilly 1968, table 2"},
                      {"parameter": "v", "value": 12.0, "source": "O'Reilly 1968, table 2"},
                      {"parameter": "emax", "value": 1.0, "source": "another"}],
    }  # fmt: skip


def write_folder(folder: Path, *, passed=True, subjects=30, leave_out=()) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.json").write_text(json.dumps(card(passed)))
    gof = rows(subjects)
    made = {
        "summary": summary, "gof": lambda: gof, "vpc": lambda: checks(gof),
        "npde": lambda: errors(gof),
        "individuals": lambda: individuals(gof), "predictions": predictions,
    }  # fmt: skip
    for name in made.keys() - set(leave_out):
        made[name]().to_csv(folder / f"{name}.csv", index=False)
    return folder


TABLES = ("summary", "gof", "vpc", "npde", "individuals", "predictions")


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return report(write_folder(tmp_path_factory.mktemp("fit"))).read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Collects headings, ids and attributes, and whether tags balance."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings, self.ids, self.open, self.attributes = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in {"meta", "link", "br", "hr", "img", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def section(html: str, name: str) -> str:
    return html.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def test_the_page_asks_nothing_of_any_network(html):
    assert not re.search(r"https?://|@import|<script|javascript:", html)
    for tag, name, value in Reader(html).attributes:
        if name.split(":")[-1] in ("src", "href", "srcset", "data", "action"):
            assert value.startswith("#") or (tag == "link" and value == "data:,")
    assert all(inner.startswith("#") for inner in re.findall(r"url\(([^)]*)\)", html))


def test_tags_balance_ids_are_unique_and_every_reference_is_met(html):
    reader = Reader(html)
    assert reader.open == [] and len(reader.ids) == len(set(reader.ids))
    asked = {value[1:] for _, name, value in reader.attributes if name == "href" and "#" in value}
    assert asked | set(re.findall(r"url\(#([^)]*)\)", html)) <= set(reader.ids)


def test_headings_go_down_one_level_at_a_time(html):
    levels = Reader(html).headings
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_sections_stand_in_order_with_the_estimates_first(html):
    assert re.findall(r"<h2>(\d)\. ", html) == [str(k) for k in range(1, 9)]
    names = ("answer", "vpc", "subjects", "gof", "prior", "checks", "choices", "origin")
    places = [html.index(f'id="{name}"') for name in names]
    assert places == sorted(places)
    assert html.index(SENTENCE) < html.index("Population parameters") < html.index("<svg")


@pytest.mark.parametrize("passed", [True, False])
def test_a_banner_and_the_title_say_not_final_if_and_only_if_a_demand_was_missed(tmp_path, passed):
    html = report(write_folder(tmp_path, passed=passed, leave_out=TABLES)).read_text("utf-8")
    assert ('class="banner"' in html) is not passed
    assert ("<title>Not final: warfarin" in html) is not passed
    if not passed:
        assert html.index("bulk ESS (worst: v)") < html.index("<h1>")
        assert "Raise sampler.draws" in html


def test_a_log_scale_spread_is_told_as_cv_and_no_other(html):
    answer = section(html, "answer")
    cells = dict(re.findall(r'scope=row class="">(\w+)\s*</th>(.*?)</tr>', answer, re.DOTALL))
    # 100 sqrt(exp(0.3^2) - 1) = 30.69
    assert "30.7" in cells["cl_between"]
    assert cells["cl_between"].count("title=") == 2  # of the SD and of the CV
    assert cells["f_between"].count("title=") == cells["cl"].count("title=") == 1


@pytest.mark.parametrize("sd", [0.05, 0.3, 1.2])
def test_the_cv_is_that_of_a_log_normal(sd):
    law = stats.lognorm(sd)
    assert cv(sd) == pytest.approx(100 * law.std() / law.mean())


def test_published_values_stand_beside_the_posterior_with_their_source(html):
    answer = section(html, "answer")
    assert re.search(r"0\.134 \[a\].*?in the interval", answer, re.DOTALL)
    assert re.search(r"12 \[a\].*?above the interval", answer, re.DOTALL)
    assert "[a] O&#39;Reilly 1968, table 2" in answer
    assert "Published, but no parameter here: emax." in answer


def test_every_output_arm_and_correction_has_its_check(html):
    titles = re.findall(r"<h3>(.*?)</h3>", section(html, "vpc"))
    plain = [f"{o}, {a}" for o in ("concentration", "grade", "pca") for a in ("high", "low")]
    corrected = [f"{t}, prediction-corrected" for t in plain if "conc" in t]
    assert sorted(titles) == sorted(plain + corrected)
    labels = re.findall(r'aria-label="([^"]+)"', section(html, "vpc"))
    assert sum("Share blq" in label for label in labels) == 4
    assert sum("Share category 0" in label for label in labels) == 2


def test_an_end_among_the_censored_is_open():
    rows = pd.DataFrame(
        {"observed": [1.0, 3.0, 1.0, 0.5], "lower": [np.nan, np.nan, 2, 0], "upper": [2, 2, 3, 1]}
    )
    assert within(rows).tolist() == [True, False, False, True]


def test_at_most_24_subjects_are_drawn_and_the_page_says_how_many(html):
    gof = rows(30)
    few = chosen(gof[gof["output"] == "concentration"].astype({"subject": str}))
    assert len(few) == len(set(few)) == 24 and (few[0], few[-1]) == ("100", "129")
    subjects = section(html, "subjects")
    assert "in the order of the data: concentration: 24 of 30. Those" in subjects
    assert subjects.count("<svg") == 4
    assert len(re.findall(r"subject \d+ \d+ of 10", subjects)) == 24 + 4


def test_all_subjects_are_drawn_where_there_are_few(tmp_path):
    html = report(write_folder(tmp_path, subjects=3, leave_out=("vpc", "predictions")))
    assert "Every subject is drawn." in html.read_text("utf-8")


def test_the_table_of_residuals_tells_how_many_lie_inside(html):
    gof = rows(30)
    for output, some in gof.groupby("output"):
        row = re.search(rf">{output}\s*</th>(.*?)</tr>", section(html, "gof"), re.DOTALL)
        assert row
        cells = re.findall(r">([^<>\n]+)\s*</td>", row.group(1))
        assert cells[0] == str(len(some)) and cells[1] == str(int(some["censored"].sum()))
        assert cells[2] == f"{100 * some['inside'].mean():.0f}" and cells[3] == "90"


def test_prediction_errors_are_told_against_time_prediction_and_the_normal(html):
    table = errors(rows(30))
    own = table[table["output"] == "concentration"]["npde"]
    part = section(html, "gof").partition("Prediction errors npde")[2]
    found = {
        name: re.findall(r">([^<>\n]+)\s*</td>", cells)
        for name, cells in re.findall(
            r'scope=row class="">(\w+)\s*</th>(.*?)</tr>', part, re.DOTALL
        )
    }
    beyond = f"{100 * (own.abs() > 1.96).mean():.0f}"
    assert found["concentration"][:2] == [str(len(own)), "0"]
    assert found["concentration"][-1] == beyond
    assert float(found["concentration"][3]) == pytest.approx(own.std(), rel=0.01)
    assert found["pca"][:2] == ["0", "40"]
    assert re.findall("<h3>(.*?)</h3>", part) == ["concentration: npde"]
    assert part.count(">npde<") == 3 and ">Typical prediction<" in part
    assert f"{len(own)} prediction errors have mean" in part


def test_figures_of_large_data_draw_some_points_alone():
    many = pd.DataFrame({"time": np.arange(10.0 * MOST_POINTS)})
    few = thinned(many)
    assert len(few) == MOST_POINTS and few["time"].diff().iloc[1:].between(9, 11).all()
    assert len(thinned(many.head(7))) == 7


def test_checks_exclusions_centring_origins_and_the_statement_are_printed(html):
    assert "R-hat (worst: cl)" in section(html, "checks")
    choices = section(html, "choices")
    assert "2 rows of the data were left out" in choices and "&lt;104&gt;" in choices
    assert "non-centred" in choices and "0.55" in choices
    origin = section(html, "origin")
    assert "9f2c" * 16 in origin
    assert "<pre>cl = 0.13 L/h &lt;typical&gt;\ncentral" in origin
    assert origin.count("<details>") == 2
    assert "30 subjects, 340 observations, 30 doses, 41 observations censored." in html


def test_every_interval_states_its_level_and_kind(html):
    said = re.findall(r'<span class="interval" title="([^"]*)"', html)
    assert len(said) > 60
    assert set(said) == {"90\N{NO-BREAK SPACE}% equal-tailed interval"}


def test_every_figure_has_words_for_those_who_cannot_see_it(html):
    labels = re.findall(r'<svg[^>]*aria-label="([^"]+)"', html)
    assert len(labels) == html.count("<svg") == 8 + 4 + 2 + 1 + 2 + 1
    assert all(len(label) > 40 for label in labels)


def test_every_table_has_a_caption_and_scoped_heads(html):
    assert html.count("<table>") == html.count("<caption>")
    assert not re.search(r"<th(?![^>]*scope)[ >]", html)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("summary", "No parameter is in summary.csv"),
        ("gof", "No observation is in gof.csv"),
        ("vpc", "No visual predictive check"),
        ("npde", "No prediction error is in npde.csv"),
        ("individuals", "individuals.csv is absent or empty"),
        ("predictions", "predictions.csv is absent or empty"),
    ],
)
def test_a_missing_table_is_named_and_the_page_still_stands(tmp_path, table, words):
    html = report(write_folder(tmp_path, leave_out=TABLES)).read_text("utf-8")
    assert words in html and f"{table}.csv is absent or empty" in html


def test_tables_whose_numbers_are_all_missing_are_tolerated(tmp_path):
    folder = write_folder(tmp_path, subjects=3)
    keep = {"parameter", "subject", "output", "arm", "bin", "time", "quantile", "regimen", "week"}
    for name in TABLES:
        table = pd.read_csv(folder / f"{name}.csv").head(6)
        for column in set(table.columns) - keep:
            table[column] = math.nan
        table.drop(columns="level", errors="ignore").to_csv(folder / f"{name}.csv", index=False)
    html = report(folder).read_text("utf-8")
    assert "vpc.csv has no column level" in html
    assert not re.search(r"\bnan\b|\binf\b", html)


def test_observations_at_one_time_alone_can_be_drawn():
    gof = rows(2).astype({"subject": str})
    gof = gof[(gof["time"] == 1.0) & (gof["output"] == "concentration")]
    seen = checks(gof).astype({"corrected": str})
    blocks = [*vpc_blocks(seen, "h"), *fit_blocks(gof, "h"), *gof_blocks(gof, "h")]
    assert [block.title for block in blocks[:2]] == ["concentration, high", "concentration, low"]
    assert blocks[0].caption.startswith("1 bin of 1 observation. Bands: 90")
    assert all("nan" not in block.figure for block in blocks)


def test_a_card_of_an_unknown_kind_is_refused_in_words(tmp_path):
    (tmp_path / "card.json").write_text('{"kind": "network"}')
    with pytest.raises(DataError, match=r"kind 'network' has no page.*Kinds known: arms, indiv"):
        report(tmp_path)


def test_the_same_folder_gives_the_same_page(tmp_path):
    pages = []
    for name in ("one", "two"):
        folder = write_folder(tmp_path / name, subjects=2, leave_out=("vpc", "predictions"))
        pages.append(report(folder).read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize("zero", [True, False])
def test_an_output_seen_at_zero_has_no_log_axis(zero, monkeypatch):
    """A grade's expected value may come near 0 and is still a grade."""
    scales = []
    monkeypatch.setattr(
        individual_predicted, "set_scale", lambda _, which, __, *, log: scales.append((which, log))
    )
    said = predictions().assign(mean=lambda t: t["mean"] ** 6)  # spans more than a log axis needs
    seen = rows(2).assign(observed=lambda t: t["observed"].where(t.index > 0, 0.0 if zero else 1.0))
    predicted_blocks(said, seen, "h")
    assert ("y", not zero) in scales and ("y", zero) not in scales
