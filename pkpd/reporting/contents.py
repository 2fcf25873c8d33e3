"""Everything the page prints, gathered from the fit folder under the template's names."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from pkpd.reporting.blocks import answers, arm_blocks, bands, compare_blocks, headline, undrawn
from pkpd.reporting.decided import decided_blocks, decided_words
from pkpd.reporting.figures_prior import prior_figure
from pkpd.reporting.folder import FitFolder
from pkpd.reporting.left_out import left_out
from pkpd.reporting.table import Table
from pkpd.reporting.tables import (
    compare_table,
    coverage_table,
    diagnostics_table,
    excluded_tables,
    kept_by_model,
    parameter_table,
    prior_sentence,
    provenance_tables,
    text,
    week_words,
)
from pkpd.reporting.tables_kept import WEEKS, across_table, longest_table
from pkpd.reporting.words import (
    ENDPOINT,
    ESTIMANDS,
    PLAIN_LAYERS,
    endpoint_key,
    endpoint_words,
)

SHOWN = ("hypothetical", "NRI")


def contents(fit: FitFolder) -> dict:
    """Give back everything the template prints."""
    card, main = fit.card, headline(fit.predictions)
    diagnostics = card.get("diagnostics") or []
    return {
        "fit": fit,
        "title": text(card.get("title") or ""),
        "passed": card.get("passed") is True,
        "missed": [
            {name: text(row.get(name)) for name in ("check", "value", "limit", "advice")}
            for row in diagnostics
            if row.get("passed") is not True
        ],
        "demands": len(diagnostics),
        "warnings": card.get("warnings") or [],
        "sentence": card.get("sentence") or "",
        "estimands": [e for name in SHOWN for e in answers(fit, main, name)],
        "more": more_tables(fit),
        "decided": decided_blocks(fit.decisions),
        "decided_words": decided_words(fit.decisions, card),
        "arms": arm_blocks(fit.ppc),
        "bands": bands(fit.ppc),
        "coverage": coverage_table(fit.ppc) if len(fit.ppc) else None,
        "undrawn": undrawn(fit.ppc),
        "prior_figure": Markup(prior_figure(fit.summary, name="prior")),
        "prior_words": bands(fit.summary),
        "prior_sentence": prior_sentence(fit.summary),
        "parameters": parameter_table(fit.summary) if len(fit.summary) else None,
        "excluded": excluded_tables(card.get("excluded") or []),
        "excluded_count": len(card.get("excluded") or []),
        "compare": compare_table(fit.compare) if len(fit.compare) else None,
        "kept_by_model": kept_by_model(fit.compare) if len(fit.compare) else None,
        "compare_blocks": compare_blocks(fit.compare),
        "validation": left_out(fit.scores, fit.forecasts),
        "diagnostics": diagnostics_table(diagnostics) if diagnostics else None,
        "provenance": provenance_tables(card),
        "individual": None,
    }


def more_tables(fit: FitFolder) -> list[Table]:
    """Give back the other endpoints, the other layers, exposures, times to loss, all decisions."""
    rows = fit.predictions[fit.predictions["statistic"] == "proportion"]
    last = rows[rows["week"] == rows["week"].max()]
    tables = [
        *endpoint_tables(last),
        *layer_tables(fit.predictions),
        trough_table(fit.predictions),
        loss_time_table(fit.predictions),
        longest_table(fit.decisions),
    ]
    return [made for made in tables if made is not None]


def endpoint_tables(last: pd.DataFrame) -> list[Table | None]:
    """Give back every endpoint in the last week, a table an estimand."""
    own = last[last["layer"].isin(PLAIN_LAYERS)]
    return [
        across_table(
            rows,
            by="endpoint",
            caption=f"Every endpoint at {week_words(rows['week'].max())},"
            f" {ESTIMANDS.get(str(estimand), estimand)}: responding, %",
        )
        for estimand, rows in own.groupby("estimand", sort=False)
    ]


def layer_tables(predictions: pd.DataFrame) -> list[Table | None]:
    """Give back uncertainty and variability side by side, where an endpoint has both."""
    some = predictions[predictions["statistic"].isin(["proportion", "mean_change"])]
    some = some[(some["estimand"] == SHOWN[0]) & (some["week"] == some["week"].max())]
    tables = []
    for endpoint in (ENDPOINT, "EASI_PCHG"):
        rows = some[some["endpoint"].map(endpoint_key) == endpoint]
        when = f"{endpoint_words(endpoint)} at {week_words(rows['week'].max())}, {SHOWN[0]}, %"
        caption = f"Kinds of spread kept apart: {when}"
        if rows["layer"].nunique() > 1:
            tables.append(across_table(rows, by="layer", caption=caption))
    return tables


def trough_table(predictions: pd.DataFrame) -> Table | None:
    """Give back trough concentrations by regimen and week."""
    trough = predictions[predictions["statistic"] == "concentration_trough"]
    trough = trough[trough["week"].isin(WEEKS) & trough["layer"].isin(PLAIN_LAYERS)]
    return across_table(trough, by="week", caption="Trough concentration, mg/L")


def loss_time_table(predictions: pd.DataFrame) -> Table | None:
    """Give back the weeks to the first visit without response, endpoints across."""
    time = predictions[predictions["statistic"] == "restricted_mean_weeks_to_loss"]
    last = time[time["week"] == time["week"].max()]
    caption = (
        f"Weeks from re-randomisation to loss of response, counted up to"
        f" {week_words(last['week'].max())}, {SHOWN[0]}: mean"
    )
    return across_table(last, by="endpoint", caption=caption)
