"""Individual parameters of a published model for patients given by standard normal scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Array, Float
from scipy.special import expit, logit

from pkpd.model import Model, Parameter
from pkpd.variation.spread import Spread

_APPLY = {
    "log": lambda value, eta: value * np.exp(eta),
    "logit": lambda value, eta: expit(logit(value) + eta),
    "identity": lambda value, eta: value + eta,
}


def varying(model: Model) -> tuple[str, ...]:
    """Names of the parameters with a published between-subject spread."""
    return tuple(p.name for p in model.parameters if isinstance(p.between, Spread))


def effects(
    model: Model, scores: Mapping[str, Float[np.ndarray, "..."]]
) -> dict[str, Float[np.ndarray, "..."]]:
    """Random effects by parameter, correlated as the model says, from independent scores."""
    names = varying(model)
    place = {name: k for k, name in enumerate(names)}
    matrix = np.eye(len(names))
    for found in model.correlations:
        j, k = place[found.first], place[found.second]
        matrix[j, k] = matrix[k, j] = found.value
    mixed = np.tensordot(
        np.linalg.cholesky(matrix), np.stack([scores[name] for name in names]), axes=1
    )
    spread = {p.name: p.between.sd for p in model.parameters if isinstance(p.between, Spread)}
    return {name: mixed[k] * spread[name] for k, name in enumerate(names)}


def subjects(
    model: Model,
    scores: Mapping[str, Float[np.ndarray, "..."]],
    covariates: Mapping[str, Float[np.ndarray, "..."]],
) -> Mapping[str, Array | np.ndarray | float]:
    """Each subject's own parameters, of the shape of the scores."""
    eta = effects(model, scores)

    def own(parameter: Parameter) -> np.ndarray | float:
        if parameter.name not in eta:
            return parameter.value
        return _APPLY[parameter.scale](parameter.value, eta[parameter.name])

    values = {parameter.name: own(parameter) for parameter in model.parameters}
    missing = {c.name: c.reference for c in model.covariates if c.name not in covariates}
    return model.individual(values, {**missing, **covariates}) if model.individual else values
