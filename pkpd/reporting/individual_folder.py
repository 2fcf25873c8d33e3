"""What the page of an individual-level fit is written from: its tables, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pkpd.reporting.folder import COLUMNS as ARM_COLUMNS
from pkpd.reporting.folder import read_card, read_table

COLUMNS = {
    "summary.csv": ARM_COLUMNS["summary.csv"],
    "gof.csv": (
        "subject,arm,time,output,observed,censored,pred,ipred,ipred_lower,ipred_upper,lower,upper,"
        "level,kind,inside,covered,residual"
    ),
    "vpc.csv": (
        "output,arm,bin,time,time_from,time_to,n,quantile,observed,lower,median,upper,level,kind,"
        "corrected"
    ),
    "npde.csv": "subject,arm,time,output,observed,censored,pred,npde",
    "individuals.csv": "subject,parameter,mean,lower,upper,level,kind",
    "predictions.csv": (
        "drug,regimen,week,endpoint,estimand,statistic,mean,lower,upper,level,kind,layer"
    ),
}
TEXT = {
    "parameter", "meaning", "unit", "kind", "subject", "arm", "output", "inside", "quantile",
    "corrected", "drug", "regimen", "endpoint", "estimand", "statistic", "layer",
}  # fmt: skip


@dataclass(frozen=True)
class IndividualFolder:
    """The card and the six tables; an absent table is empty and named in `absent`."""

    name: str
    card: dict
    summary: pd.DataFrame
    gof: pd.DataFrame
    vpc: pd.DataFrame
    npde: pd.DataFrame
    individuals: pd.DataFrame
    predictions: pd.DataFrame
    absent: tuple[str, ...]


def read_individual(folder: Path) -> IndividualFolder:
    """Give back the fit folder's tables, each with every column of the contract.

    Raises `DataError` when there is no readable `card.json`.
    """
    card = read_card(folder / "card.json")
    tables: dict[str, pd.DataFrame] = {}
    absent: list[str] = []
    for file, columns in COLUMNS.items():
        table, missing = read_table(folder / file, columns.split(","))
        tables[file.removesuffix(".csv")] = typed(table, columns.split(","))
        absent += missing
    name = str(card.get("name") or folder.resolve().name)
    return IndividualFolder(name=name, card=card, absent=tuple(absent), **tables)


def typed(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Give back the table with words as text (empty for missing) and the rest as numbers."""
    done = {}
    for name in columns:
        column = table[name].astype(object)
        if name in TEXT:
            done[name] = column.where(column.notna(), "").astype(str)
        else:
            done[name] = pd.to_numeric(column, errors="coerce").astype(float)
    return pd.DataFrame(done, columns=columns)
