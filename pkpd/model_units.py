"""A model told in another unit of time: the same equations, every number of it changed alike."""

from __future__ import annotations

import re
from dataclasses import replace

from pkpd.model import Model, Parameter
from pkpd.units import factor
from pkpd.variation.prior import LogNormal, Normal, Prior


def in_time_unit(model: Model, unit: str) -> Model:
    """The model with time in `unit`: rates per `unit`, values and priors changed to match.

    Raises `UnitError` where `unit` is none of time.
    """
    old = model.units["time"]
    if factor(old, unit) == 1.0:
        return model
    word = re.compile(rf"\b{re.escape(old)}\b")
    units = {name: word.sub(unit, each) for name, each in model.units.items()}
    parameters = tuple(_told(p, word.sub(unit, p.unit)) for p in model.parameters)
    return replace(model, units=units, parameters=parameters)


def _told(parameter: Parameter, unit: str) -> Parameter:
    if unit == parameter.unit:
        return parameter
    by = factor(parameter.unit, unit)
    prior = _scaled(parameter.prior, by) if parameter.prior else None
    return replace(parameter, unit=unit, value=parameter.value * by, prior=prior)


def _scaled(prior: Prior, by: float) -> Prior:
    """The prior of a number that is `by` times as large; only such numbers have units."""
    match prior:
        case LogNormal(median, sd):
            return LogNormal(median * by, sd)
        case Normal(mean, sd):
            return Normal(mean * by, sd * by)
        case _:
            raise ValueError(f"{prior} is of a number without a unit")
