"""A chain of categories seen at visits: from each sight on, the category is known.

The model's states are the probabilities of the categories. After a row that saw one, these start
anew from it: 1 there, 0 elsewhere, while everything else (drug, lesions) goes on. So what the next
row meets is exactly a row of the transition matrix between the two visits, whatever drives the
rates in between, not a matrix of rates held still (continuous-time Markov models: Kalbfleisch and
Lawless 1985, J Am Stat Assoc 80:863-871). For that a record is put behind each sight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from pkpd.errors import Fault
from pkpd.model import Model
from pkpd.settings_individual import IndividualSettings, Observation

OTHER = {"EVID": 2, "MDV": 1, "AMT": 0.0, "RATE": 0.0, "ADDL": 0, "II": 0.0, "SS": 0, "DV": np.nan}
"""What makes a record one at which nothing is given or seen."""


@dataclass(frozen=True)
class Sights:
    """The table with a record behind each sight, and the category it renews from (-1: none)."""

    table: pd.DataFrame
    category: Int[np.ndarray, " rows"]


def chain_of(settings: IndividualSettings) -> Observation | None:
    """The observation that is of a chain, if any."""
    found = [each for each in settings.observations if each.outcome == "markov"]
    return found[0] if found else None


def sights(table: pd.DataFrame, seen: Bool[np.ndarray, " rows"]) -> Sights:
    """Put a record behind each row that is `seen`, at its time."""
    at = np.repeat(np.arange(len(table)), 1 + seen)
    added = np.concatenate([[False], at[1:] == at[:-1]])
    wide = table.iloc[at].reset_index(drop=True)
    category = np.where(added, wide["DV"].to_numpy(float), -1.0)
    known = {name: value for name, value in OTHER.items() if name in wide}
    for name, value in known.items():
        wide[name] = wide[name].mask(added, value)
    return Sights(wide, np.nan_to_num(category, nan=-1.0).astype(int))


def begins(table: pd.DataFrame) -> Bool[np.ndarray, " rows"]:
    """Rows at their subject's first time: what is seen there is where a chain begins."""
    first = table.groupby("ID", sort=False)["TIME"].transform("first")
    return (table["TIME"] == first).to_numpy()


def chain_faults(settings: IndividualSettings, model: Model, where: str) -> Iterator[Fault]:
    """More chains than one, and states of a chain that the model does not have."""
    chains = [each for each in settings.observations if each.outcome == "markov"]
    if len(chains) > 1:
        found = f"{len(chains)} markov observations: {', '.join(e.label for e in chains)}"
        yield Fault(f"{where}, observations", found, "One chain a fit")
    for each in chains:
        for name in each.chain:
            if name not in model.states or name not in model.units:
                found = f"{model.name} has no state and output '{name}'"
                listed = ", ".join(s for s in model.states if s in model.units)
                place = f"{where}, observations.{each.label}.chain"
                yield Fault(place, found, f"States that are outputs: {listed}")
