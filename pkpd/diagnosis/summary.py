"""Prior beside posterior for every free number: the table behind `summary.csv`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import arviz as az
import jax.numpy as jnp
import numpy as np
import pandas as pd

from pkpd.variation import standard
from pkpd.variation.space import Space, Variable


def scalars(space: Space) -> Iterator[tuple[str, Variable, tuple[int, ...]]]:
    """Every free number, in the flat order: its label, its variable, its place in that."""
    for variable in space.variables:
        if variable.dim is None:
            yield variable.name, variable, ()
            continue
        for k, label in enumerate(space.coords[variable.dim]):
            yield f"{variable.name}[{label}]", variable, (k,)


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def summary(
    space: Space, tree: Any, prior: Mapping[str, np.ndarray], *, level: float
) -> pd.DataFrame:
    """One row a free number; intervals are equal-tailed at `level`.

    `contraction` is the posterior SD over the prior SD in standardised coordinates: near 1, the
    data said nothing.
    """
    posterior = tree["posterior"].dataset
    measures = {
        "rhat": az.rhat(posterior),
        "ess_bulk": az.ess(posterior, method="bulk"),
        "ess_tail": az.ess(posterior, method="tail"),
    }
    rows = []
    for label, variable, at in scalars(space):
        draws = posterior[variable.name].values[(..., *at)].ravel()
        before = prior[variable.name][(..., *at)].ravel()
        spread = [
            float(np.std(np.asarray(standard.standard(variable.prior, jnp.asarray(x)))))
            for x in (draws, before)
        ]
        low, high = _interval(draws, level)
        prior_low, prior_high = _interval(before, level)
        rows.append(
            {
                "parameter": label,
                "meaning": variable.meaning,
                "unit": variable.unit,
                "mean": draws.mean(),
                "sd": draws.std(ddof=1),
                "median": np.median(draws),
                "lower": low,
                "upper": high,
                "level": level,
                "kind": "eti",
                "prior_median": np.median(before),
                "prior_lower": prior_low,
                "prior_upper": prior_high,
                "contraction": spread[0] / spread[1],
                **{
                    name: float(found[variable.name].values[at]) for name, found in measures.items()
                },
            }
        )
    return pd.DataFrame(rows)
