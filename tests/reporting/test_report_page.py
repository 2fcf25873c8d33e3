"""The page: what it says, in what order, and what it never does."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from pkpd.errors import DataError
from pkpd.reporting import report
from pkpd.reporting.page import write

TABLES = ("summary", "ppc", "compare", "predictions", "decisions")


class Reader(HTMLParser):
    """Collects headings, ids, table heads and balance of tags."""

    VOID = {"meta", "link", "br", "hr", "img", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.headings, self.ids, self.open, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


@pytest.fixture(scope="module")
def folder(fit_folder):
    made = fit_folder()
    report(made)
    return made


@pytest.fixture(scope="module")
def html(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_report_is_written_into_the_folder_and_its_path_given_back(fit_folder):
    folder = fit_folder(leave_out=TABLES)
    assert report(folder) == folder / "report.html"
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_page_asks_nothing_of_any_network(html):
    assert not re.search(r"https?://|@import|<script|javascript:", html)
    for tag, name, value in read(html).attributes:
        if name in ("src", "href", "srcset", "data", "action"):
            assert value.startswith("#") or (tag == "link" and value == "data:,")
    assert all(inner.startswith("#") for inner in re.findall(r"url\(([^)]*)\)", html))


def test_tags_balance_ids_are_unique_and_every_reference_is_met(html):
    reader = read(html)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    asked = {value[1:] for _, name, value in reader.attributes if name == "href" and "#" in value}
    assert asked | set(re.findall(r"url\(#([^)]*)\)", html)) <= set(reader.ids)


def test_headings_go_down_one_level_at_a_time(html):
    levels = read(html).headings
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_sections_stand_in_order_with_the_answer_first(html):
    heads = re.findall(r"<h2>(\d)\. ", html)
    assert heads == ["1", "2", "3", "4", "5", "6"]
    sentence, figure = html.index('class="sentence"'), html.index("<svg")
    assert sentence < figure < html.index('id="data"')


@pytest.mark.parametrize("passed", [True, False])
def test_a_banner_stands_on_top_if_and_only_if_a_demand_was_missed(fit_folder, passed):
    html = report(fit_folder(passed=passed, leave_out=TABLES)).read_text(encoding="utf-8")
    assert ('class="banner"' in html) is not passed
    assert ("not final" in html.lower()) is not passed
    if not passed:
        banner = html[html.index('class="banner"') : html.index("<h1>")]
        assert "ess_bulk_min" in banner and "Run longer chains" in banner


def test_a_card_without_a_verdict_is_not_final(fit_folder):
    folder = fit_folder(leave_out=TABLES)
    (folder / "card.json").write_text("{}")
    assert "names no demand that it missed" in report(folder).read_text(encoding="utf-8")


def test_every_warning_excluded_row_and_diagnostic_is_printed(folder, html):
    card = json.loads((folder / "card.json").read_text())
    assert card["warnings"][0].split("(")[0] in html
    listed = html[html.index("<summary>Every row left out") : html.index('id="models"')]
    assert all(f">{row['row']}</th>" in listed for row in card["excluded"])
    checks = html[html.index('id="checks"') : html.index('id="origin"')]
    assert all(f">{row['check']}</th>" in checks for row in card["diagnostics"])
    assert all(value in html for value in card["hashes"].values())


def test_text_from_the_card_is_escaped(html):
    assert "&lt;sic&gt;" in html and "<sic>" not in html


def test_every_interval_states_its_level_and_kind(html):
    said = re.findall(r'<span class="interval" title="([^"]*)"', html)
    assert len(said) > 100
    assert all("interval" in words for words in said)
    known = [words for words in said if "90\N{NO-BREAK SPACE}% equal-tailed interval" in words]
    unstated = [words for words in said if "kind not stated" in words]
    assert len(known) + len(unstated) == len(said)
    assert all("interval" in caption for caption in re.findall(r"Bars[^<]*", html))


def test_every_figure_has_words_for_those_who_cannot_see_it(html):
    labels = re.findall(r'<svg[^>]*aria-label="([^"]+)"', html)
    assert len(labels) == html.count("<svg") == 8
    assert all(len(label) > 40 for label in labels)


def test_every_table_has_a_caption_and_scoped_heads(html):
    assert html.count("<table>") == html.count("<caption>")
    assert not re.search(r"<th(?![^>]*scope)[ >]", html)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("compare", "There is no compare.csv"),
        ("predictions", "No prediction of EASI-75"),
        ("ppc", "No posterior predictive check"),
        ("summary", "No parameter is in summary.csv"),
        ("decisions", "decisions.csv is absent or empty"),
    ],
)
def test_a_missing_table_is_named_and_the_page_still_stands(fit_folder, table, words):
    rest = tuple(other for other in TABLES if other not in (table, "decisions"))
    html = report(fit_folder(leave_out=(table, *rest))).read_text(encoding="utf-8")
    assert words in html and f"{table}.csv is absent or empty" in html


def test_tables_with_rows_but_empty_columns_are_tolerated(fit_folder):
    folder = fit_folder()
    for name in TABLES:
        table = pd.read_csv(folder / f"{name}.csv").head(3)
        keep = {"regimen", "week", "endpoint", "estimand", "statistic", "parameter", "model"}
        for column in set(table.columns) - keep:
            table[column] = float("nan")
        table.drop(columns=["level"], errors="ignore").to_csv(folder / f"{name}.csv", index=False)
    html = report(folder).read_text(encoding="utf-8")
    assert "ppc.csv has no column level" in html
    assert "level and kind not stated" in html and not re.search(r"\bnan\b|\binf\b", html)


def test_the_decision_names_the_interval_and_the_priors_own_answer(html):
    assert "with probability at least 0.8: every 8 weeks." in html
    assert "The prior alone says: none of those asked about." in html


def test_parameters_that_the_data_did_not_inform_are_called_mostly_the_prior(html):
    assert "4 of 12 parameters are mostly the prior" in html
    assert "phi (share of memory kept by effectors)" in html


def test_a_folder_without_a_card_is_refused_in_words(tmp_path):
    with pytest.raises(DataError, match=r"card\.json.*no such file.*pkpd run"):
        report(tmp_path)


def test_a_card_that_is_not_json_is_refused_in_words(tmp_path):
    (tmp_path / "card.json").write_text("{half")
    with pytest.raises(DataError, match=r"card\.json, line 1"):
        report(tmp_path)


def test_a_page_that_cannot_be_written_leaves_the_old_one_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write("x" * 100_000 + "\ud800", path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_the_same_folder_gives_the_same_page(fit_folder):
    first, second = (report(fit_folder(leave_out=("ppc",))).read_bytes() for _ in range(2))
    assert first == second
