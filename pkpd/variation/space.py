"""The free variables of a fit: names, dims, priors, and their order in a flat vector.

A parameter `x` with a prior gives the variable `x`; a between-patient standard deviation to be
estimated gives `x_between`; a between-trial one gives `x_trial_sd` and, per trial, the
standardised effect `x_trial` (the effect itself is x_trial_sd * x_trial).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import jax.numpy as jnp
from jax.scipy.special import logit
from jax.scipy.stats import beta, norm
from jaxtyping import Array, Float

from pkpd.model import Parameter
from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal, Partial, Prior
from pkpd.variation.spread import Cv, Sd, Variance


@dataclass(frozen=True)
class Variable:
    """A block of free numbers with one prior; `dim` names its coordinate, None for a scalar."""

    name: str
    prior: Prior
    dim: str | None
    size: int
    meaning: str
    unit: str


@dataclass(frozen=True)
class Space:
    """All free variables of a fit and the coordinates they run over."""

    variables: tuple[Variable, ...]
    coords: Mapping[str, tuple[str, ...]]

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return sum(variable.size for variable in self.variables)

    @property
    def names(self) -> tuple[str, ...]:
        """The variables' names, in order."""
        return tuple(variable.name for variable in self.variables)

    @cached_property
    def places(self) -> dict[str, slice]:
        """Where each variable lies in the flat vector."""
        ends = list(accumulate(variable.size for variable in self.variables))
        begins = [0, *ends[:-1]]
        return {n: slice(a, b) for n, a, b in zip(self.names, begins, ends, strict=True)}

    def unpack(self, flat: Float[Array, " size"]) -> dict[str, Array]:
        """Natural-scale values by variable name; scalars have shape ()."""
        values, at = {}, 0
        for variable in self.variables:
            part = flat[at : at + variable.size]
            values[variable.name] = part if variable.dim else part[0]
            at += variable.size
        return values

    def pack(self, values: Mapping[str, Array]) -> Float[Array, " size"]:
        """The flat vector of named values; the inverse of `unpack`."""
        return jnp.concatenate([jnp.atleast_1d(values[name]) for name in self.names])

    def medians(self) -> Float[Array, " size"]:
        """The prior medians, flat."""
        return jnp.concatenate([jnp.full(v.size, v.prior.median) for v in self.variables])


def log_prior(prior: Prior, value: Array) -> Array:
    """Log-density of a prior on the natural scale, elementwise."""
    match prior:
        case Normal(mean, sd):
            return norm.logpdf(value, mean, sd)
        case LogNormal(median, sd):
            return norm.logpdf(jnp.log(value), math.log(median), sd) - jnp.log(value)
        case LogitNormal(median, sd):
            centre = math.log(median / (1 - median))
            return norm.logpdf(logit(value), centre, sd) - jnp.log(value) - jnp.log1p(-value)
        case HalfNormal(sd):
            return norm.logpdf(value, 0.0, sd) + math.log(2.0)
        case Partial(shape):
            return beta.logpdf((value + 1) / 2, shape, shape) - math.log(2.0)


def _of_parameter(
    parameter: Parameter, drugs: tuple[str, ...], trials: tuple[str, ...], dim: str
) -> Iterable[Variable]:
    unit, meaning = parameter.unit, parameter.meaning
    if parameter.prior is not None:
        chosen = tuple(d for d in drugs if not parameter.only or d in parameter.only)
        over = parameter.per == "drug" and not parameter.only
        yield Variable(
            parameter.name,
            parameter.prior,
            "drug" if over else None,
            len(chosen) if over else 1,
            meaning,
            unit,
        )
    if parameter.between is not None and not isinstance(parameter.between, Sd | Variance | Cv):
        yield Variable(
            f"{parameter.name}_between",
            parameter.between,
            None,
            1,
            f"between-patient SD of {parameter.name}, {parameter.scale} scale",
            "1",
        )
    if parameter.between_trials is not None:
        yield Variable(
            f"{parameter.name}_trial_sd",
            parameter.between_trials,
            None,
            1,
            f"between-trial SD of {parameter.name}, {parameter.scale} scale",
            "1",
        )
        yield Variable(
            f"{parameter.name}_trial",
            Normal(0.0, 1.0),
            dim,
            len(trials),
            f"standardised trial effects on {parameter.name}",
            "1",
        )


def space(
    parameters: Iterable[tuple[Parameter, str]], coords: Mapping[str, tuple[str, ...]]
) -> Space:
    """The space of `parameters`, each with the coordinate its trial effects run over."""
    found = [
        variable
        for parameter, dim in parameters
        for variable in _of_parameter(parameter, coords["drug"], coords[dim], dim)
    ]
    return Space(tuple(found), dict(coords))
