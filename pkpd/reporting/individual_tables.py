"""The tables of an individual-level page: coverage, subjects, predictions, centring, exclusions."""

from __future__ import annotations

import pandas as pd

from pkpd.reporting.blocks import bands
from pkpd.reporting.individual_estimates import finite
from pkpd.reporting.individual_vpc import within
from pkpd.reporting.table import Cell, Group, Table, plain, table
from pkpd.reporting.tables import text
from pkpd.reporting.words import LAYERS, interval_words, number, percent, span

MOST_ROWS = 100


def vpc_table(vpc: pd.DataFrame) -> Table:
    """Give back how many observed quantiles and shares lie in their interval, by output."""
    rows = vpc[vpc["observed"].notna()]
    made = []
    for (output, corrected), some in rows.groupby(["output", "corrected"], sort=False):
        name = str(output) + (", prediction-corrected" if corrected == "True" else "")
        inside = within(some)
        counts = (str(len(some)), str(int(inside.sum())), percent(float(inside.mean())))
        made.append((name, *counts, percent(float(some["level"].mean()))))
    columns = ["Output", "#Quantiles and shares", "#Inside", "#Inside, %", "#Expected, %"]
    caption = "Observed quantiles and shares, bin by bin, inside their simulated interval"
    return plain(caption, columns, made)


def gof_table(gof: pd.DataFrame) -> Table:
    """Give back, by output: how many observations, how many inside, and what residuals are."""
    made = []
    for output, some in gof.groupby("output", sort=False):
        inside, residual = some["covered"], some["residual"]
        made.append(
            (
                str(output), str(len(some)), str(int((some["censored"] != 0).sum())),
                percent(float(inside.mean())), percent(float(some["level"].mean())),
                number(residual.mean(), 2), number(residual.std(), 3),
                percent(float((residual.abs() > 1.96).mean())),
            )
        )  # fmt: skip
    columns = [
        "Output", "#Observations", "#Censored", "#Inside, %", "#Expected, %", "#Residual mean",
        "#Residual SD", "#Beyond ±1.96, %",
    ]  # fmt: skip
    note = f"Intervals: {bands(gof)}, individual posterior predictive. Of a value that others \
share (a score, a zero, below a limit) counts the share of its probability that lies inside."
    caption = "Observations and their residuals (expected: mean 0, SD 1, 5 % beyond ±1.96)"
    return table(caption, columns, plain("", columns, made).groups, notes=[note])


def subjects_table(individuals: pd.DataFrame) -> Table:
    """Give back the parameters of subjects, the first `MOST_ROWS` of them."""
    names = list(dict.fromkeys(individuals["parameter"]))
    subjects = list(dict.fromkeys(individuals["subject"]))
    shown = individuals[individuals["subject"].isin(subjects[:MOST_ROWS])]
    cells: dict[str, dict[str, Cell]] = {}
    for _, row in shown.iterrows():
        interval = span(number(row["lower"]), number(row["upper"]))
        words = interval_words(row["level"], row["kind"])
        own = cells.setdefault(row["subject"], {})
        own[row["parameter"]] = Cell(number(row["mean"]), interval, words)
    made = [
        (Cell(who), *(own.get(name, Cell("–")) for name in names)) for who, own in cells.items()
    ]
    rest = len(subjects) - len(made)
    notes = [f"{rest} more subjects stand in individuals.csv."] if rest > 0 else []
    columns = ["Subject", *(f"#{name}" for name in names)]
    caption = "Parameters of subjects: posterior mean"
    return table(caption, columns, [Group("", tuple(made))], notes=notes)


def predictions_table(predictions: pd.DataFrame, unit: str) -> Table:
    """Give back what is predicted for new subjects, a group an output and regimen."""
    groups = []
    for (endpoint, regimen), rows in predictions.groupby(["endpoint", "regimen"], sort=False):
        made = tuple(prediction_cells(row) for _, row in rows.iterrows())
        groups.append(Group(f"{endpoint}, {regimen}", made))
    columns = [f"Time, {unit}" if unit else "Time", "Statistic", "Spread", "#Mean"]
    return table("Every prediction for new subjects", columns, groups)


def prediction_cells(row: pd.Series) -> tuple[Cell, ...]:
    """Give back one prediction: when, of what, which spread, mean with interval."""
    said = ", ".join(part.replace("_", " ") for part in (row["statistic"], row["estimand"]) if part)
    interval = span(number(row["lower"]), number(row["upper"]))
    mean = Cell(number(row["mean"]), interval, interval_words(row["level"], row["kind"]))
    return (
        Cell(number(row["week"])),
        Cell(said),
        Cell(LAYERS.get(str(row["layer"]), str(row["layer"]))),
        mean,
    )


def centring_table(centring: dict) -> Table:
    """Give back how each parameter's random effects were sampled, and their shrinkage."""
    made = [
        (str(name), text(chosen.get("choice")), number(finite(chosen.get("shrinkage")), 2))
        for name, chosen in centring.items()
    ]
    columns = ["Parameter", "Random effects sampled", "#Shrinkage"]
    return plain("Centring, chosen by the data", columns, made)


def left_out_tables(excluded: list[dict]) -> list[Table]:
    """Give back the exclusions counted by rule, then every row as the card has it."""
    if not excluded:
        return []
    reasons: dict[tuple[str, str], int] = {}
    for row in excluded:
        key = (text(row.get("rule")), text(row.get("reason")))
        reasons[key] = reasons.get(key, 0) + 1
    counted = [(rule, str(count), reason) for (rule, reason), count in reasons.items()]
    names = list(dict.fromkeys(name for row in excluded for name in row))
    listed = [[text(row.get(name)) for name in names] for row in excluded]
    return [
        plain("Rows left out, by rule", ["Rule", "#Rows", "Reason"], counted),
        plain(
            "Every row left out", [name.replace("_", " ").capitalize() for name in names], listed
        ),
    ]
