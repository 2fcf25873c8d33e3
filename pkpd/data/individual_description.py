"""Individual data in words: subjects, doses, observations by DVID, covariates with their ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pkpd.data.observation_faults import observed


def sentence(name: str, table: pd.DataFrame) -> str:
    """How many subjects, records, doses and observations there are."""
    seen, doses = table[observed(table)], table["EVID"].isin([1, 4])
    further = int(table.loc[doses, "ADDL"].sum())
    more = f" ({further:,} more by ADDL)" if further else ""
    censored = int((seen["CENS"] != 0).sum())
    return (
        f"{name}: {table['ID'].nunique():,} subjects, {len(table):,} records, "
        f"{int(doses.sum()):,} doses{more}, {len(seen):,} observations, {censored:,} censored."
    )


def observation_table(table: pd.DataFrame, units: Mapping[str, str], *, log: bool) -> str:
    """One line a DVID: observations, those beyond a limit, subjects, and ranges."""
    seen = table[observed(table)]
    head = ("DVID", "observations", "below", "above", "subjects", "TIME", "DV", "unit")
    lines = []
    for dvid, unit in units.items():
        own = seen[seen["DVID"] == dvid]
        counts = len(own), (own["CENS"] == 1).sum(), (own["CENS"] == -1).sum(), own["ID"].nunique()
        told = f"log of {unit}" if log else unit
        spans = _span(own["TIME"]), _span(own["DV"]), told or "-"
        lines.append((dvid or "-", *(f"{count:,}" for count in counts), *spans))
    return _table(head, lines)


def covariate_table(table: pd.DataFrame, units: Mapping[str, str], rules: Mapping[str, str]) -> str:
    """One line a covariate: its rule, its range over records, and in how many subjects it varies.

    A table of no covariate is empty text.
    """
    lines = []
    for name, rule in rules.items():
        varies = table.groupby("ID", sort=False)[name].nunique().gt(1).sum()
        lines.append((name, rule, _span(table[name]), units.get(name) or "-", f"{varies:,}"))
    return _table(("covariate", "rule", "range", "unit", "varies in"), lines) if lines else ""


def left_out(card: Mapping[str, Any], excluded: pd.DataFrame) -> str:
    """The rules of exclusion, how many rows each takes, and why."""
    lines = [
        f"  {entry['name']} ({(excluded['rule'] == entry['name']).sum()} rows): {entry['reason']}"
        for entry in card.get("exclude", ())
    ]
    return "\n".join(["Left out:", *(lines or ["  nothing"])])


def to_mind(remarks: Sequence[str]) -> str:
    """The remarks, one a line; empty text where there are none."""
    return "\n".join(["To mind:", *(f"  {said}" for said in remarks)]) if remarks else ""


def _span(values: pd.Series) -> str:
    return f"{values.min():g} to {values.max():g}" if len(values) else "-"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rows = [head, *body]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
