"""Everything the page of an individual-level fit prints, under the template's names."""

from __future__ import annotations

from markupsafe import Markup

from pkpd.reporting.blocks import bands
from pkpd.reporting.figures_prior import prior_figure
from pkpd.reporting.individual_blocks import (
    drawn_sentence,
    fit_blocks,
    gof_blocks,
    predicted_blocks,
    vpc_blocks,
)
from pkpd.reporting.individual_errors import error_blocks, errors_table
from pkpd.reporting.individual_estimates import estimates_table
from pkpd.reporting.individual_folder import IndividualFolder
from pkpd.reporting.individual_tables import (
    centring_table,
    gof_table,
    left_out_tables,
    predictions_table,
    subjects_table,
    vpc_table,
)
from pkpd.reporting.tables import diagnostics_table, parameter_table, prior_sentence, text
from pkpd.reporting.tables import provenance_tables as origins


def contents(fit: IndividualFolder) -> dict:
    """Give back everything the template prints."""
    return {"fit": fit, **of_card(fit.card), **of_tables(fit)}


def of_card(card: dict) -> dict:
    """Give back what the card alone says: verdict, words, exclusions, centring, origins."""
    diagnostics, excluded = card.get("diagnostics") or [], card.get("excluded") or []
    centring = card.get("centring") or {}
    return {
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
        "counts": count_sentence(card.get("data") or {}),
        "diagnostics": diagnostics_table(diagnostics) if diagnostics else None,
        "excluded": left_out_tables(excluded),
        "excluded_count": len(excluded),
        "centring": centring_table(centring) if centring else None,
        "provenance": origins(card),
        "statement": card.get("model_statement") or "",
    }


def of_tables(fit: IndividualFolder) -> dict:
    """Give back what the tables say: estimates, predictions, checks against the data, priors."""
    unit, summary = str(fit.card.get("time_unit") or ""), fit.summary
    published = fit.card.get("published") or []
    return {
        **of_data(fit),
        "estimates": estimates_table(summary, published) if len(summary) else None,
        "predicted": predicted_blocks(fit.predictions, fit.gof, unit),
        "predictions": predictions_table(fit.predictions, unit) if len(fit.predictions) else None,
        "prior_figure": Markup(prior_figure(summary, name="prior")),
        "prior_words": bands(summary),
        "prior_sentence": prior_sentence(summary),
        "parameters": parameter_table(summary) if len(summary) else None,
    }


def of_data(fit: IndividualFolder) -> dict:
    """Give back the checks against the data: quantiles, subjects one by one, residuals."""
    unit = str(fit.card.get("time_unit") or "")
    return {
        "vpcs": vpc_blocks(fit.vpc, unit),
        "vpc_coverage": vpc_table(fit.vpc) if len(fit.vpc) else None,
        "fits": fit_blocks(fit.gof, unit),
        "drawn": drawn_sentence(fit.gof),
        "gof_bands": bands(fit.gof),
        "subjects": subjects_table(fit.individuals) if len(fit.individuals) else None,
        "gofs": gof_blocks(fit.gof, unit),
        "gof_table": gof_table(fit.gof) if len(fit.gof) else None,
        "errors": error_blocks(fit.npde, unit),
        "errors_table": errors_table(fit.npde) if len(fit.npde) else None,
    }


def count_sentence(data: dict) -> str:
    """Give back how much was fitted: subjects, observations, those censored, doses."""
    words = {"subjects": "subjects", "observations": "observations", "doses": "doses"}
    said = [f"{data[key]} {word}" for key, word in words.items() if key in data]
    if data.get("censored"):
        said.append(f"{data['censored']} observations censored")
    return f"{', '.join(said)}." if said else ""
