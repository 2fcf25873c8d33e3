"""Each subject's own parameters at each record, from named values of the free numbers."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
from jax.scipy.special import expit, logit
from jaxtyping import Array, Float

from pkpd.individual.design import Subjects
from pkpd.individual.free import Group
from pkpd.individual.makeup import Makeup
from pkpd.model import Model
from pkpd.settings_individual import CovariateEffect
from pkpd.variation.correlation import cholesky

Values = Mapping[str, Array]
TO = {"log": jnp.log, "logit": logit, "identity": lambda value: value}
FROM = {"log": jnp.exp, "logit": expit, "identity": lambda value: value}


def own_parameters(
    model: Model, made: tuple[Makeup, ...], tied: tuple[Group, ...], known: Subjects, values: Values
) -> dict[str, Float[Array, "K N"]]:
    """The parameters that the equations see, each of shape (1 or K, 1 or N)."""
    effects = random_effects(made, tied, values)
    mixed = {each.name: _own(each, effects, known, values) for each in made}
    if model.individual is None:
        return mixed
    reference = {c.name: jnp.full((1, 1), c.reference) for c in model.covariates}
    given = {c.name: known.covariates[c.name.upper()] for c in model.covariates
             if c.name.upper() in known.covariates}  # fmt: skip
    seen = dict(model.individual(mixed, {**reference, **given}))
    dosing = {name: value for name, value in mixed.items() if name not in seen and "_" in name}
    return {name: jnp.atleast_2d(value) for name, value in {**dosing, **seen}.items()}


def random_effects(
    made: tuple[Makeup, ...], tied: tuple[Group, ...], values: Values
) -> dict[str, Float[Array, " N"]]:
    """The random effect of each subject on each parameter that varies, on the parameter's scale."""
    varying = {each.name: each for each in made if each.between is not None}
    scores = {name: values[f"{name}_eta"] for name in varying}
    for group in tied:
        partials = jnp.stack([values[name] for name in group.partials])
        factor = cholesky(partials, len(group.parameters))
        mixed = factor @ jnp.stack([scores[name] for name in group.parameters])
        scores |= {name: mixed[k] for k, name in enumerate(group.parameters)}
    return {name: between_sd(varying[name], values) * scores[name] for name in varying}


def between_sd(made: Makeup, values: Values) -> Array | float:
    """The between-subject SD of a parameter that varies: held, or free."""
    return made.between if isinstance(made.between, float) else values[f"{made.name}_between"]


def typical(made: Makeup, values: Values) -> Array | float:
    """The typical value: held, or free."""
    return made.value if made.prior is None else values[made.name]


def _own(made: Makeup, effects: Values, known: Subjects, values: Values) -> Float[Array, "K N"]:
    value, scale = jnp.asarray(typical(made, values), float), made.parameter.scale
    random = effects[made.name][None] if made.name in effects else None
    if made.occasion is not None and known.occasion is not None:
        own = values[f"{made.name}_occasion"] * values[f"{made.name}_occasion_eta"]
        random = own[known.occasion] + (0.0 if random is None else random)
    if random is not None:
        value = FROM[scale](TO[scale](value) + random)
    for effect in made.covariates:
        x = jnp.asarray(known.covariates[effect.name.upper()])
        value = value * factor(effect, x, coefficient(made, effect, values))
    return jnp.atleast_2d(value)


def coefficient(made: Makeup, effect: CovariateEffect, values: Values) -> Array | float:
    """The coefficient of a covariate: held, or free."""
    if effect.coefficient is not None:
        return effect.coefficient
    return values[f"{made.name}_{effect.name.lower()}"]


def factor(effect: CovariateEffect, x: Array, b: Array | float) -> Array:
    """What a covariate multiplies a parameter with; see `CovariateEffect`."""
    match effect.form:
        case "power":
            return jnp.exp(b * jnp.log(x / effect.reference))
        case "exponential":
            return jnp.exp(b * (x - effect.reference))
        case "linear":
            return 1 + b * (x - effect.reference)
        case "below":
            return jnp.where(x < effect.reference, 1 + b, 1.0)
        case "equal":
            return jnp.where(x == effect.reference, jnp.exp(b), 1.0)
