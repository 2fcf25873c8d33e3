"""Everything the page prints, gathered from the fit folder under the template's names."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from pkpd.report.blocks import answers, arm_blocks, bands, compare_blocks, headline, undrawn
from pkpd.report.figures_prior import prior_figure
from pkpd.report.folder import FitFolder
from pkpd.report.table import Table
from pkpd.report.tables import (
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
from pkpd.report.tables_kept import WEEKS, across_table, other_decisions
from pkpd.report.words import (
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
        "diagnostics": diagnostics_table(diagnostics) if diagnostics else None,
        "provenance": provenance_tables(card),
    }


def more_tables(fit: FitFolder) -> list[Table]:
    """Give back the other endpoints, the other layers, exposures and other decisions."""
    rows = fit.predictions[fit.predictions["statistic"] == "proportion"]
    last = rows[rows["week"] == rows["week"].max()]
    tables = [
        *endpoint_tables(last),
        layer_table(last),
        trough_table(fit.predictions),
        other_decisions(fit.decisions),
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
            f" {ESTIMANDS.get(estimand, estimand)}: responding, %",
        )
        for estimand, rows in own.groupby("estimand", sort=False)
    ]


def layer_table(last: pd.DataFrame) -> Table | None:
    """Give back uncertainty and variability side by side; nothing if one layer stands alone."""
    main = last[(last["endpoint"].map(endpoint_key) == ENDPOINT) & (last["estimand"] == SHOWN[0])]
    if main["layer"].nunique() < 2:
        return None
    when = week_words(main["week"].max())
    caption = f"Kinds of spread kept apart: {endpoint_words(ENDPOINT)} at {when}, {SHOWN[0]}, %"
    return across_table(main, by="layer", caption=caption)


def trough_table(predictions: pd.DataFrame) -> Table | None:
    """Give back trough concentrations by regimen and week."""
    trough = predictions[predictions["statistic"] == "concentration_trough"]
    trough = trough[trough["week"].isin(WEEKS) & trough["layer"].isin(PLAIN_LAYERS)]
    return across_table(trough, by="week", caption="Trough concentration, mg/L")
