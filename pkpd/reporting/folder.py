"""What a report is written from: the tables of a fit folder, and what is missing there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pkpd.errors import DataError, Fault
from pkpd.provenance import one_hash

COLUMNS = {
    "summary.csv": (
        "parameter,meaning,unit,mean,sd,median,lower,upper,level,kind,prior_median,prior_lower,"
        "prior_upper,contraction,rhat,ess_bulk,ess_tail"
    ),
    "ppc.csv": (
        "study,arm,week,endpoint,statistic,estimand,n,observed,median,lower,upper,level,kind,"
        "inside,fitted"
    ),
    "predictions.csv": (
        "drug,induction,regimen,week,endpoint,estimand,statistic,mean,lower,upper,level,kind,layer"
    ),
    "decisions.csv": (
        "drug,induction,subgroup,endpoint,estimand,week,regimen,quantity,margin,probability,model,"
        "value,lower,upper,level,kind,prior_value,prior_lower,prior_upper,prior_sensitivity,"
        "likelihood_sensitivity,scaled_least,scaled_greatest,flag,status"
    ),
    "compare.csv": (
        "model,elpd,se,elpd_diff,diff_se,pareto_k_max,weight,method,level,kind,drug,induction,week,"
        "endpoint,estimand,kept_q8w,kept_q8w_lower,kept_q8w_upper,kept_stop,kept_stop_lower,"
        "kept_stop_upper"
    ),
}
AFTER = {
    "assurance.csv": (
        "drug,induction,endpoint,estimand,week,reference,arm,n,margin,one_sided_level,test,model,"
        "assurance,mcse,limit,wanted,n_least,n_greatest,enrolled,enrolled_lower,enrolled_upper,"
        "level,kind,flag,status"
    ),
}
"""The table that `pkpd assurance` adds to a run's."""
TEXT = {
    "parameter", "meaning", "unit", "kind", "study", "arm", "endpoint", "statistic", "estimand",
    "inside", "fitted", "drug", "induction", "regimen", "layer", "quantity", "flag", "model",
    "method", "subgroup", "status", "reference", "test",
}  # fmt: skip
UNSTATED = {"kind", "layer"}  # the fit may leave these columns out


@dataclass(frozen=True)
class FitFolder:
    """The card and the tables; an absent one is empty and named in `absent`.

    What `pkpd validate` left for the same fit (`scores`, `forecasts`) may be empty without that.
    """

    name: str
    card: dict
    summary: pd.DataFrame
    ppc: pd.DataFrame
    predictions: pd.DataFrame
    decisions: pd.DataFrame
    compare: pd.DataFrame
    absent: tuple[str, ...]
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    forecasts: pd.DataFrame = field(default_factory=pd.DataFrame)


def read_folder(folder: Path) -> FitFolder:
    """Give back the fit folder's tables, each with every column of the contract.

    Raises `DataError` when there is no readable `card.json`.
    """
    card = read_card(folder / "card.json")
    tables: dict[str, pd.DataFrame] = {}
    absent: list[str] = []
    for file, columns in COLUMNS.items():
        table, missing = read_table(folder / file, columns.split(","))
        tables[file.removesuffix(".csv")] = table
        absent += missing
    name = str(card.get("name") or folder.resolve().name)
    scores, forecasts, said = read_validation(folder, card)
    return FitFolder(
        name=name, card=card, absent=(*absent, *said), scores=scores, forecasts=forecasts, **tables
    )


def read_validation(folder: Path, card: dict) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Give back scores and forecasts of this very fit, and a sentence where they are of another."""
    none, paths = pd.DataFrame(), [folder / "validation.csv", folder / "validation-rows.csv"]
    if not all(path.is_file() for path in paths):
        return none, none, []
    words = {"missed": str, "given": str}
    scores, forecasts = (pd.read_csv(path, dtype=words) for path in paths)
    if scores.empty or set(scores["fit_hash"]) != {one_hash(card.get("hashes") or {})}:
        return none, none, ["validation.csv is of other settings, data or models: validate again."]
    return scores.fillna({"missed": ""}), forecasts.fillna({"given": ""}), []


def read_card(path: Path) -> dict:
    """Give back the card as a dictionary; refuse one that is missing or is not JSON."""
    remedy = "Run `pkpd run` on the fit first; it writes the card."
    if not path.is_file():
        raise DataError([Fault(str(path), "no such file", remedy)])
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError([Fault(f"{path}, line {error.lineno}", error.msg, remedy)]) from error
    if not isinstance(card, dict):
        raise DataError([Fault(str(path), "not a JSON object", remedy)])
    return card


def read_table(path: Path, columns: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Give back one table with all `columns`, and sentences on what the file lacks."""
    if not path.is_file() or not path.stat().st_size:
        return typed(pd.DataFrame(columns=columns)), [f"{path.name} is absent or empty."]
    found = pd.read_csv(path)
    lacking = [name for name in columns if name not in found.columns]
    told = [name for name in lacking if name not in UNSTATED]
    absent = [f"{path.name} has no column {name}." for name in told]
    if found.empty:
        absent.append(f"{path.name} has no rows.")
    return typed(found.reindex(columns=[*found.columns, *lacking])), absent


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give back the table with words as text (empty for missing) and the rest as numbers."""
    tables = (*COLUMNS.values(), *AFTER.values())
    known = {name for columns in tables for name in columns.split(",")}
    done = {}
    for name in table.columns:
        if name in TEXT or name not in known:
            done[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
        else:
            done[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    return pd.DataFrame(done, columns=table.columns)
