"""The door to log-densities: a model met with individual records, named numbers in, a float out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pydantic import ValidationError

from pkpd.data.events import Events, read_events
from pkpd.data.individual_table import Individuals
from pkpd.errors import DataError, Fault
from pkpd.individual.build import individual_likelihood
from pkpd.individual.problem import IndividualLikelihood
from pkpd.library import load
from pkpd.model import Model
from pkpd.settings_individual import IndividualSettings


def likelihood(
    model: Model | str,
    data: Individuals | Events | pd.DataFrame,
    settings: IndividualSettings | Mapping[str, Any],
) -> IndividualLikelihood:
    """The likelihood of individual records, with `log_density(values)` (contract C7).

    `settings` holds what `fit.toml` may say (observations, parameters, blocks ...); its name,
    title, model and data may be left out. A plain table has the columns of `read_events`, CENS and
    LIMIT among them where rows are censored. Data are taken to be in the model's units.

    Raises
    ------
    DataError
        With every fault of the settings, and of the data where these are a plain table.

    Examples
    --------
    >>> made = likelihood("pk_1cmt_iv", table, {"observations": [...]})  # doctest: +SKIP
    >>> made.log_density({"cl": 1.0, "v": 10.0, ...})  # doctest: +SKIP
    """
    model = load(model) if isinstance(model, str) else model
    chosen = _settings(model, settings)
    return individual_likelihood(chosen, model, _table(model, chosen, data), "settings")


def _settings(model: Model, settings: IndividualSettings | Mapping[str, Any]) -> IndividualSettings:
    if isinstance(settings, IndividualSettings):
        return settings
    told = {"name": "asked", "title": model.title, "model": model.name, "data": "given"}
    try:
        return IndividualSettings(**{**told, **settings})
    except ValidationError as error:
        raise DataError(
            Fault(
                f"settings, {'.'.join(map(str, each['loc']))}",
                each["msg"],
                "See docs/individual-fits.md",
            )  # fmt: skip
            for each in error.errors()
        ) from error


def _table(
    model: Model, settings: IndividualSettings, data: Individuals | Events | pd.DataFrame
) -> pd.DataFrame:
    if isinstance(data, Individuals):
        return data.events.table
    if isinstance(data, Events):
        return data.table
    effects = [e.name for c in settings.parameters.values() for e in c.covariates]
    names = dict.fromkeys([*effects, *(c.name for c in model.covariates)])
    known = [name for name in names if name.upper() in {str(c).upper() for c in data.columns}]
    table = read_events(data, states=model.states, covariates=known).table
    numbers = {n: pd.to_numeric(table[n], errors="coerce") for n in ("CENS", "LIMIT")
               if n in table.columns}  # fmt: skip
    if "CENS" in numbers:
        numbers["CENS"] = numbers["CENS"].fillna(0).astype(int)
    return table.assign(**numbers)
