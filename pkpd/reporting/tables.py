"""The tables that let a reader judge: coverage, parameters, exclusions, models, checks, origins."""

from __future__ import annotations

import math
from typing import cast

import pandas as pd

from pkpd.reporting.figures_arm import is_true
from pkpd.reporting.figures_prior import MOSTLY_PRIOR
from pkpd.reporting.table import Cell, Group, Table, plain, table
from pkpd.reporting.words import (
    KEPT,
    endpoint_words,
    interval_words,
    listing,
    number,
    percent,
    span,
)


def coverage_table(ppc: pd.DataFrame) -> Table:
    """Give back how many observed points fall within their interval: overall, by endpoint."""
    groups = []
    for title, rows in (("Used in the fit", ppc[is_true(ppc["fitted"])]),
                        ("Held out of the fit", ppc[~is_true(ppc["fitted"])])):  # fmt: skip
        made = [coverage_row("All endpoints", rows)] if len(rows) else []
        made += [
            coverage_row(f"{endpoint_words(str(endpoint))}, {statistic}, {estimand}", some)
            for (endpoint, statistic, estimand), some in rows.groupby(
                ["endpoint", "statistic", "estimand"], sort=False
            )
        ]
        groups.append(Group(title, tuple(made)))
    columns = [
        "Endpoint, statistic, estimand", "#Points", "#Inside", "#Inside, %", "#Expected, %",
    ]  # fmt: skip
    kinds = ppc[["level", "kind"]].drop_duplicates().itertuples(index=False)
    note = f"Intervals: {listing([interval_words(*kind) for kind in kinds])}, posterior predictive."
    caption = "Observed points inside their posterior predictive interval"
    return table(caption, columns, groups, notes=[note])


def coverage_row(title: str, rows: pd.DataFrame) -> tuple[Cell, ...]:
    """Give back one line of the coverage table."""
    inside = is_true(rows["inside"])
    shares = (percent(float(inside.mean())), percent(float(rows["level"].mean())))
    return tuple(Cell(text) for text in (title, str(len(rows)), str(int(inside.sum())), *shares))


def parameter_table(summary: pd.DataFrame) -> Table:
    """Give back every parameter with its prior and posterior, least learnt first."""
    columns = [
        "Parameter", "Meaning", "Unit", "#Prior median", "#Posterior median", "#Contraction",
        "What the data said", "#R-hat", "#ESS bulk", "#ESS tail",
    ]  # fmt: skip
    rows = summary.sort_values("contraction", ascending=False, na_position="last")
    return plain("Prior and posterior of every parameter", columns, [
        (
            row["parameter"], row["meaning"], row["unit"],
            Cell(number(row["prior_median"]),
                 span(number(row["prior_lower"]), number(row["prior_upper"])),
                 interval_words(row["level"], row["kind"])),
            Cell(number(row["median"]), span(number(row["lower"]), number(row["upper"])),
                 interval_words(row["level"], row["kind"])),
            number(row["contraction"], 2), learnt(row["contraction"]), number(row["rhat"], 4),
            number(row["ess_bulk"], 4), number(row["ess_tail"], 4),
        )
        for _, row in rows.iterrows()
    ])  # fmt: skip


def learnt(contraction: float) -> str:
    """Give back in words what a contraction (posterior SD / prior SD) means."""
    if not math.isfinite(contraction):
        return "not stated"
    if contraction > MOSTLY_PRIOR:
        return "mostly the prior"
    return "prior and data" if contraction > 0.3 else "mostly the data"


def prior_sentence(summary: pd.DataFrame) -> str:
    """Give back the sentence that names what the data could not say."""
    known = summary[summary["contraction"].notna()].sort_values("contraction", ascending=False)
    weak = known[known["contraction"] > MOSTLY_PRIOR]
    if known.empty:
        return "No contraction is stated, so what the data added to the priors is not known."
    if weak.empty:
        return f"No parameter is mostly the prior (none has a contraction above {MOSTLY_PRIOR})."
    names = [
        f"{row['parameter']} ({row['meaning']})" if row["meaning"] else row["parameter"]
        for _, row in weak.iterrows()
    ]
    return (
        f"{len(weak)} of {len(known)} parameters are mostly the prior (contraction above"
        f" {MOSTLY_PRIOR}): {listing(names)}. Quote none of them without its prior."
    )


def excluded_tables(excluded: list[dict]) -> list[Table]:
    """Give back the exclusions counted by rule, then every row."""
    if not excluded:
        return []
    reasons: dict[tuple[str, str], int] = {}
    for row in excluded:
        key = (text(row.get("rule")), text(row.get("reason")))
        reasons[key] = reasons.get(key, 0) + 1
    counted = [(rule, str(count), reason) for (rule, reason), count in reasons.items()]
    columns = ["#Row", "Study", "Arm", "#Week", "Endpoint", "#Value", "Rule", "Reason"]
    names = ("row", "study", "arm", "week", "endpoint", "value", "rule", "reason")
    listed = [[text(row.get(name)) for name in names] for row in excluded]
    return [
        plain("Rows left out, by rule", ["Rule", "#Rows", "Reason"], counted),
        plain("Every row left out", columns, listed),
    ]


def compare_table(compare: pd.DataFrame) -> Table:
    """Give back the models ranked by expected log predictive density (ELPD)."""
    columns = [
        "Model", "#ELPD", "#SE", "#Difference", "#SE of difference", "#Largest Pareto k",
        "#Stacking weight", "Method",
    ]  # fmt: skip
    names = ["model", "elpd", "se", "elpd_diff", "diff_se", "pareto_k_max", "weight", "method"]
    rows = compare[names].drop_duplicates().sort_values("elpd", ascending=False)
    made = [
        (row["model"], *(number(row[name], 4) for name in names[1:-1]), row["method"])
        for _, row in rows.iterrows()
    ]
    return plain("Expected log predictive density (higher is better)", columns, made)


def kept_by_model(compare: pd.DataFrame) -> Table:
    """Give back what each model says is kept on Q8W and after stopping."""
    groups = []
    for title, rows in by_question(compare):
        made = tuple(
            (Cell(row["model"]), kept_cell(row, "kept_q8w"), kept_cell(row, "kept_stop"))
            for _, row in rows.iterrows()
        )
        groups.append(Group(title, made))
    caption = f"Still responding, {KEPT}, by model"
    return table(caption, ["Model", "#On Q8W", "#After stopping"], groups)


def by_question(compare: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Give back the comparisons of each drug, induction, endpoint, week and estimand."""
    keys = ["drug", "induction", "endpoint", "week", "estimand"]
    return [
        (question_words(*cast(tuple[str, str, str, float, str], key)), rows)
        for key, rows in compare.groupby(keys, sort=False, dropna=False)
    ]


def question_words(drug: str, induction: str, endpoint: str, week: float, estimand: str) -> str:
    """Give back what was compared, in words; what is not stated is left out."""
    parts = (drug, induction, endpoint_words(endpoint), week_words(week), estimand)
    return ", ".join(part for part in parts if part)


def week_words(week: float) -> str:
    """Give back `week 104`, or nothing where no week is stated."""
    return f"week {week:.0f}" if math.isfinite(week) else ""


def kept_cell(row: pd.Series, name: str) -> Cell:
    """Give back one model's kept share with its interval."""
    interval = span(percent(row[f"{name}_lower"]), percent(row[f"{name}_upper"]))
    return Cell(percent(row[name]), interval, interval_words(row["level"], row["kind"]))


def diagnostics_table(diagnostics: list[dict]) -> Table:
    """Give back every check with its value, limit, verdict and advice."""
    rows = [
        (
            text(row.get("check")), text(row.get("value")), text(row.get("limit")),
            Cell("met", tone="good") if row.get("passed") is True else Cell("missed", tone="bad"),
            text(row.get("advice")),
        )
        for row in diagnostics
    ]  # fmt: skip
    return plain("Demands on the fit", ["Check", "#Value", "#Limit", "Verdict", "Advice"], rows)


def provenance_tables(card: dict) -> list[Table]:
    """Give back versions, hashes, seeds, settings and seconds, a table each."""
    titles = {"versions": "Versions", "hashes": "Hashes", "seeds": "Seeds",
              "settings": "Settings, after defaults", "seconds": "Seconds"}  # fmt: skip
    tables = []
    for key, title in titles.items():
        value = card.get(key)
        value = value if isinstance(value, dict) else {} if value is None else {key: value}
        if value:
            tables.append(plain(title, ["Name", "Value"], flattened(value)))
    return tables


def flattened(values: dict, before: str = "") -> list[tuple[str, str]]:
    """Give back nested settings as dotted names and texts."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict) and value:
            rows += flattened(value, f"{before}{name}.")
        else:
            rows.append((f"{before}{name}", text(value)))
    return rows


def text(value: object) -> str:
    """Give back any value of the card as text: numbers to four figures, lists with commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 4)
    if isinstance(value, (list, tuple)):
        between = "; " if any(isinstance(part, dict) for part in value) else ", "
        return between.join(text(part) for part in value) or "–"
    if isinstance(value, dict):
        return ", ".join(f"{name} {text(part)}" for name, part in value.items()) or "–"
    return str(value)
